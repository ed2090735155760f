"""The columns of an object, and their order."""

import datetime
from dataclasses import dataclass, field

from .columns import Column
from .rules import BeforeImages, Constant, Sequence
from .settings import Settings
from .source import Table

# Types for which rules cannot add before images.
LOBS = {"mediumtext", "longtext", "json", "mediumblob", "longblob", "geometry"}


@dataclass(slots=True)
class Row:
    """A copied row or a change."""

    # `I`, `U` or `D`.
    op: str
    # The time of the commit or of the copy.
    timestamp: datetime.datetime
    # By column.
    values: dict
    # The values before an update.
    before: dict = field(default_factory=dict)
    # Empty in a full load.
    sequence: str = ""


@dataclass(frozen=True)
class Field:
    """A column of an object."""

    name: str
    # `op`, `timestamp`, `sequence`, `value`, `before` or `constant`.
    role: str
    column: Column | None = None
    constant: str | int | None = None

    def of(self, row: Row):
        if self.role == "value":
            return row.values.get(self.column.name)
        if self.role == "before":
            return row.before.get(self.column.name)
        if self.role == "constant":
            return self.constant
        return getattr(row, self.role)


def fields(table: Table, settings: Settings, is_load: bool) -> list[Field]:
    """The current columns of the table's objects, for full load or changes."""
    found = [Field("Op", "op")] if _has_op(settings, is_load) else []
    found += _heads(table, settings, is_load)
    of_table = [Field(column.name, "value", column) for column in table.columns]
    if settings.uncertain.added_behind_rules:
        settled, late = of_table[: table.settled], of_table[table.settled :]
    else:
        settled, late = of_table, []
    return found + settled + _of_rules(table, settings) + late


def _heads(table: Table, settings: Settings, is_load: bool) -> list[Field]:
    """What is between the operation and the table's columns."""
    name = settings.s3.TimestampColumnName
    timestamps = [Field(name, "timestamp")] if name else []
    if is_load or not settings.s3.PreserveTransactions:
        return timestamps
    schema, table_name = settings.rules.renamed(table.schema, table.name)
    names = [_constant("table_name", table_name), _constant("schema_name", schema)]
    is_first = settings.uncertain.timestamp_before_names
    return timestamps + names if is_first else names + timestamps


def _constant(name: str, value, column_type: str = "varchar") -> Field:
    return Field(name, "constant", Column.added(name, column_type), value)


def _has_op(settings: Settings, is_load: bool) -> bool:
    s3 = settings.s3
    if is_load:
        return s3.IncludeOpForFullLoad
    if s3.CdcInsertsOnly:
        return False
    return not s3.CdcInsertsAndUpdates or settings.uncertain.op_with_inserts_and_updates


def _of_rules(table: Table, settings: Settings) -> list[Field]:
    found = []
    for rule in settings.rules.of(table.schema, table.name):
        match rule:
            case Sequence(name):
                found.append(Field(name, "sequence"))
            case Constant(name, column_type):
                found.append(_constant(name, rule.of(table), column_type))
            case BeforeImages(prefix, suffix, keys_only):
                found += (
                    Field(prefix + column.name + suffix, "before", column)
                    for column in table.columns
                    if (column.name in table.key or not keys_only) and column.data_type not in LOBS
                )
    return found
