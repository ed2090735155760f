"""The columns of an object, and their order."""

import datetime
from dataclasses import dataclass, field

from .columns import Column
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
    # `op`, `timestamp`, `sequence`, `value` or `before`.
    role: str
    column: Column | None = None

    def of(self, row: Row):
        if self.role == "value":
            return row.values.get(self.column.name)
        if self.role == "before":
            return row.before.get(self.column.name)
        return getattr(row, self.role)


def fields(table: Table, settings: Settings, is_load: bool) -> list[Field]:
    """The current columns of the table's objects, for full load or changes."""
    s3 = settings.s3
    found = []
    if _has_op(settings, is_load):
        found.append(Field("Op", "op"))
    if s3.TimestampColumnName:
        found.append(Field(s3.TimestampColumnName, "timestamp"))
    of_table = [Field(column.name, "value", column) for column in table.columns]
    if settings.uncertain.added_behind_rules:
        settled, late = of_table[: table.settled], of_table[table.settled :]
    else:
        settled, late = of_table, []
    return found + settled + _of_rules(table, settings) + late


def _has_op(settings: Settings, is_load: bool) -> bool:
    s3 = settings.s3
    if is_load:
        return s3.IncludeOpForFullLoad
    if s3.CdcInsertsOnly:
        return False
    return not s3.CdcInsertsAndUpdates or settings.uncertain.op_with_inserts_and_updates


def _of_rules(table: Table, settings: Settings) -> list[Field]:
    rules = settings.rules
    found = []
    for added in rules.added:
        if added == "sequence":
            found.append(Field(rules.change_sequence, "sequence"))
            continue
        for column in table.columns:
            is_wanted = not rules.before_image_keys_only or column.name in table.key
            if is_wanted and column.data_type not in LOBS:
                name = rules.before_image_prefix + column.name
                found.append(Field(name, "before", column))
    return found
