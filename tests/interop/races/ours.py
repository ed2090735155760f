"""Our side of a race: the command line, or a process that pauses before each commit."""

import json
import os
import subprocess
import time

PATIENCE = 300


def apply(shop) -> dict:
    """`dmslake apply`, and its report."""
    command = [os.environ["DMSLAKE_BINARY"], "apply", "--json", "--config", "dmslake.toml"]
    ran = subprocess.run(command, cwd=shop.folder, capture_output=True, text=True)
    if ran.returncode != 0:
        raise AssertionError(f"apply exited with {ran.returncode}:\n{ran.stdout}{ran.stderr}")
    return json.loads(ran.stdout.splitlines()[0])


class Held:
    """`interop::worker` of the test binary; see tests/interop.rs."""

    def __init__(self, shop):
        self.folder = shop.folder
        worker = ["interop::worker", "--exact", "--ignored", "--nocapture"]
        self.process = subprocess.Popen(
            [os.environ["DMSLAKE_TEST_BINARY"], *worker],
            env=os.environ | {"DMSLAKE_INTEROP_FOLDER": str(self.folder)},
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / "worker.log").open("w"),
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def at(self, attempt: int) -> int:
        """Waits until an attempt is about to commit; returns its version."""
        return int(self.said(f"at-{attempt}").removesuffix(".json"))

    def go(self, attempt: int):
        """Lets it commit."""
        (self.folder / f"go-{attempt}").touch()

    def report(self) -> dict:
        """Waits for the end."""
        return json.loads(self.said("report.json"))

    def said(self, name: str) -> str:
        path, end = self.folder / name, time.monotonic() + PATIENCE
        while not path.exists():
            if time.monotonic() > end or self.process.poll() not in (None, 0):
                log = (self.folder / "worker.log").read_text()
                raise AssertionError(f"our side does not reach {name}:\n{log}")
            time.sleep(0.005)
        return path.read_text()
