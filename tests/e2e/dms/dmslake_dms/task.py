"""The task: full load, then changes, until it is stopped."""

import datetime
import sys
import time
from pathlib import Path

from . import binlog, full_load
from .changes import TableChanges
from .checkpoint import Checkpoint
from .settings import Settings
from .source import Position, Source, Table, is_selected

# Seconds between checkpoints.
CHECKPOINTS = 5.0


class Sequence:
    """`$AR_H_CHANGE_SEQ`: 16 digits of time and 19 of a counter, ascending over all tables."""

    def __init__(self, counter: int, instant: str):
        self.counter = counter
        self.instant = instant

    def next(self, committed: datetime.datetime) -> str:
        self.counter += 1
        self.instant = max(self.instant, f"{committed:%Y%m%d%H%M%S}00")
        return f"{self.instant}{self.counter:019}"


class Task:
    def __init__(self, source: Source, target, settings: Settings, state: Path, server_id: int):
        self.source, self.target, self.settings = source, target, settings
        self.state = state / "checkpoints.json"
        self.requests = state / "reload"
        self.server_id = server_id
        self.begun = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
        self.writers: dict[str, TableChanges] = {}
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

    def run(self, resume: bool, back: int, full_load_only: bool):
        self.source.check()
        kept = Checkpoint.read(self.state, back) if resume else None
        if kept is None:
            self.position = self.source.position()
            for table in self.source.tables(self.settings.rules):
                self.load(table)
        else:
            self.resume(kept)
        self.save(always=True)
        if not full_load_only:
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
        folder = f"{table.schema}/{table.name}"
        if table.title in self.writers:
            self.writers[table.title].discard()
        if self.settings.prepare != "DO_NOTHING":
            self.target.delete_below(folder)
        self.loaded[table.title] = self.source.position()
        self.writers[table.title] = self._writer(table)
        full_load.copy(self.source, table, self.settings, self.target, self.begun, self.log)

    def _writer(self, table: Table) -> TableChanges:
        return TableChanges(table, self.settings, self.target, self.log)

    def watched(self, schema: str, name: str) -> Table | None:
        """The table as of this position in the log."""
        title = f"{schema}.{name}"
        if title not in self.writers:
            if not is_selected(self.settings.rules, schema, name):
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
            for writer in self.writers.values():
                writer.send_if_due()
            self.reload_what_is_asked_for()
            self.save(always=False)
            if self.is_done(event.position):
                break
        for writer in self.writers.values():
            writer.send()
        self.save(always=True)

    def take(self, transaction: binlog.Transaction):
        since = self.checkpoint()
        for table, row in transaction.changes:
            if transaction.position <= self.loaded.get(table.title, Position("", 0)):
                continue
            row.sequence = self.sequence.next(row.timestamp)
            self.writers[table.title].add(row, since)
        self.position = transaction.position

    def define(self, definition: binlog.Definition):
        title = f"{definition.schema}.{definition.table}"
        self.position = definition.position
        writer = self.writers.get(title)
        if writer is None or definition.position <= self.loaded.get(title, Position("", 0)):
            return
        if definition.verb == "TRUNCATE" and self.settings.handle_truncated:
            writer.discard()
            self.target.delete_below(title.replace(".", "/", 1))
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
            self.log(f"{title}: is loaded again")
            self.load(self.source.table(*title.split(".", 1)))

    def checkpoint(self) -> Checkpoint:
        """Saves a checkpoint up to which everything is in the target."""
        pending = [writer.open.since for writer in self.writers.values() if writer.open]
        if pending:
            return min(pending, key=lambda checkpoint: checkpoint.position)
        sequence = self.sequence
        return Checkpoint(self.position, sequence.counter, sequence.instant, dict(self.loaded))

    def save(self, always: bool):
        if always or time.monotonic() - self.saved_at >= CHECKPOINTS:
            self.checkpoint().save(self.state)
            self.saved_at = time.monotonic()

    def is_done(self, reached: Position) -> bool:
        if not self.is_stopping:
            return False
        if self.end is None:
            self.end = self.source.position()
        return reached >= self.end
