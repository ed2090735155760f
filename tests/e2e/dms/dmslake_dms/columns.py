"""Columns of the source: DMS's mapping of MySQL types, and values from a SELECT or the binlog in a
common form."""

import datetime
import re
from dataclasses import dataclass
from decimal import Decimal

import pyarrow as pa

from .errors import SettingsError
from .settings import Settings

# A date with a zero part; neither Arrow nor a lake can represent it.
ZERO = object()
# The log does not contain the value.
NOT_SUPPLIED = object()

INTEGERS = {
    "tinyint": (pa.int8(), pa.uint8()),
    "smallint": (pa.int16(), pa.uint16()),
    "mediumint": (pa.int32(), pa.uint32()),
    "int": (pa.int32(), pa.uint32()),
    "bigint": (pa.int64(), pa.uint64()),
}
TEXTS = {"char", "varchar", "tinytext", "text", "mediumtext", "longtext", "json", "enum"}
# Only in MariaDB; DMS does not list them, so they are written as text.
TEXTS |= {"uuid", "inet4", "inet6"}
BINARIES = {"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"}
SPATIAL = {
    "geometry", "point", "linestring", "polygon", "multipoint", "multilinestring",
    "multipolygon", "geometrycollection",
}  # fmt: skip
WIDEST_DECIMAL = 38


