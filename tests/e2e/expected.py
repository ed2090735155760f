"""The rows of the source as texts, produced by the server itself. The readers' rows, as texts of
tests/interop/values.py, must equal them. This code is independent of the stand-in for DMS."""

import struct
from dataclasses import dataclass

from pymysql.cursors import DictCursor, SSCursor

# By Delta type: an SQL expression for a column, and a function for its text.
SHOWN = {
    "timestamp": "TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', {})",
    # Days as Delta counts them; none for a zero date.
    "date": "DATEDIFF({}, '1970-01-01')",
    "binary": "HEX({})",
    "double": "({} + 0E0)",
    "boolean": "({} + 0)",
}
INTEGERS = {
    "tinyint": ("byte", "short"),
    "smallint": ("short", "integer"),
    "mediumint": ("integer", "integer"),
    "int": ("integer", "long"),
    "bigint": ("long", "decimal(20,0)"),
    "year": ("short", "short"),
}
BINARY = {"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "geometry", "point"}


@dataclass(frozen=True)
class Column:
    name: str
    delta_type: str
    expression: str


def columns(database, schema: str, table: str) -> list[Column]:
    """The columns of a table, with the types that they must have in the lake."""
    with database.connection(cursorclass=DictCursor) as connection:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT * FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_SCHEMA = %s AND "
                "TABLE_NAME = %s ORDER BY ORDINAL_POSITION",
                (schema, table),
            )
            found = cursor.fetchall()
    return [_column(row) for row in found]


def _column(row: dict) -> Column:
    name = f"`{row['COLUMN_NAME']}`"
    delta_type = _delta_type(row)
    if row["DATA_TYPE"] == "bit" and delta_type == "binary":
        shown = f"LPAD(HEX({name}), 16, '0')"
    elif row["DATA_TYPE"] in ("bit", "year"):
        shown = f"({name} + 0)"
    elif row["DATA_TYPE"] == "time":
        # Without zeros at the end of a fraction, whichever digits the column has.
        trimmed = f"TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM {name}))"
        shown = f"IF(LOCATE('.', {name}), {trimmed}, {name})"
    else:
        shown = SHOWN.get(delta_type, "{}").format(name)
    return Column(row["COLUMN_NAME"], delta_type, shown)


def _delta_type(row: dict) -> str:
    kind, column_type = row["DATA_TYPE"], row["COLUMN_TYPE"]
    precision, scale = row["NUMERIC_PRECISION"], row["NUMERIC_SCALE"]
    if kind in INTEGERS:
        return INTEGERS[kind]["unsigned" in column_type]
    if kind == "decimal":
        return f"decimal({precision},{scale})" if precision <= 38 else "string"
    if kind in ("float", "double"):
        return "double"
    if kind == "bit":
        return "boolean" if precision == 1 else "binary" if precision == 64 else "long"
    if kind == "date":
        return "date"
    if kind in ("datetime", "timestamp"):
        return "timestamp"
    return "binary" if kind in BINARY else "string"


def rows(database, schema: str, table: str, of: list[Column]):
    """The rows, ordered by their first column."""
    shown = ", ".join(column.expression for column in of)
    with database.connection(cursorclass=SSCursor, conv={}) as connection:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {shown} FROM `{schema}`.`{table}` ORDER BY `{of[0].name}`")
            while found := cursor.fetchmany(10_000):
                for row in found:
                    yield tuple(map(_text, row, of))


def _text(value, column: Column) -> str | None:
    if value is None:
        return None
    text = value.decode() if isinstance(value, bytes) else value
    if column.delta_type == "double":
        return struct.pack(">d", float(text)).hex().upper()
    if column.delta_type == "boolean":
        return "true" if int(text) else "false"
    return text
