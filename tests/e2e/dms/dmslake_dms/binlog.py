"""Changes from the server's binlog: whole transactions, in commit order."""

import datetime
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pymysqlreplication import BinLogStreamReader
from pymysqlreplication.event import HeartbeatLogEvent, QueryEvent, RotateEvent, XidEvent
from pymysqlreplication.row_event import (
    DeleteRowsEvent,
    RowsEvent,
    UpdateRowsEvent,
    WriteRowsEvent,
)

from .errors import SettingsError
from .layout import Row
from .source import Position, Source, Table

# Seconds without an event after which the server sends a heartbeat.
HEARTBEAT = 0.2
NAME = r"(?:(?:`(?P<s1>[^`]+)`|(?P<s2>\w+))\s*\.\s*)?(?:`(?P<t1>[^`]+)`|(?P<t2>\w+))"
DDL = re.compile(
    r"^\s*(?:/\*.*?\*/\s*)*(?P<verb>ALTER|TRUNCATE|RENAME|DROP|CREATE)\b"
    r"(?:\s+(?:ONLINE|IGNORE|OR\s+REPLACE))*(?:\s+TABLE\b)?(?:\s+IF\s+(?:NOT\s+)?EXISTS)?\s+" + NAME,
    re.IGNORECASE | re.DOTALL,
)

# Not rows, because its session began before `binlog_format` was ROW, or has set it.
STATEMENT = re.compile(
    r"^\s*(?:/\*.*?\*/\s*)*(?:INSERT|REPLACE|UPDATE|DELETE|LOAD\s+DATA)\b(?:.*?\b(?:INTO|FROM))?"
    r"(?:\s+(?:LOW_PRIORITY|QUICK|IGNORE|TABLE))*\s+" + NAME,
    re.IGNORECASE | re.DOTALL,
)


def _time(event: RowsEvent, column) -> datetime.timedelta:
    """Decodes a TIME in the log: sign, hours, minutes, seconds and fraction as one number, in
    complement form if negative. The library (1.0.17) complements only the upper part, so negative
    times with a fraction would be wrong."""
    fraction_bytes = (column.fsp + 1) // 2
    bits = 8 * fraction_bytes
    number = int.from_bytes(event.packet.read(3 + fraction_bytes), "big") - (0x800000 << bits)
    whole, fraction = abs(number) >> bits, abs(number) & ((1 << bits) - 1)
    time = datetime.timedelta(
        hours=whole >> 12 & 0x3FF,
        minutes=whole >> 6 & 0x3F,
        seconds=whole & 0x3F,
        microseconds=fraction * 10 ** (6 - 2 * fraction_bytes),
    )
    return time if number >= 0 else -time


RowsEvent._RowsEvent__read_time2 = _time


@dataclass
class Transaction:
    """The changes of one commit in the watched tables."""

    # The position after it.
    position: Position
    changes: list[tuple[Table, Row]]


@dataclass
class Definition:
    """A statement that changes a table's definition."""

    position: Position
    verb: str
    schema: str
    table: str


@dataclass
class Idle:
    """The log has no more events at the moment."""

    position: Position


Event = Transaction | Definition | Idle


def events(
    source: Source,
    start: Position,
    server_id: int,
    watched: Callable[[str, str], Table | None],
) -> Iterator[Event]:
    """Reads from a position on, endlessly. `watched` returns a table as of this position in the
    log, or None to skip its changes."""
    stream = BinLogStreamReader(
        dict(source.settings),
        server_id=server_id,
        blocking=True,
        resume_stream=True,
        log_file=start.file,
        log_pos=start.offset,
        slave_heartbeat=HEARTBEAT,
        only_events=[
            DeleteRowsEvent, HeartbeatLogEvent, QueryEvent, RotateEvent, UpdateRowsEvent,
            WriteRowsEvent, XidEvent,
        ],
        enable_logging=False,
    )  # fmt: skip
    changes: list[tuple[Table, Row]] = []
    try:
        for event in stream:
            if isinstance(event, HeartbeatLogEvent):
                yield Idle(Position(stream.log_file, stream.log_pos))
            elif isinstance(event, RotateEvent):
                continue
            elif isinstance(event, QueryEvent):
                statement = event.query
                if statement.strip().upper() == "COMMIT":
                    yield _committed(stream, event, changes)
                    changes = []
                elif found := DDL.match(statement):
                    yield _definition(stream, event, found)
                elif (found := STATEMENT.match(statement)) and watched(*_named(event, found)):
                    raise SettingsError(
                        "the log has a statement instead of rows for "
                        f"{'.'.join(_named(event, found))}: its session does not use "
                        "binlog_format = ROW. Let it connect again, and load everything with --restart"
                    )
            elif isinstance(event, XidEvent):
                yield _committed(stream, event, changes)
                changes = []
            elif table := watched(event.schema, event.table):
                changes += ((table, row) for row in _rows(event, table))
    finally:
        stream.close()


def _committed(stream, event, changes) -> Transaction:
    committed = datetime.datetime.fromtimestamp(event.timestamp, datetime.UTC)
    for _, row in changes:
        row.timestamp = committed.replace(tzinfo=None)
    return Transaction(Position(stream.log_file, stream.log_pos), changes)


def _definition(stream, event, found) -> Definition:
    position = Position(stream.log_file, stream.log_pos)
    return Definition(position, found["verb"].upper(), *_named(event, found))


def _named(event, found) -> tuple[str, str]:
    """Schema and table that a statement names."""
    schema = found["s1"] or found["s2"] or _text(event.schema)
    return schema, found["t1"] or found["t2"]


def _rows(event, table: Table) -> Iterator[Row]:
    def values(row, which, none_sources):
        found, sources = row[which], row[none_sources]
        return {
            column.name: column.from_binlog(found[column.name], sources.get(column.name, "null"))
            for column in table.columns
            if column.name in found
        }

    for row in event.rows:
        if isinstance(event, UpdateRowsEvent):
            before = values(row, "before_values", "before_none_sources")
            after = values(row, "after_values", "after_none_sources")
            yield Row("U", None, after, before)
        else:
            op = "I" if isinstance(event, WriteRowsEvent) else "D"
            yield Row(op, None, values(row, "values", "none_sources"))


def _text(value) -> str:
    return value.decode() if isinstance(value, bytes) else value
