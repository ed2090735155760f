"""The whole pipeline, from a database's commits to readers. See README.md."""

import argparse
import secrets
import signal
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import adopt
import definitions
import freshness
import latency
import shards
import steady
import torture

PARTS = {
    "steady": steady.run,
    "torture": torture.run,
    "definitions": definitions.run,
    "latency": latency.run,
    "shards": shards.run,
    "adopt": adopt.run,
    "freshness": freshness.run,
}
# Runs for minutes, however few are given, so only if it is asked for.
LONG = "freshness"


@dataclass(frozen=True)
class Programs:
    """The command line."""

    bootstrap: Path
    dmslake: Path
    moto: str
    versitygw: str


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=3.0, help="minutes of load, in total (3)")
    parser.add_argument("--seed", type=int, help="seed of all random choices; printed")
    parser.add_argument("--bootstrap", type=Path, required=True)
    parser.add_argument("--dmslake", type=Path, required=True)
    parser.add_argument("--moto", default="moto_server")
    parser.add_argument("--versitygw", default="versitygw")
    parser.add_argument("--readers", default="spark,trino,duckdb,deltalake")
    known = ", ".join(PARTS)
    parser.add_argument("parts", nargs="*", help=f"of {known}; default: all but {LONG}")
    chosen = parser.parse_args()
    for part in chosen.parts:
        if part not in PARTS:
            parser.error(f"unknown part: {part}")
    return chosen


def main() -> int:
    chosen = arguments()
    # So that the servers stop too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    seed = chosen.seed if chosen.seed is not None else secrets.randbits(32)
    print(f"seed {seed}", flush=True)
    programs = Programs(chosen.bootstrap, chosen.dmslake, chosen.moto, chosen.versitygw)
    wanted = chosen.parts or [part for part in PARTS if part != LONG]
    seconds = chosen.minutes * 60 / len(wanted)
    faults: list[str] = []
    with ExitStack() as stack:
        readers = opened_readers(stack, chosen.readers.split(","))
        for part in wanted:
            begun = time.monotonic()
            faults += PARTS[part](programs, seed, seconds, readers)
            print(f"{part} took {time.monotonic() - begun:.0f} s", flush=True)
    for fault in faults:
        print(fault, file=sys.stderr)
    print(f"seed {seed}: {len(faults)} faults")
    return 1 if faults else 0


def opened_readers(stack: ExitStack, names: list[str]) -> list:
    from readers.deltalake import Deltalake
    from readers.duckdb import DuckDb
    from readers.spark import Spark
    from readers.trino import Trino
    from servers import spark, trino

    readers = []
    if "spark" in names:
        session = spark.session()
        stack.callback(session.stop)
        readers.append(Spark(session))
    if "trino" in names:
        readers.append(Trino(stack.enter_context(trino.server())))
    if "duckdb" in names:
        readers.append(DuckDb())
    if "deltalake" in names:
        readers.append(Deltalake())
    return readers


if __name__ == "__main__":
    sys.exit(main())
