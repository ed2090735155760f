"""S3, events, the function and DMS fail, and no row is lost or duplicated."""

import random
import threading
from collections import Counter
from contextlib import contextmanager

import conformance
from pipeline import Pipeline
from scene import begin, conclude, scene, verdict


def run(programs, seed: int, seconds: float, readers: list) -> list[str]:
    """Returns descriptions of faults."""
    with scene("torture", programs, seed, ["copy-on-write", "deletion-vectors", "auto"]) as of:
        begin(of)
        with tormented(of.pipeline, random.Random(of.chance.random())) as kills:
            of.load(seconds)
        of.settle()
        faults = verdict(of, readers)
        faults += conformance.faults(of, readers)
        return conclude(of, faults, kills)


@contextmanager
def tormented(pipeline: Pipeline, chance: random.Random):
    """Faults of S3 and of events, kill -9 of the function, of S3 and of the stand-in for DMS."""
    kills: Counter = Counter()
    is_over = threading.Event()
    pipeline.proxy.is_faulty = True
    pipeline.mapping.is_torturing = True

    def torment():
        while not is_over.wait(chance.uniform(0.5, 3)):
            dice = chance.random()
            if dice < 0.85:
                chance.choice(pipeline.environments).kill()
                kills["kills of the function"] += 1
            elif dice < 0.92:
                pipeline.lake_server.restart()
                kills["kills of the lake's server"] += 1
            else:
                pipeline.dms.kill()
                pipeline.dms.follow(back=chance.choice([0, 0, 1, 2]))
                kills["kills of the stand-in for DMS"] += 1

    thread = threading.Thread(target=torment)
    thread.start()
    try:
        yield kills
    finally:
        is_over.set()
        thread.join()
        pipeline.proxy.is_faulty = False
        pipeline.mapping.is_torturing = False
