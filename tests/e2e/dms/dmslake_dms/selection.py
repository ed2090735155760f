"""Which tables a task has."""

from . import names
from .errors import SettingsError
from .settings import Settings
from .source import Source, Table


def tables_of(source: Source, settings: Settings, log) -> list[Table]:
    """The tables of a task. Refuses what DMS refuses."""
    tables = source.tables(settings.rules)
    if not tables:
        raise SettingsError(
            "no table is selected: the schema has none, its name differs (letter case matters), "
            "or the user may not see them"
        )
    by_folder: dict[str, Table] = {}
    for table in tables:
        folder = names.folder(table, settings)
        other = by_folder.setdefault(folder, table)
        if other is not table:
            raise SettingsError(
                f"rules give {other.title} and {table.title} the same folder, {folder}: let "
                "another task, with another target, take one of them"
            )
        if not table.key:
            log(f"{table.title}: has no primary key, so it can only be appended to")
    return tables
