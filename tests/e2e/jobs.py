"""Tables are left to jobs while everything else goes on: `dmslake job start`, runs that are killed, and
claims that are ended while their driver is alive."""

import json
import random
import subprocess
import threading
import time
from contextlib import contextmanager

from glue import Glue
from scene import Scene


@contextmanager
def jobs(of: Scene, is_faulty: bool):
    """Starts jobs, one after another, on any of the tables."""
    pipeline, chance = of.pipeline, random.Random(of.chance.random())
    is_over = threading.Event()
    with pipeline.glue() as glue:
        glue.is_faulty = is_faulty

        def start_jobs():
            while not is_over.wait(chance.uniform(0.5, 2)):
                table = ".".join(chance.choice(of.tables))
                dmslake(of, glue, "start", table)
                time.sleep(chance.uniform(0.5, 4))
                if chance.random() < 0.3:
                    # Its driver may not know of it for a while.
                    dmslake(of, glue, "cancel", table)

        thread = threading.Thread(target=start_jobs)
        thread.start()
        try:
            yield glue
        finally:
            is_over.set()
            thread.join()
            glue.wait()
            # What runs that were killed have claimed; else it would end by itself, in minutes.
            for table in of.tables:
                name = ".".join(table)
                if json.loads(dmslake(of, glue, "status", name, "--json")).get("claim"):
                    dmslake(of, glue, "cancel", name)


def dmslake(of: Scene, glue: Glue, command: str, table: str, *more: str) -> str:
    """`dmslake job …`, again and again while S3 fails."""
    program = of.pipeline.programs.dmslake
    arguments = [program, "job", command, table, "--config", of.pipeline.config, *more]
    while True:
        done = subprocess.run(
            arguments, env=glue.variables, stdout=subprocess.PIPE, stderr=glue.log, text=True,
            check=False,
        )  # fmt: skip
        if done.stdout:
            glue.done[f"dmslake job {command}"] += 1
            return done.stdout
        time.sleep(0.2)
