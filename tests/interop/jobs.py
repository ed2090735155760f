"""Applies a table by tasks of a real Spark, as infra/glue/apply_table.py has it: once undisturbed, then
while tasks, the driver and the JVM are killed and `dmslake apply` runs in between. The rows must be
those of the source, and no change may be counted twice."""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from readers.duckdb import DuckDb

SCRIPT = Path(__file__).parents[2] / "infra" / "glue" / "apply_table.py"
SIZES = ["--least-bytes", "0", "--chunk-bytes", "20000", "--range-rows", "4000", "--round-bytes", "200000"]
# In the place of the program: some of its tasks are killed, while they work or when they are done.
UNRELIABLE = """#!{python}
import os, random, subprocess, sys, time

command = [{dmslake!r}, *sys.argv[1:]]
if sys.argv[1:3] != ["job", "task"] or random.random() > 0.2:
    os.execv(command[0], command)
with open({tally!r}, "a") as tally:
    tally.write("x")
task = subprocess.Popen(command, stdout=subprocess.DEVNULL)
if random.random() < 0.5:
    time.sleep(random.random() * 0.1)
    task.kill()
task.wait()
sys.exit(137)
"""
CONFIGURATION = """
staging = "{staging}"
lake = "{lake}"

[[table]]
source = "shop.t"
keys = ["id"]
merge = "{mode}"
columns = [{{ name = "id", type = "int" }}, {{ name = "v", type = "varchar(40)" }}]
"""


class Source:
    """A table at its source, and what DMS stages of it."""

    def __init__(self, folder: Path, mode: str, dice: random.Random):
        self.folder, self.dice, self.rows, self.objects, self.changes = folder, dice, {}, 0, 0
        self.staging = folder / "staging" / "shop" / "t"
        self.staging.mkdir(parents=True)
        self.config = folder / "dmslake.toml"
        self.config.write_text(CONFIGURATION.format(staging=folder / "staging", lake=folder / "lake", mode=mode))

    def unreliable(self, dmslake: Path) -> Path:
        """The program as it is while machines fail."""
        script = self.folder / "unreliable"
        tally = self.folder / "killed"
        tally.write_text("")
        script.write_text(UNRELIABLE.format(python=sys.executable, dmslake=str(dmslake), tally=str(tally)))
        script.chmod(0o755)
        return script

    def load(self, rows: int, objects: int) -> None:
        ids = list(range(rows))
        for number in range(objects):
            part = ids[number::objects]
            self.rows |= {key: f"loaded {key}" for key in part}
            text = "".join(f"{key},{self.rows[key]}\n" for key in part)
            (self.staging / f"LOAD{number + 1:08X}.csv").write_text(text)

    def change(self, changes: int) -> None:
        lines = []
        for _ in range(changes):
            key = self.dice.randrange(len(self.rows) * 2 + 10)
            self.changes += 1
            if key in self.rows and self.dice.random() < 0.3:
                del self.rows[key]
                lines.append(f"D,{key},x\n")
                continue
            lines.append(f"{'U' if key in self.rows else 'I'},{key},changed {self.changes}\n")
            self.rows[key] = f"changed {self.changes}"
        self.objects += 1
        (self.staging / f"20240101-{self.objects:09}.csv").write_text("".join(lines))

    def difference(self) -> str | None:
        found = DuckDb().connection.execute(
            f"SELECT id, v FROM delta_scan('{self.folder}/lake/shop/t')"
        ).fetchall()
        if len(found) != len(self.rows):
            return f"{len(found)} rows, the source has {len(self.rows)}"
        return None if dict(found) == self.rows else "other rows than the source"

    def counted(self) -> int:
        """Changes that the records of all commits count."""
        logs = sorted((self.folder / "lake" / "shop" / "t" / "_delta_log").glob("*.json"))
        records = (json.loads(log.read_text().splitlines()[0])["commitInfo"]["dmslake"] for log in logs)
        return sum(record["books"].get("rows", 0) for record in records)


def submit(python: str, dmslake: Path, source: Source) -> subprocess.Popen:
    environment = {**os.environ, "PYSPARK_PYTHON": python, "PYSPARK_DRIVER_PYTHON": python}
    environment["PYSPARK_SUBMIT_ARGS"] = "--master local-cluster[2,1,1024] --conf spark.ui.enabled=false pyspark-shell"
    command = [python, str(SCRIPT), "--binary", str(dmslake), "--config", str(source.config), *SIZES]
    log = open(source.folder / "job.log", "a")
    return subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)


def processes_of(group: int, words: str) -> list[int]:
    """The processes of a job whose command line has these words."""
    found = subprocess.run(["pgrep", "-f", "--", words], capture_output=True, text=True, check=False).stdout.split()
    return [int(pid) for pid in found if session_of(int(pid)) == group]


