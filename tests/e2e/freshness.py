"""Changes wait until they are as old as their table's `freshness`: many objects become one commit, none
is late, and a schedule brings what lost events did not announce."""

import threading
import time
from collections import Counter
from contextlib import contextmanager, suppress
from datetime import datetime

import looking
from function import Failed, Killed
from pipeline import Pipeline
from scene import Scene, begin, conclude, scene, verdict
from waiting import wait_for

# In seconds: the least that a configuration may have, and the promise about it.
FRESHNESS, LEEWAY = 60, 60
# The time that a run may take in addition, and a load in which changes wait twice.
PATIENCE, LEAST = 15, 130
# At least so many objects for each commit.
SHARE = 5


def run(programs, seed: int, seconds: float, readers: list) -> list[str]:
    """Returns descriptions of faults."""
    with scene("freshness", programs, seed, ["copy-on-write", "deletion-vectors", "auto"]) as of:
        done: Counter = Counter()
        begin(of, lambda: let_wait(of.pipeline, of.tables))
        of.pipeline.mapping.is_torturing = True
        with schedule(of.pipeline, FRESHNESS, done):
            of.load(max(seconds, LEAST))
            of.pipeline.dms.finish()
            wait_for(lambda: not pending(of), FRESHNESS + LEEWAY + PATIENCE, "applying what waits")
        of.pipeline.mapping.is_torturing = False
        faults = [fault for table in of.tables for fault in judged(of, ".".join(table))]
        of.pipeline.settle()
        return conclude(of, faults + verdict(of, readers), done)


def let_wait(pipeline: Pipeline, tables: list[tuple[str, str]]):
    """Gives tables a freshness."""
    text = pipeline.config.read_text()
    text = text.replace("staging = ", 'look_every = "1m"\nstaging = ', 1)
    for table in tables:
        title = f'source = "{".".join(table)}"\n'
        assert title in text, text
        text = text.replace(title, f'{title}freshness = "1m"\n', 1)
    pipeline.config.write_text(text)


@contextmanager
def schedule(pipeline: Pipeline, every: float, done: Counter):
    """Sends the function what its schedule sends, with nobody to repeat what fails."""
    is_over, begun = threading.Event(), time.monotonic()

    def ring():
        # However long the function takes.
        while not is_over.wait(every - (time.monotonic() - begun) % every):
            with suppress(Failed, Killed):
                pipeline.scheduled.invoke({"sweep": "due"})
                done["sweeps of what is due"] += 1

    thread = threading.Thread(target=ring)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def pending(of: Scene) -> int:
    return sum(one["pending"]["objects"] for one in looking.dmslake(of, "status"))


def judged(of: Scene, table: str) -> list[str]:
    """Faults of the commits of a table that took in changes."""
    history = looking.dmslake(of, "history", table, "--objects", "--limit", "1000000")
    commits = [one for one in history if one["objects"] and not one["full_load"]]
    ages = [
        (datetime.fromisoformat(commit["at"]) - datetime.fromisoformat(taken["staged"])).total_seconds()
        for commit in commits
        for taken in commit["intake"]
    ]
    print(f"{table}: {len(ages)} objects in {len(commits)} commits, the oldest {max(ages):.0f} s old")
    faults = []
    if max(ages) > FRESHNESS + LEEWAY + PATIENCE:
        faults.append(f"{table}: an object was applied when it was {max(ages):.0f} s old")
    if len(ages) < SHARE * len(commits):
        faults.append(f"{table}: {len(commits)} commits for {len(ages)} objects")
    return faults
