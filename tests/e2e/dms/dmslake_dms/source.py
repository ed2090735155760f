"""The database: its tables, their columns and rows."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pymysql
from pymysql.cursors import DictCursor, SSCursor

from .columns import Column, quoted
from .rules import Rules


@dataclass(frozen=True, order=True)
class Position:
    """A position in the binlog, after a whole transaction."""

    file: str
    offset: int


@dataclass(frozen=True)
class Table:
    """A source table as it is now."""

    schema: str
    name: str
    columns: tuple
    # Names of the key's columns.
    key: tuple
    # The number of columns that existed when the task started.
    settled: int

    @property
    def title(self) -> str:
        return f"{self.schema}.{self.name}"

    def after_ddl(self, newer: "Table") -> "Table":
        """The table as DMS continues with it: new columns are at the end, wherever the source has them."""
        by_name = {column.name: column for column in newer.columns}
        kept = [by_name[column.name] for column in self.columns if column.name in by_name]
        known = {column.name for column in kept}
        added = [column for column in newer.columns if column.name not in known]
        settled = sum(column.name in by_name for column in self.columns[: self.settled])
        return Table(self.schema, self.name, tuple(kept + added), newer.key, settled)


class Source:
    """Connections to one server, with the time zone UTC."""

    def __init__(self, settings: dict):
        # As `pymysql` takes them.
        self.settings = settings

    @contextmanager
    def connection(self, **options):
        connection = pymysql.connect(
            **self.settings, init_command="SET time_zone = '+00:00'", autocommit=True, **options
        )
        try:
            yield connection
        finally:
            connection.close()

    def position(self) -> Position:
        """The end of the binlog."""
        with self.connection() as connection, connection.cursor() as cursor:
            try:
                cursor.execute("SHOW BINARY LOG STATUS")
            except pymysql.err.ProgrammingError:
                cursor.execute("SHOW MASTER STATUS")
            file, offset = cursor.fetchone()[:2]
            return Position(file, int(offset))

    def tables(self, rules: Rules) -> list[Table]:
        """The tables that the selection rules include."""
        with self.connection(cursorclass=DictCursor) as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT TABLE_SCHEMA, TABLE_NAME FROM INFORMATION_SCHEMA.TABLES "
                "WHERE TABLE_TYPE = 'BASE TABLE' AND TABLE_SCHEMA NOT IN "
                "('mysql', 'information_schema', 'performance_schema', 'sys') ORDER BY 1, 2"
            )
            names = [tuple(row.values()) for row in cursor.fetchall()]
        return [self.table(*name) for name in names if rules.selects(*name)]

    def table(self, schema: str, name: str) -> Table:
        with self.connection(cursorclass=DictCursor) as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT * FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_SCHEMA = %s AND "
                "TABLE_NAME = %s ORDER BY ORDINAL_POSITION",
                (schema, name),
            )
            rows = cursor.fetchall()
        # DMS does not capture generated columns.
        stored = [row for row in rows if not row.get("GENERATION_EXPRESSION")]
        key = tuple(row["COLUMN_NAME"] for row in rows if row["COLUMN_KEY"] == "PRI")
        return Table(schema, name, tuple(Column.of(row) for row in stored), key, len(stored))

    def rows(self, table: Table, batch: int) -> Iterator[list[list]]:
        """The rows of a table in one consistent snapshot, in batches."""
        with self.connection(cursorclass=SSCursor, conv={}) as connection:
            with connection.cursor() as cursor:
                cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
                names = ", ".join(column.selected() for column in table.columns)
                order = ", ".join(quoted(name) for name in table.key)
                cursor.execute(
                    f"SELECT {names} FROM {quoted(table.schema)}.{quoted(table.name)}"
                    + (f" ORDER BY {order}" if order else "")
                )
                while found := cursor.fetchmany(batch):
                    yield [
                        [c.from_select(value) for c, value in zip(table.columns, row)] for row in found
                    ]
