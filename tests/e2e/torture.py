"""S3, events, the function, its jobs and DMS fail, staged objects expire, and tables are loaded again,
emptied and altered. No row is lost or duplicated, and nobody does anything about it."""

import random
import re
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import conformance
import definitions
import freshness
import looking
from jobs import jobs
from pipeline import STAGING, Pipeline
from scene import Scene, begin, conclude, scene, verdict

# The column that gets a wider type, and by how much its values then grow.
WIDENED, COLUMN, GROWTH = "sbtest1", "k", 5_000_000_000
# In seconds, more often than `look_every`, so that short runs see it too.
DUE_EVERY = 5


def run(programs, seed: int, seconds: float, readers: list) -> list[str]:
    """Returns descriptions of faults."""
    with scene("torture", programs, seed, ["copy-on-write", "deletion-vectors", "auto"]) as of:
        done: Counter = Counter()
        begin(of, lambda: configure_more(of))
        with tormented(of, done, kills_the_task=True), jobs(of, is_faulty=True) as glue:
            of.load(seconds / 2)
        done.update(glue.done)
        of.settle()
        expire(of.pipeline, done)
        of.go_on()
        # A task that goes back behind a reload repeats changes that the new load has overtaken.
        with (
            tormented(of, done, kills_the_task=False),
            jobs(of, is_faulty=True) as glue,
            ThreadPoolExecutor() as pool,
        ):
            load = pool.submit(of.load, seconds / 2)
            redefine(of, seconds / 10, done)
            load.result()
        done.update(glue.done)
        of.settle(definitions.Waiting(done))
        faults = verdict(of, readers)
        faults += conformance.faults(of, readers)
        faults += looking.faults(of, readers)
        return conclude(of, faults, done)


def configure_more(of: Scene):
    waiting = [table for table in of.tables if of.chance.random() < 0.3]
    print(f"tables whose changes wait: {waiting}", flush=True)
    freshness.let_wait(of.pipeline, waiting)
    if is_parquet(of):
        take_types_from_objects(of.pipeline)


def expire(pipeline: Pipeline, done: Counter):
    """Deletes everything that is staged: all of it is applied."""
    s3 = pipeline.client("s3")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=STAGING):
        keys = [{"Key": one["Key"]} for one in page.get("Contents", [])]
        if keys:
            s3.delete_objects(Bucket=STAGING, Delete={"Objects": keys})
            done["expired objects"] += len(keys)


def redefine(of: Scene, pause: float, done: Counter):
    """Runs one after another, while everything else continues."""
    if is_parquet(of):
        # For CSV a person has to say what columns there are, and of which types.
        definitions.add_column(of, done)
        time.sleep(pause)
        widen(of.pipeline, done)
        time.sleep(pause)
    definitions.truncate_and_reload(of.pipeline, pause, done)


def is_parquet(of: Scene) -> bool:
    return of.settings.s3["DataFormat"] == "parquet"


def take_types_from_objects(pipeline: Pipeline):
    """A type that is configured stays what it is, whatever the objects have."""
    text = pipeline.config.read_text()
    before, title, after = text.partition(f'source = "{definitions.SCHEMA}.{WIDENED}"')
    columns = re.compile(r"(?ms)^columns = \[\n.*?^\]\n")
    pipeline.config.write_text(before + title + columns.sub("", after, count=1))


def widen(pipeline: Pipeline, done: Counter):
    table = f"{definitions.SCHEMA}.{WIDENED}"
    pipeline.database.run(
        f"ALTER TABLE {table} MODIFY {COLUMN} BIGINT NOT NULL DEFAULT 0",
        f"UPDATE {table} SET {COLUMN} = {COLUMN} + {GROWTH} WHERE id % 50 = 0",
    )
    done["widened columns"] += 1


@contextmanager
def tormented(of: Scene, done: Counter, kills_the_task: bool):
    """Faults of S3 and of events, kill -9 of the function, of S3 and of the stand-in for DMS, while a
    schedule asks for what is due."""
    pipeline, chance = of.pipeline, random.Random(of.chance.random())
    is_over = threading.Event()
    pipeline.proxy.is_faulty = True
    pipeline.mapping.is_torturing = True

    def torment():
        while not is_over.wait(chance.uniform(0.5, 3)):
            dice = chance.random()
            if dice < 0.85:
                chance.choice(pipeline.environments).kill()
                done["kills of the function"] += 1
            elif dice < 0.92 or not kills_the_task:
                pipeline.lake_server.restart()
                done["kills of the lake's server"] += 1
            else:
                pipeline.dms.kill()
                pipeline.dms.follow(back=chance.choice([0, 0, 1, 2]))
                done["kills of the stand-in for DMS"] += 1

    thread = threading.Thread(target=torment)
    thread.start()
    try:
        with freshness.schedule(pipeline, DUE_EVERY, done):
            yield
    finally:
        is_over.set()
        thread.join()
        pipeline.proxy.is_faulty = False
        pipeline.mapping.is_torturing = False
