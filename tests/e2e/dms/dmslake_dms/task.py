"""The task: full load, then changes, until it is stopped."""

import datetime
import sys
import time
from pathlib import Path

from . import binlog, full_load, names, server
from .changes import Batch, TableChanges
from .checkpoint import Checkpoint
from .selection import tables_of
from .sequence import Sequence
from .settings import Settings
from .source import Position, Source, Table
from .state import CHECKPOINTS

# Seconds between checkpoints.
INTERVAL = 5.0


class Task:
    def __init__(self, source: Source, target, settings: Settings, state: Path, server_id: int):
        self.source, self.target, self.settings = source, target, settings
        self.state = state / CHECKPOINTS
        self.requests = state / "reload"
        self.server_id = server_id
        self.begun = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
        self.writers: dict[str, TableChanges] = {}
        s3 = settings.s3
        # That of all tables, whose changes are then in the order of transactions.
        self.common = self._batch(s3.CdcPath.strip("/")) if s3.PreserveTransactions else None
        # By table: the log position up to which changes are in its full load.
        self.loaded: dict[str, Position] = {}
        self.sequence = Sequence(0, "")
        self.position: Position | None = None
        self.saved_at = time.monotonic()
        # Where to stop, if requested.
        self.end: Position | None = None
        self.is_stopping = False

    def log(self, text: str):
        print(text, file=sys.stderr, flush=True)

    def stop(self):
        """Stops the task once it has written the current content of the log."""
        self.is_stopping = True

    def run(self, is_restart: bool, back: int):
        """Goes on from the checkpoint, if there is one, or loads all tables first."""
        server.check(self.source, self.server_id)
        kept = None if is_restart else Checkpoint.read(self.state, back)
        tables = tables_of(self.source, self.settings, self.log)
        if kept is None:
            # Whoever stops the load must not go on from before it.
            self.state.unlink(missing_ok=True)
            self.position = self.source.position()
            for table in tables:
                self.load(table)
        else:
            self.resume(kept)
        self.save(always=True)
        self.follow()

    def resume(self, kept: Checkpoint):
        self.log(f"goes on from {kept.position.file}:{kept.position.offset}")
        self.position = kept.position
        self.loaded = dict(kept.loaded)
        self.sequence = Sequence(kept.counter, kept.instant)
        if not self.settings.uncertain.replay_keeps_sequence:
            self.sequence.instant = max(kept.instant, f"{self.begun:%Y%m%d%H%M%S%f}"[:16])

    def load(self, table: Table):
        """Copies a table. Changes committed in the meantime follow, including those that the copy
        already contains."""
        if self.common:
            self.common.send()
        elif table.title in self.writers:
            self.writers[table.title].batch.discard()
        if self.settings.prepare != "DO_NOTHING":
            self.target.delete_below(names.folder(table, self.settings))
        self.loaded[table.title] = self.source.position()
        self.writers[table.title] = self._writer(table)
        full_load.copy(self.source, table, self.settings, self.target, self.begun, self.log)

    def _batch(self, folder: str) -> Batch:
        return Batch(folder, self.settings, self.target, self.log)

    def _writer(self, table: Table) -> TableChanges:
        batch = self.common or self._batch(names.folder(table, self.settings))
        return TableChanges(table, self.settings, batch)

    @property
    def batches(self) -> list[Batch]:
        return [self.common] if self.common else [one.batch for one in self.writers.values()]

    def watched(self, schema: str, name: str) -> Table | None:
        """The table as of this position in the log."""
        title = f"{schema}.{name}"
        if title not in self.writers:
            if not self.settings.rules.selects(schema, name):
                return None
            self.writers[title] = self._writer(self.source.table(schema, name))
        return self.writers[title].table

    def follow(self):
        self.log("follows the log")
        for event in binlog.events(self.source, self.position, self.server_id, self.watched):
            if isinstance(event, binlog.Transaction):
                self.take(event)
            elif isinstance(event, binlog.Definition):
                self.define(event)
            for batch in self.batches:
                batch.send_if_due()
            self.reload_what_is_asked_for()
            self.save(always=False)
            if self.is_done(event.position):
                break
        for batch in self.batches:
            batch.send()
        self.save(always=True)

    def take(self, transaction: binlog.Transaction):
        since = self.checkpoint()
        for table, row in transaction.changes:
            if transaction.position <= self.loaded.get(table.title, Position("", 0)):
                continue
            row.sequence = self.sequence.next(row.timestamp)
            self.writers[table.title].add(row, since)
            if self.common and self.settings.uncertain.split_transactions:
                self.common.send_if_due()
        self.position = transaction.position

    def define(self, definition: binlog.Definition):
        title = f"{definition.schema}.{definition.table}"
        self.position = definition.position
        writer = self.writers.get(title)
        if writer is None or definition.position <= self.loaded.get(title, Position("", 0)):
            return
        if definition.verb == "TRUNCATE" and self.settings.handle_truncated:
            if not self.common:
                writer.batch.discard()
            self.target.delete_below(names.folder(writer.table, self.settings))
            self.log(f"{title}: truncated, its objects are deleted")
        elif definition.verb == "ALTER":
            newer = writer.table.after_ddl(self.source.table(definition.schema, definition.table))
            if newer != writer.table:
                writer.redefined(newer)
                self.log(f"{title}: has other columns now")

    def reload_what_is_asked_for(self):
        """Reloads the tables named in a file in the state folder, one per line."""
        if not self.requests.exists():
            return
        titles = self.requests.read_text().split()
        if not titles:
            # It is being written.
            return
        self.requests.unlink()
        for title in titles:
            schema, _, name = title.partition(".")
            table = self.source.table(schema, name)
            if table.columns:
                self.log(f"{title}: is loaded again")
                self.load(table)
            else:
                self.log(f"{title}: is not loaded again, because there is no such table")

    def checkpoint(self) -> Checkpoint:
        """A checkpoint up to which everything is in the target."""
        pending = [batch.open.since for batch in self.batches if batch.open]
        if pending:
            return min(pending, key=lambda checkpoint: checkpoint.position)
        sequence = self.sequence
        return Checkpoint(self.position, sequence.counter, sequence.instant, dict(self.loaded))

    def save(self, always: bool):
        if always or time.monotonic() - self.saved_at >= INTERVAL:
            self.checkpoint().save(self.state)
            self.saved_at = time.monotonic()

    def is_done(self, reached: Position) -> bool:
        if not self.is_stopping:
            return False
        if self.end is None:
            self.end = self.source.position()
        return reached >= self.end