@dataclass(frozen=True)
class Column:
    """A column of a source table, from INFORMATION_SCHEMA."""

    name: str
    # `decimal`, `varchar`, …
    data_type: str
    # `decimal(12,2)`, `enum('a','b')`, …
    column_type: str
    precision: int
    scale: int
    # Fractional digits of seconds.
    fraction: int
    length: int

    @staticmethod
    def of(row: dict) -> "Column":
        column_type = row["COLUMN_TYPE"]
        data_type = row["DATA_TYPE"].lower()
        precision = int(row["NUMERIC_PRECISION"] or 0)
        return Column(
            row["COLUMN_NAME"],
            data_type,
            column_type,
            precision,
            int(row["NUMERIC_SCALE"] or 0),
            int(row["DATETIME_PRECISION"] or 0),
            int(row["CHARACTER_MAXIMUM_LENGTH"] or 0),
        )

    @staticmethod
    def added(name: str, column_type: str) -> "Column":
        """A column that is not at the source, but written like one of this type."""
        return Column(name, column_type.split()[0], column_type, 0, 0, 0, 0)

    @property
    def is_unsigned(self) -> bool:
        return "unsigned" in self.column_type.lower()

    @property
    def is_binary(self) -> bool:
        is_bits = self.data_type == "bit" and self.precision == 64
        return self.data_type in BINARIES or self.data_type in SPATIAL or is_bits

    def selected(self) -> str:
        """The column in a SELECT list, without loss of precision."""
        name = quoted(self.name)
        # A FLOAT is shown with only six digits.
        return f"({name} + 0E0)" if self.data_type == "float" else name

    def arrow(self, settings: Settings) -> pa.DataType:
        """The type in Parquet."""
        unsure = settings.uncertain
        kind = self.data_type
        if kind in INTEGERS:
            return INTEGERS[kind][self.is_unsigned]
        if kind == "decimal":
            if self.precision > WIDEST_DECIMAL:
                return pa.string()
            return pa.decimal128(self.precision, self.scale)
        if kind == "float" and unsure.single_floats:
            return pa.float32()
        if kind in ("float", "double"):
            return pa.float64()
        if kind == "bit" and self.precision == 1:
            return pa.bool_()
        if kind == "bit" and self.precision < 64:
            return pa.int64()
        if kind == "year":
            return pa.int16()
        if kind == "date":
            return pa.date32()
        if kind in ("datetime", "timestamp"):
            return pa.timestamp("ms" if settings.s3.ParquetTimestampInMillisecond else "us", "UTC")
        if kind in TEXTS or kind in ("time", "set"):
            return pa.string()
        if self.is_binary:
            return pa.string() if unsure.hex_in_parquet else pa.binary()
        raise SettingsError(f"column {self.name}: {self.column_type} is not supported by DMS")

    # Values. One form: int, Decimal, float, bool, str, bytes, date, datetime, None or ZERO.

    def from_select(self, value):
        """A value of a SELECT without conversion by the driver: text, or bytes if binary."""
        if value is None:
            return None
        kind = self.data_type
        if kind == "bit":
            return self._bits(value, int.from_bytes(value, "big"))
        if self.is_binary:
            return value if isinstance(value, bytes) else value.encode()
        if isinstance(value, bytes):
            value = value.decode()
        if kind in INTEGERS or kind == "year":
            return int(value)
        if kind == "decimal":
            return Decimal(value)
        if kind in ("float", "double"):
            return float(value)
        if kind == "date":
            return _parsed(value, datetime.date.fromisoformat)
        if kind in ("datetime", "timestamp"):
            return _parsed(value, datetime.datetime.fromisoformat)
        return value

    def from_binlog(self, value, none_source):
        """A value as `mysql-replication` returns it; distinguishes the reasons for a missing value."""
        kind = self.data_type
        if value is None:
            if none_source == "empty set":
                return ""
            if none_source.startswith("out of"):
                return ZERO
            return NOT_SUPPLIED if none_source == "cols bitmap" else None
        if kind == "bit":
            number = int(value, 2)
            return self._bits(number.to_bytes(8, "big"), number)
        if kind == "year":
            # The library adds 1900 even to the year 0.
            return 0 if value == 1900 else value
        if kind == "set":
            return ",".join(label for label in self._labels() if label in value)
        if kind == "time":
            return self._time(value)
        if kind == "binary":
            # The log omits trailing zeros.
            return _bytes(value).ljust(self.length, b"\0")
        if self.is_binary:
            return _bytes(value)
        return value.decode() if isinstance(value, bytes) else value

    def _bits(self, as_bytes: bytes, number: int):
        if self.precision == 1:
            return bool(number)
        return as_bytes if self.precision == 64 else number

    def _labels(self) -> list[str]:
        quoted = re.findall(r"'((?:[^']|'')*)'", self.column_type)
        return [label.replace("''", "'") for label in quoted]

    def _time(self, value: datetime.timedelta) -> str:
        """The text as MySQL shows it."""
        whole = abs(value)
        seconds, micros = whole.days * 86_400 + whole.seconds, whole.microseconds
        text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        if self.fraction:
            text += f".{micros:06}"[: self.fraction + 1]
        return f"-{text}" if value < datetime.timedelta(0) else text

    def to_csv(self, value, settings: Settings) -> str:
        """The text of a value that is not NULL."""
        unsure = settings.uncertain
        kind = self.data_type
        if value is ZERO:
            return "0000-00-00" if kind == "date" else "0000-00-00 00:00:00.000000"
        if kind in ("datetime", "timestamp"):
            digits = 6 if unsure.all_fraction_digits else self.fraction
            text = value.strftime("%Y-%m-%d %H:%M:%S").rjust(19, "0")
            return f"{text}.{value.microsecond:06}"[: 20 + digits] if digits else text
        if kind == "date":
            return value.isoformat()
        if kind == "decimal":
            return format(value, "f")
        if isinstance(value, bool):
            return unsure.booleans.split("/")[value]
        if isinstance(value, bytes):
            return _hex(value, settings)
        return value if isinstance(value, str) else repr(value)

    def to_arrow(self, value, settings: Settings):
        """The value as `pyarrow` expects it for the column's type."""
        if value is ZERO or value is NOT_SUPPLIED:
            return None
        if isinstance(value, bytes) and settings.uncertain.hex_in_parquet:
            return _hex(value, settings)
        if isinstance(value, Decimal) and self.precision > WIDEST_DECIMAL:
            return format(value, "f")
        return value


def quoted(name: str) -> str:
    """A name quoted for SQL."""
    return "`" + name.replace("`", "``") + "`"


def _hex(value: bytes, settings: Settings) -> str:
    return value.hex().upper() if settings.uncertain.upper_hex else value.hex()


def _parsed(text: str, parse):
    try:
        return parse(text)
    except ValueError:
        return ZERO


def _bytes(value) -> bytes:
    return value if isinstance(value, bytes) else value.encode()
