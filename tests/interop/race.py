"""Races our commits against Spark's on one table, in every merge mode."""

import argparse
import sys
from pathlib import Path

from races import scenarios, theirs
from servers import spark
from tools import JARS

MERGES = ["copy-on-write", "deletion-vectors"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="", help="part of a race's name, as printed")
    arguments = parser.parse_args()
    folder = arguments.folder
    folder.mkdir(parents=True)
    jars = [*map(str, JARS), theirs.held_log_store(folder)]
    session = spark.session(
        **{
            "spark.jars": ",".join(jars),
            "spark.delta.logStore.file.impl": "HeldLogStore",
            "spark.databricks.delta.retentionDurationCheck.enabled": "false",
        }
    )
    faults, raced = [], 0
    for merge in MERGES:
        table = scenarios.prepared(folder / merge, merge)
        for name, scenario in scenarios.all_of(session, table):
            if arguments.only not in f"{merge}, {name}":
                continue
            raced += 1
            try:
                result = scenario()
            except Exception as error:  # the other races go on
                faults.append(name)
                result = f"FAILED {type(error).__name__}: {error}"
            print(f"{merge:18}{name:50}{result}", flush=True)
    session.stop()
    print(f"{len(faults)} of {raced} races failed")
    return 1 if faults or not raced else 0


if __name__ == "__main__":
    sys.exit(main())
