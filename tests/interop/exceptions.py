"""Known defects of readers, and whether they still exist.

A failure is accepted only if the table has what triggers the defect and the reader reports exactly
this failure. Each defect has its own table, on which the reader must fail in every run.
"""

import re
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import pyarrow as pa
from deltalake import convert_to_deltalake
from pyarrow import parquet


# Attempts for a probe that fails in another way, and the seconds between them.
ATTEMPTS = 10
PAUSE = 3


@dataclass(frozen=True)
class Defect:
    reader: str
    why: str
    says: re.Pattern
    concerns: Callable
    probe: Callable


def has_packed_short_integers(table) -> bool:
    """Whether a column of bytes or shorts is delta-encoded in some data file."""
    short = {name for name, kind in table.columns(table.version) if kind in ("byte", "short")}
    for footer in table.footers:
        for group in range(footer.num_row_groups):
            for at in range(footer.num_columns):
                column = footer.row_group(group).column(at)
                if column.path_in_schema in short and "DELTA_BINARY_PACKED" in column.encodings:
                    return True
    return False


def packed_shorts(folder: Path) -> list[tuple[str, str]]:
    """Creates a table of two shorts whose difference is not a short; returns its columns."""
    shorts = pa.table({"v": pa.array([-30000, 30000], pa.int16())})
    path = folder / "part.parquet"
    packed = {"v": "DELTA_BINARY_PACKED"}
    parquet.write_table(shorts, path, use_dictionary=False, column_encoding=packed)
    convert_to_deltalake(str(folder))
    return [("v", "short")]


DEFECTS = [
    Defect(
        reader="Trino",
        why="Trino 476 fails on DELTA_BINARY_PACKED bytes and shorts if a whole block has a single"
        " difference outside the range of the type (DeltaPackingUtils.unpackDelta). We write no such"
        " pages; files of other writers, and row groups copied from them, may contain some.",
        says=re.compile(r'message="(byte|short) overflow"'),
        concerns=has_packed_short_integers,
        probe=packed_shorts,
    ),
]


def excused(table, reader, fault: str) -> bool:
    """Whether a fault comes from a known defect."""
    return any(
        defect.reader == reader.name and defect.says.search(fault) and defect.concerns(table)
        for defect in DEFECTS
    )


def outlived(readers) -> list[str]:
    """Descriptions of defects that no longer exist."""
    faults = []
    for defect in DEFECTS:
        for reader in readers:
            if defect.reader == reader.name and (said := otherwise(reader, defect)):
                faults.append(f"{reader.name} {said}, unlike exceptions.py says: {defect.why}")
    return faults


def otherwise(reader, defect: Defect) -> str | None:
    """What a reader does with the defect's own table, if it does not fail as expected."""
    said = None
    for _ in range(ATTEMPTS):
        with tempfile.TemporaryDirectory() as folder:
            columns = defect.probe(Path(folder))
            try:
                reader.read(Path(folder), columns)
            except Exception as error:
                if defect.says.search(str(error)):
                    return None
                # A server that has just started may fail for other reasons.
                said = f"fails with {error}"
                time.sleep(PAUSE)
            else:
                return "reads it"
    return said
