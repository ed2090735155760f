"""Collects changes into objects: one open object for each table, or one for all."""

import datetime
import time
from dataclasses import dataclass

from . import names
from .csv_object import CsvObject
from .layout import Field, Row, fields
from .parquet_object import ParquetObject
from .settings import Settings
from .source import Table


def new_object(fields: list[Field], settings: Settings, is_load: bool):
    # Changes in the order of transactions are CSV, whatever the format.
    is_parquet = settings.s3.is_parquet and (is_load or not settings.s3.PreserveTransactions)
    return (ParquetObject if is_parquet else CsvObject)(fields, settings)


class Stamps:
    """Names objects after the time of their creation, each later than the one before."""

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
    """The object that collects changes."""

    content: CsvObject | ParquetObject
    created: datetime.datetime
    begun: float
    committed: datetime.datetime
    # The checkpoint that must be kept until the object is in the target.
    since: object


class Batch:
    """Collects changes, and writes an object into a folder when it is large or old enough."""

    def __init__(self, folder: str, settings: Settings, target, log):
        self.folder, self.settings, self.target, self.log = folder, settings, target, log
        self.stamps = Stamps(settings.uncertain.stamp_digits)
        self.open: OpenObject | None = None

    def add(self, row: Row, fields: list[Field], since):
        """`since` is the checkpoint before the row's transaction."""
        if self.open is None:
            content = new_object(fields, self.settings, is_load=False)
            created = self.stamps.next()
            self.open = OpenObject(content, created, time.monotonic(), row.timestamp, since)
        if self.settings.s3.PreserveTransactions:
            self.open.content.adapt(fields)
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
        path = f"{self.folder}/{name}"
        self.target.put(path, one.content.content())
        self.log(f"{path}: {one.content.rows} change{'s' * (one.content.rows != 1)}")

    def discard(self):
        self.open = None


class TableChanges:
    """Puts the changes of one table into a batch, its own or that of all tables."""

    def __init__(self, table: Table, settings: Settings, batch: Batch):
        self.settings = settings
        self.batch = batch
        self._is(table)

    def _is(self, table: Table):
        self.table = table
        self.fields = fields(table, self.settings, is_load=False)

    def add(self, row: Row, since):
        s3 = self.settings.s3
        wanted = "I" if s3.CdcInsertsOnly else "IU" if s3.CdcInsertsAndUpdates else "IUD"
        if row.op in wanted:
            self.batch.add(row, self.fields, since)

    def redefined(self, table: Table):
        """The table has other columns from now on."""
        self._is(table)
        if self.batch.open is None or self.settings.s3.PreserveTransactions:
            return
        if self.settings.uncertain.ddl_inside_csv and not self.settings.s3.is_parquet:
            self.batch.open.content.adapt(self.fields)
        else:
            self.batch.send()
