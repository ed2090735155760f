"""Names of objects, and of the folders that contain them."""

import datetime

from .settings import Settings
from .source import Table

DELIMITERS = {"SLASH": "/", "DASH": "-", "UNDERSCORE": "_", "NONE": ""}
PARTS = {
    "YYYYMMDD": ("%Y", "%m", "%d"),
    "YYYYMMDDHH": ("%Y", "%m", "%d", "%H"),
    "YYYYMM": ("%Y", "%m"),
    "MMYYYYDD": ("%m", "%Y", "%d"),
    "DDMMYYYY": ("%d", "%m", "%Y"),
}


def folder(table: Table, settings: Settings) -> str:
    """A table's folder at the target."""
    return "/".join(settings.rules.renamed(table.schema, table.name))


def load(number: int, segment: int | None, suffix: str) -> str:
    """The `number`th object of a full load, counted from 1, of a segment or of the table."""
    prefix = "" if segment is None else f"SEGMENT{segment}_"
    return f"{prefix}LOAD{number:08X}{suffix}"


def changes(created: datetime.datetime, committed: datetime.datetime, settings: Settings, suffix):
    """A change object: its name is the time when it was started, its folder the commit date of its
    first change."""
    digits = settings.uncertain.stamp_digits - 6
    fraction = f"{created.microsecond:06}"[:digits]
    s3 = settings.s3
    if s3.PreserveTransactions:
        return f"CDC_TXN-{created:%Y%m%d%H%M%S}{fraction}{suffix}"
    name = f"{created:%Y%m%d-%H%M%S}{fraction}{suffix}"
    if not s3.DatePartitionEnabled:
        return name
    parts = PARTS[s3.DatePartitionSequence]
    delimiter = DELIMITERS[s3.DatePartitionDelimiter]
    return committed.strftime(delimiter.join(parts)) + "/" + name
