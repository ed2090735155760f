"""The folder in which a task keeps its checkpoints and settings. One process at a time has it."""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import SettingsError

CHECKPOINTS = "checkpoints.json"


@contextmanager
def taken(folder: Path, source: str, target: str, is_restart: bool) -> Iterator[None]:
    """Takes the folder for a task. What is in it must be of this task, unless the task begins anew."""
    folder.mkdir(parents=True, exist_ok=True)
    task = {"source": source, "target": target}
    with (folder / "of").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SettingsError(
                f"{folder} is in use by a running task: stop it, or choose another --state"
            ) from None
        file.seek(0)
        kept = json.loads(file.read() or "{}")
        if (folder / CHECKPOINTS).exists() and kept != task and not is_restart:
            known = ", ".join(f"{name} {value}" for name, value in kept.items())
            raise SettingsError(
                f"{folder} belongs to another task ({known}): choose another --state, or begin anew "
                "in it with --restart"
            )
        file.truncate(0)
        file.write(json.dumps(task))
        file.flush()
        yield
