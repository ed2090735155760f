"""The full load: copies the rows of a table."""

import datetime

from . import names
from .changes import new_object
from .layout import Row, fields
from .settings import Settings
from .source import Source, Table

BATCH = 1000
# The row limit of a Parquet object, for which DMS documents no smaller one.
LARGEST_PARQUET = 64_000_000


def copy(source: Source, table: Table, settings: Settings, target, begun: datetime.datetime, log):
    """Writes a table's full-load objects. Existing objects of the same names are replaced."""
    s3 = settings.s3
    limit = LARGEST_PARQUET if s3.is_parquet else s3.MaxFileSize * 1000
    segments = [None] if settings.segments == 1 else list(range(1, settings.segments + 1))
    writers = [_Segment(table, settings, target, log, segment, limit) for segment in segments]
    for number, batch in enumerate(source.rows(table, BATCH)):
        writer = writers[number % len(writers)]
        for values in batch:
            now = begun if s3.UseTaskStartTimeForFullLoadTimestamp else _now()
            by_name = {column.name: value for column, value in zip(table.columns, values)}
            writer.add(Row("I", now, by_name))
    for writer in writers:
        writer.send()


class _Segment:
    """The full-load objects of a table, or of a segment that is copied in parallel."""

    def __init__(self, table, settings, target, log, segment, limit):
        self.table, self.settings, self.target, self.log = table, settings, target, log
        self.segment, self.limit = segment, limit
        self.fields = fields(table, settings, is_load=True)
        self.number = 0
        self.open = None

    def add(self, row: Row):
        if self.open is None:
            self.open = new_object(self.fields, self.settings, is_load=True)
        self.open.add(row)
        if self.open.size >= self.limit:
            self.send()

    def send(self):
        if self.open is None:
            return
        one, self.open = self.open, None
        self.number += 1
        name = names.load(self.number, self.segment, one.suffix)
        path = f"{names.folder(self.table, self.settings)}/{name}"
        self.target.put(path, one.content())
        self.log(f"{path}: {one.rows} row{'s' * (one.rows != 1)}")


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
