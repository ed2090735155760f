"""Names of objects below a table's folder."""

import datetime

from .settings import Settings

DELIMITERS = {"SLASH": "/", "DASH": "-", "UNDERSCORE": "_", "NONE": ""}
PARTS = {
    "YYYYMMDD": ("%Y", "%m", "%d"),
    "YYYYMMDDHH": ("%Y", "%m", "%d", "%H"),
    "YYYYMM": ("%Y", "%m"),
    "MMYYYYDD": ("%m", "%Y", "%d"),
    "DDMMYYYY": ("%d", "%m", "%Y"),
}


def load(number: int, segment: int | None, suffix: str) -> str:
    """The `number`th object of a full load, counted from 1, of a segment or of the table."""
    prefix = "" if segment is None else f"SEGMENT{segment}_"
    return f"{prefix}LOAD{number:08X}{suffix}"


def changes(created: datetime.datetime, committed: datetime.datetime, settings: Settings, suffix):
    """A change object: its name is the time when it was started, its folder the commit date of its
    first change."""
    digits = settings.uncertain.stamp_digits - 6
    fraction = f"{created.microsecond:06}"[:digits]
    name = f"{created:%Y%m%d-%H%M%S}{fraction}{suffix}"
    s3 = settings.s3
    if not s3.DatePartitionEnabled:
        return name
    parts = PARTS[s3.DatePartitionSequence.upper()]
    delimiter = DELIMITERS[s3.DatePartitionDelimiter.upper()]
    return committed.strftime(delimiter.join(parts)) + "/" + name
