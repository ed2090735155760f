"""The stand-in for DMS as a process."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

from draw import Settings
from waiting import wait_for

DMS = Path(__file__).parent / "dms"
# Seconds until a process must follow the log.
PATIENCE = 60


class StandIn:
    """The process, which can be started, killed and resumed."""

    def __init__(self, folder: Path, source: str, target: str, variables: dict, rules: list[dict],
                 settings: Settings, server_id: int = 4711):  # fmt: skip
        self.settings = settings
        self.state = folder / "dms-state"
        self.variables = variables
        self.log = folder / "dms.log"
        self.mappings = folder / "mappings.json"
        self.mappings.write_text(json.dumps({"rules": rules}))
        self.endpoint = folder / "endpoint.json"
        self.endpoint.write_text(json.dumps({"S3Settings": settings.s3}))
        self.task = folder / "task.json"
        self.task.write_text(json.dumps(settings.task))
        self.command = [
            sys.executable, "-B", str(DMS), source, target, "--state", str(self.state),
            "--table-mappings", str(self.mappings), "--endpoint-settings", str(self.endpoint),
            "--task-settings", str(self.task), "--server-id", str(server_id),
            *(part for name, value in settings.uncertain.items()
              for part in ("--uncertain", f"{name}={json.dumps(value)}")),
        ]  # fmt: skip
        self.has_header = settings.s3.get("AddColumnName", False)
        self.process = None
        # How often earlier processes began to follow the log.
        self.followed = 0

    def load(self):
        """The full load, without following the log."""
        self._start("--once")
        self.wait()

    def load_and_follow(self):
        """The full load, and then changes."""
        self._start()

    def load_again(self, *titles: str):
        """Asks the running task to load tables again."""
        # At once: the task must not find the file without its content.
        part = self.state / "reload.part"
        part.write_text("\n".join(titles))
        part.rename(self.state / "reload")

    def has_said(self, text: str) -> bool:
        return text in self.log.read_text(errors="replace")

    def follow(self, back: int = 0):
        """Changes from the newest checkpoint, or from an older one."""
        self._start("--back", str(back))

    def _start(self, *more: str):
        self.followed = self._follows()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.command, *more], env=self.variables, stdout=log, stderr=log
            )

    def kill(self):
        self.process.kill()
        self.process.wait()

    def _follows(self) -> int:
        said = self.log.read_text(errors="replace") if self.log.exists() else ""
        return said.count("follows the log")

    def is_following(self) -> bool:
        """Whether it follows the log, or has ended before."""
        return self._follows() > self.followed or self.process.poll() is not None

    def finish(self):
        """Lets it write the current content of the binlog, and stop."""
        # Earlier, it would not handle the signal yet.
        wait_for(self.is_following, PATIENCE, "a resume")
        self.process.send_signal(signal.SIGTERM)
        self.wait()

    def wait(self):
        if self.process.wait():
            tail = self.log.read_text(errors="replace")[-3000:]
            raise RuntimeError(f"the stand-in for DMS failed:\n{tail}")

    def objects(self) -> int:
        return len(re.findall(r"\d (?:change|row)s?$", self.log.read_text(), re.MULTILINE))


def rule(number: int, kind: str, action: str, **more) -> dict:
    return {
        "rule-type": kind, "rule-id": str(number), "rule-name": str(number),
        "rule-action": action, "object-locator": {"schema-name": "%", "table-name": "%"},
    } | more  # fmt: skip


def mappings(schemas: list[str], has_sequence: bool) -> list[dict]:
    """Selects whole schemas, and adds before images of keys and optionally a change sequence."""
    rules = [
        rule(at, "selection", "include", **{"object-locator": {"schema-name": s, "table-name": "%"}})
        for at, s in enumerate(schemas, 1)
    ]
    before = {"column-prefix": "BI_", "column-filter": "pk-only"}
    rules.append(rule(10, "transformation", "add-before-image-columns",
                      **{"rule-target": "table", "before-image-def": before}))  # fmt: skip
    if has_sequence:
        rules.append(rule(11, "transformation", "add-column", value="cdc_seq",
                          expression="$AR_H_CHANGE_SEQ", **{"rule-target": "column"}))  # fmt: skip
    return rules
