"""Compares a reader's rows with those of the source, by key range."""

import hashlib
from collections import Counter
from dataclasses import dataclass

import expected
from values import texts

# Rows per compared digest.
RANGE = 1000
GUARD = "_cdc_seq"


@dataclass
class Outcome:
    """The result for one table and one reader."""

    rows: int = 0
    # Rows of the source that the reader lacks or shows differently, and its surplus rows.
    missing: int = 0
    surplus: int = 0
    fault: str = ""


def table(database, schema: str, name: str, root, reader) -> Outcome:
    of = expected.columns(database, schema, name)
    try:
        found = reader.read(root, [(column.name, column.delta_type) for column in of])
        # A guarded table keeps the change sequence of each row, which the source does not have.
        names = [name for name in found.column_names if name != GUARD]
        if names != [column.name for column in of]:
            return Outcome(fault=f"columns {found.column_names}")
        shown = list(
            zip(*(texts(found.column(column.name), column.delta_type) for column in of))
        )
    except Exception as error:  # whatever a reader stumbles over is a finding
        return Outcome(fault=f"{type(error).__name__}: {error}"[:500])
    rendering = reader.renderings(NoInt96)[0]
    wanted = [
        tuple(
            value if value is None else rendering(value, column.delta_type)
            for value, column in zip(row, of)
        )
        for row in expected.rows(database, schema, name, of)
    ]
    return difference(wanted, shown)


class NoInt96:
    """Our tables have no such timestamps."""

    has_int96 = False


def difference(wanted: list[tuple], shown: list[tuple]) -> Outcome:
    outcome = Outcome(rows=len(wanted))
    wanted, shown = by_range(wanted), by_range(shown)
    for key in wanted.keys() | shown.keys():
        ours, theirs = wanted.get(key, []), shown.get(key, [])
        if digest(ours) == digest(theirs):
            continue
        missing = Counter(ours) - Counter(theirs)
        surplus = Counter(theirs) - Counter(ours)
        outcome.missing += missing.total()
        outcome.surplus += surplus.total()
        if not outcome.fault:
            # Random test values, which may be shown.
            row = next(iter(missing or surplus))
            other = next(iter(surplus if missing else missing), None)
            outcome.fault = f"keys from {key}: {row} against {other}"[:1500]
    return outcome


def by_range(rows: list[tuple]) -> dict[int, list[tuple]]:
    ranges: dict[int, list[tuple]] = {}
    for row in rows:
        ranges.setdefault(int(row[0]) // RANGE * RANGE, []).append(row)
    return ranges


def digest(rows: list[tuple]) -> bytes:
    hashed = hashlib.blake2b()
    for row in sorted(rows, key=lambda row: [value or "" for value in row]):
        hashed.update(repr(row).encode())
    return hashed.digest()
