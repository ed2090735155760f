"""The progress of the task, stored in a file."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from .source import Position

# The number of checkpoints kept: a resume may go back behind the newest.
KEPT = 50


@dataclass(frozen=True)
class Checkpoint:
    """Everything before its position is in the target."""

    position: Position
    # The state of change sequences at that position.
    counter: int
    instant: str
    # By table: the log position up to which changes are in its full load.
    loaded: dict

    @staticmethod
    def read(path: Path, back: int) -> "Checkpoint | None":
        """The newest checkpoint, or the one `back` before it; None without a file. Newer ones are
        dropped: a task that goes back and stops before reaching them again must not skip the
        changes in between."""
        if not path.exists():
            return None
        kept = json.loads(path.read_text())
        kept = kept[: max(1, len(kept) - back)]
        _write(path, kept)
        one = kept[-1]
        loaded = {table: Position(**position) for table, position in one["loaded"].items()}
        return Checkpoint(Position(**one["position"]), one["counter"], one["instant"], loaded)

    def save(self, path: Path):
        kept = json.loads(path.read_text()) if path.exists() else []
        one = asdict(self)
        if kept and kept[-1] == one:
            return
        _write(path, (kept + [one])[-KEPT:])


def _write(path: Path, kept: list[dict]):
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(kept))
    os.replace(part, path)
