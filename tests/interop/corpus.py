"""The tables that the random tests kept, and the model's rows that must be read from them."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote

from pyarrow.parquet import read_metadata


@dataclass(frozen=True)
class Table:
    """One table of the corpus; see tests/differential/corpus.rs for the format of its files."""

    folder: Path
    expected: dict

    @property
    def name(self) -> str:
        return f"{self.folder.name} ({self.expected['origin']})"

    @property
    def root(self) -> Path:
        return self.folder / self.expected["table"]

    @property
    def keys(self) -> list[str]:
        return self.expected["keys"]

    @property
    def version(self) -> int:
        """The newest version."""
        return self.expected["version"]

    @property
    def merges(self) -> list[dict]:
        """The counts of each merge, and the number of columns at that time."""
        return self.expected["merges"]

    def columns(self, version: int) -> list[tuple[str, str]]:
        """Names and Delta types, in the table's order; columns added later are at the end."""
        columns = [(column["name"], column["type"]) for column in self.expected["columns"]]
        standing = {merge["version"]: merge["columns"] for merge in self.merges}
        return columns[: standing.get(version)]

    def rows(self, version: int) -> list[list[str | None]]:
        """The model's rows after a merge, or in the newest version."""
        path = self.folder / f"rows-{version}.jsonl"
        with path.open(encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]

    def of(self, kind: str) -> list[dict]:
        """The actions of this kind in the whole log."""
        return [action[kind] for action in self.actions if kind in action]

    @cached_property
    def actions(self) -> list[dict]:
        """All actions of the log."""
        commits = sorted((self.root / "_delta_log").glob("*.json"))
        return [action for path in commits for action in self.commit(int(path.stem))]

    def commit(self, version: int) -> list[dict]:
        """The actions of one commit."""
        path = self.root / "_delta_log" / f"{version:020}.json"
        return [json.loads(line) for line in path.read_text(encoding="utf-8").strip().split("\n")]

    @cached_property
    def footers(self) -> list:
        """The Parquet footers of the data files of all versions."""
        paths = {unquote(add["path"]) for add in self.of("add")}
        return [read_metadata(self.root / path) for path in sorted(paths)]

    @cached_property
    def has_int96(self) -> bool:
        """Whether a data file contains INT96 timestamps."""
        return any(
            footer.schema.column(at).physical_type == "INT96"
            for footer in self.footers
            for at in range(footer.num_columns)
        )


def load(folder: Path) -> list[Table]:
    """All tables of a corpus, by number."""
    found = sorted(folder.glob("*/expected.json"))
    return [Table(path.parent, json.loads(path.read_text(encoding="utf-8"))) for path in found]