def session_of(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None


def end(job: subprocess.Popen) -> None:
    """Ends all that is left of a job, as a machine that goes away does."""
    for pid in [*processes_of(job.pid, "java"), *processes_of(job.pid, "python"), *processes_of(job.pid, "dmslake")]:
        kill(pid)
    job.wait()


def kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def undisturbed(python: str, dmslake: Path, source: Source) -> list[str]:
    source.load(40_000, 8)
    for _ in range(12):
        source.change(2_000)
    job = submit(python, dmslake, source)
    code = job.wait(600)
    log = (source.folder / "job.log").read_text()
    stages = {line.split(":")[0] for line in log.splitlines() if " tasks, " in line}
    if code != 0 or not {"net", "reduce", "files", "insert"} <= stages:
        return [f"the job ended with {code} after the stages {sorted(stages)}: {log[-2000:]}"]
    return faults_of(source)


def disturbed(python: str, dmslake: Path, source: Source, seconds: float) -> list[str]:
    source.load(20_000, 4)
    unreliable = source.unreliable(dmslake)
    killed = {"driver": 0, "java": 0, "apply": 0}
    until = time.monotonic() + seconds

    def tasks_killed() -> int:
        return len((source.folder / "killed").read_text())

    def goes_on() -> bool:
        was_struck = tasks_killed() and killed["driver"] + killed["java"]
        return time.monotonic() < until + (0 if was_struck else 6 * seconds)

    while goes_on():
        for _ in range(source.dice.randrange(4, 16)):
            source.change(1_500)
        log = source.folder / "job.log"
        stages = log.read_text().count(" tasks, ") if log.exists() else 0
        job = submit(python, unreliable, source)
        is_fatal = not killed["driver"] + killed["java"] or source.dice.random() < 0.7
        fatal_after = stages + source.dice.randrange(6)
        ends_at = time.monotonic() + 120
        while job.poll() is None and time.monotonic() < ends_at:
            time.sleep(source.dice.uniform(0.02, 0.3))
            if source.dice.random() < 0.01:
                # Its driver does not know that the claim is gone, and goes on.
                cancel(dmslake, source)
                applied = subprocess.run([dmslake, "apply", "-c", source.config], capture_output=True, check=False)
                killed["apply"] += applied.returncode == 0
            if is_fatal and log.read_text().count(" tasks, ") > fatal_after:
                name, words = source.dice.choice([("driver", "job drive"), ("java", "java")])
                killed[name] += sum(kill(pid) for pid in processes_of(job.pid, words))
                is_fatal = name == "driver"
        end(job)
        # What was killed has claimed the table, for minutes.
        cancel(dmslake, source)
    print(f"killed: {tasks_killed()} tasks, {killed['driver']} drivers, {killed['java']} JVMs; ", end="")
    print(f"{killed['apply']} times `apply` in between", flush=True)
    applied = subprocess.run([dmslake, "apply", "-c", source.config], capture_output=True, text=True, check=False)
    faults = [] if applied.returncode == 0 else [applied.stdout + applied.stderr]
    if not tasks_killed() or not killed["driver"] + killed["java"]:
        faults.append("nothing was killed")
    return faults + faults_of(source)


def cancel(dmslake: Path, source: Source) -> None:
    subprocess.run([dmslake, "job", "cancel", "shop.t", "-c", source.config], capture_output=True, check=True)


def faults_of(source: Source) -> list[str]:
    faults = [source.difference()]
    loads = sum(len(load.read_text().splitlines()) for load in source.staging.glob("LOAD*"))
    counted = source.counted()
    if counted != source.changes + loads:
        faults.append(f"{counted} changes counted of {source.changes + loads}")
    return [fault for fault in faults if fault]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dmslake", type=Path)
    parser.add_argument("python", help="of an environment with pyspark")
    parser.add_argument("--modes", nargs="+", default=["copy-on-write", "deletion-vectors"])
    parser.add_argument("--seconds", type=float, default=40, help="how long each disturbed run takes at least")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    chosen = parser.parse_args()
    version = subprocess.run(
        [chosen.python, "-c", "import pyspark; print(pyspark.__version__)"], capture_output=True, text=True, check=True
    ).stdout.strip()
    print(f"jobs of Spark {version}, seed {chosen.seed}", flush=True)
    dice, faults = random.Random(chosen.seed), []
    for mode in chosen.modes:
        for name in ("undisturbed", "disturbed"):
            folder = Path(f"jobs-{version}-{mode}-{name}").absolute()
            shutil.rmtree(folder, ignore_errors=True)
            source = Source(folder, mode, dice)
            begun = time.monotonic()
            if name == "undisturbed":
                found = undisturbed(chosen.python, chosen.dmslake, source)
            else:
                found = disturbed(chosen.python, chosen.dmslake, source, chosen.seconds)
            faults += [f"{mode}, {name}: {fault}" for fault in found]
            told = f"{len(found)} faults, {time.monotonic() - begun:.0f} s"
            print(f"{mode}, {name}: {len(source.rows)} rows, {source.changes} changes: {told}", flush=True)
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
