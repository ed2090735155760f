"""Collects changes into objects: one open object for each table."""

import datetime
import time
from dataclasses import dataclass

from . import names
from .csv_object import CsvObject
from .layout import Row, fields
from .parquet_object import ParquetObject
from .settings import Settings
from .source import Table


def new_object(table: Table, settings: Settings, is_load: bool):
    kind = ParquetObject if settings.s3.is_parquet else CsvObject
    return kind(fields(table, settings, is_load), settings)


class Stamps:
    """Names objects after the time of their creation, each later than the last of its table."""

    def __init__(self, digits: int):
        self.step = datetime.timedelta(microseconds=10 ** (12 - digits))
        self.last = datetime.datetime.min

    def next(self) -> datetime.datetime:
        now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
        step = self.step // datetime.timedelta(microseconds=1)
        now = now.replace(microsecond=now.microsecond // step * step)
        self.last = max(now, self.last + self.step)
        return self.last


@dataclass
class OpenObject:
    """The object that collects a table's changes."""

    content: CsvObject | ParquetObject
    created: datetime.datetime
    begun: float
    committed: datetime.datetime
    # The checkpoint that must be kept until the object is in the target.
    since: object


class TableChanges:
    """Collects the changes of one table, and writes an object when it is large or old enough."""

    def __init__(self, table: Table, settings: Settings, target, log):
        self.table = table
        self.settings = settings
        self.target = target
        self.log = log
        self.stamps = Stamps(settings.uncertain.stamp_digits)
        self.open: OpenObject | None = None

    def add(self, row: Row, since):
        """`since` is the checkpoint before the row's transaction."""
        s3 = self.settings.s3
        wanted = "I" if s3.CdcInsertsOnly else "IU" if s3.CdcInsertsAndUpdates else "IUD"
        if row.op not in wanted:
            return
        if self.open is None:
            content = new_object(self.table, self.settings, is_load=False)
            created = self.stamps.next()
            self.open = OpenObject(content, created, time.monotonic(), row.timestamp, since)
        self.open.content.add(row)

    def send_if_due(self):
        if self.open is None:
            return
        s3 = self.settings.s3
        is_old = time.monotonic() - self.open.begun >= s3.CdcMaxBatchInterval
        if is_old or self.open.content.size >= s3.CdcMinFileSize * 1000:
            self.send()

    def send(self):
        if self.open is None:
            return
        one, self.open = self.open, None
        name = names.changes(one.created, one.committed, self.settings, one.content.suffix)
        path = f"{self.table.schema}/{self.table.name}/{name}"
        self.target.put(path, one.content.content())
        self.log(f"{path}: {one.content.rows} changes")

    def discard(self):
        self.open = None

    def redefined(self, table: Table):
        """The table has other columns from now on."""
        self.table = table
        if self.open is None:
            return
        if self.settings.uncertain.ddl_inside_csv and not self.settings.s3.is_parquet:
            self.open.content.adapt(fields(table, self.settings, is_load=False))
        else:
            self.send()
