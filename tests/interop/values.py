"""Values of an Arrow column as the texts of the corpus."""

import re
import struct

import pyarrow as pa

DECIMAL = re.compile(r"decimal\((\d+),(\d+)\)")

ARROW = {
    "byte": pa.int8(),
    "short": pa.int16(),
    "integer": pa.int32(),
    "long": pa.int64(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", "UTC"),
    "string": pa.string(),
    "binary": pa.binary(),
}


def arrow_type(delta_type: str) -> pa.DataType:
    """The Arrow type for a Delta type."""
    if decimal := DECIMAL.fullmatch(delta_type):
        return pa.decimal128(int(decimal[1]), int(decimal[2]))
    return ARROW[delta_type]


def texts(column: pa.ChunkedArray, delta_type: str) -> list[str | None]:
    """The column's values as texts.

    Raises TypeError if the reader returned the column with another type.
    """
    expected = arrow_type(delta_type)
    # Large types, view types and milliseconds represent the same Delta type.
    if column.type != expected:
        if delta_type not in ("string", "binary", "timestamp"):
            raise TypeError(f"{delta_type} is read as {column.type}")
        column = column.cast(expected)
    if delta_type in ("date", "timestamp"):
        column = column.cast(pa.int32() if delta_type == "date" else pa.int64())
    return [None if value is None else text(value, delta_type) for value in column.to_pylist()]


def text(value, delta_type: str) -> str:
    if delta_type == "double":
        return struct.pack(">d", value).hex().upper()
    if delta_type == "binary":
        return value.hex().upper()
    if delta_type == "boolean":
        return "true" if value else "false"
    if delta_type.startswith("decimal"):
        return format(value, "f")
    return str(value)
