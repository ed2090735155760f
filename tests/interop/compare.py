"""Reads every table of a corpus with every reader and compares it with the model's rows."""

import argparse
import sys
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import corpus
import coverage
import exceptions
import history
from readers.deltalake import Deltalake
from readers.duckdb import DuckDb
from readers.spark import Spark
from readers.trino import Trino
from servers import spark, trino
from values import texts

# One in this many tables is also read at every version.
TRAVELLED = 4


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    tables = corpus.load(parser.parse_args().corpus)
    faults = coverage.gaps(tables)
    with ExitStack() as stack:
        session = spark.session()
        stack.callback(session.stop)
        port = stack.enter_context(trino.server())
        readers = [Spark(session), Trino(port), DuckDb(), Deltalake()]
        faults += exceptions.outlived(readers)
        print(row("table", [reader.name for reader in readers]))
        compared = Counter()
        for number, table in enumerate(tables):
            versions = {table.version}
            if number % TRAVELLED == 0:
                versions |= {merge["version"] for merge in table.merges}
            cells = []
            for reader in readers:
                rows, found = compare(table, reader, sorted(versions))
                compared[reader.name] += rows
                left = [fault for fault in found if not exceptions.excused(table, reader, fault)]
                faults += left
                cells.append("FAILED" if left else "EXCUSED" if found else rows)
            faults += history.faults(session, table)
            print(row(table.name, cells), flush=True)
        total = [compared[reader.name] for reader in readers]
        print(row(f"{len(tables)} tables, rows equal", total))
    for fault in faults:
        print(f"\n{fault}", file=sys.stderr)
    return 1 if faults else 0


def row(name: str, cells: list) -> str:
    return f"{name:32}" + "".join(f"{cell:>12}" for cell in cells)


def compare(table, reader, versions) -> tuple[int, list[str]]:
    """The number of equal rows in these versions, and descriptions of differences."""
    count, faults = 0, []
    for version in versions:
        rows = table.rows(version)
        try:
            fault = difference(table, reader, version, rows)
        except Exception as error:  # whatever a reader stumbles over is a finding
            fault = f"{type(error).__name__}: {error}"
        if fault:
            faults.append(f"{table.name} version {version}, {reader.name}: {fault}\n  {table.root}")
        else:
            count += len(rows)
    return count, faults


def difference(table, reader, version, rows) -> str | None:
    columns = table.columns(version)
    found = reader.read(table.root, columns, None if version == table.version else version)
    names = [name for name, _ in columns]
    if found.column_names != names:
        return f"columns {found.column_names} instead of {names}"
    types = [delta_type for _, delta_type in columns]
    surplus = Counter(zip(*map(texts, found.columns, types)))
    missing = rows
    for rendering in reader.renderings(table):
        missing = unmatched(missing, surplus, types, rendering)
    surplus = list(surplus.elements())
    if not missing and not surplus:
        return None
    first = min(missing or surplus, key=lambda row: [value or "" for value in row])
    fate = "is missing" if missing else "should not be there"
    return (
        f"{len(missing)} rows are missing, {len(surplus)} should not be there.\n"
        f"  Keys {table.keys}, columns {names}; this row {fate}: {first}"
    )


def unmatched(rows, surplus: Counter, types, rendering) -> list:
    """The rows that a reader does not return; rows that it returns are removed from `surplus`."""
    left = []
    for row in rows:
        shown = tuple(
            value if value is None else rendering(value, delta_type)
            for value, delta_type in zip(row, types)
        )
        if surplus[shown]:
            surplus[shown] -= 1
        else:
            left.append(row)
    return left


if __name__ == "__main__":
    sys.exit(main())
