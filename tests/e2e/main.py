"""The whole way, from a database's commits to what readers see. See README.md."""

import argparse
import random
import secrets
import sys
import threading
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import compare
import types_table
from load import SCHEMA, Sysbench
from pipeline import Pipeline
from standin import mappings

# sysbench's tables, their rows, and its connections.
TABLES, ROWS, THREADS = 3, 10_000, 4
ENVIRONMENTS = 2
# Seconds, so that a test sees many objects.
INTERVAL = 2
SCHEMAS = [SCHEMA, types_table.SCHEMA]


@dataclass(frozen=True)
class Programs:
    """What runs."""

    bootstrap: Path
    dmslake: Path
    moto: str
    versitygw: str


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=3.0, help="of load, in all (3)")
    parser.add_argument("--seed", type=int, help="of everything random; printed")
    parser.add_argument("--bootstrap", type=Path, required=True)
    parser.add_argument("--dmslake", type=Path, required=True)
    parser.add_argument("--moto", default="moto_server")
    parser.add_argument("--versitygw", default="versitygw")
    parser.add_argument("parts", nargs="*", help="steady, torture; both without a name")
    return parser.parse_args()


def main() -> int:
    chosen = arguments()
    seed = chosen.seed if chosen.seed is not None else secrets.randbits(32)
    print(f"seed {seed}", flush=True)
    programs = Programs(chosen.bootstrap, chosen.dmslake, chosen.moto, chosen.versitygw)
    wanted = chosen.parts or ["steady", "torture"]
    seconds = int(chosen.minutes * 60 / len(wanted))
    faults: list[str] = []
    with ExitStack() as stack:
        readers = opened_readers(stack)
        for part in wanted:
            faults += run(part, programs, seed, seconds, readers)
    for fault in faults:
        print(fault, file=sys.stderr)
    print(f"{len(faults)} comparisons failed")
    return 1 if faults else 0


def opened_readers(stack: ExitStack) -> list:
    from readers.deltalake import Deltalake
    from readers.duckdb import DuckDb
    from readers.spark import Spark
    from readers.trino import Trino
    from servers import spark, trino

    session = spark.session()
    stack.callback(session.stop)
    port = stack.enter_context(trino.server())
    return [Spark(session), Trino(port), DuckDb(), Deltalake()]


def endpoint(chance: random.Random) -> dict:
    """Settings that a task may have. Whatever changes bytes is drawn."""
    is_parquet = chance.random() < 0.5
    s3 = {
        "DataFormat": "parquet" if is_parquet else "csv",
        "CompressionType": chance.choice(["NONE", "GZIP"]),
        "IncludeOpForFullLoad": chance.random() < 0.5,
        "TimestampColumnName": chance.choice(["", "dms_ts"]),
        "CdcMaxBatchInterval": INTERVAL,
        "DatePartitionEnabled": chance.random() < 0.3,
        "AddColumnName": chance.random() < 0.5,
    }
    if is_parquet:
        s3["ParquetVersion"] = chance.choice(["PARQUET_1_0", "PARQUET_2_0"])
        s3["EncodingType"] = chance.choice(["rle-dictionary", "plain"])
    else:
        s3["CsvDelimiter"] = chance.choice([",", "|", "\t"])
        s3["CsvNullValue"] = chance.choice(["NULL", "\\N"])
    return s3


def run(part: str, programs: Programs, seed: int, seconds: int, readers: list) -> list[str]:
    """One run of the whole pipeline. Comes to what is wrong."""
    chance = random.Random(f"{seed} {part}")
    is_torture = part == "torture"
    has_sequence = chance.random() < 0.5
    s3 = endpoint(chance)
    merge = "copy-on-write" if part == "steady" else chance.choice(["copy-on-write", "auto"])
    print(f"== {part}: {seconds} s, {s3['DataFormat']}, {merge}", flush=True)
    with Pipeline(programs, seed, ENVIRONMENTS) as pipeline:
        sysbench = Sysbench(pipeline.database, TABLES, ROWS, THREADS)
        sysbench.prepare()
        types_table.create(pipeline.database)
        types_table.fill(pipeline.database)
        dms = pipeline.stand_in({"rules": mappings(SCHEMAS, has_sequence), "s3": s3})
        dms.load()
        pipeline.configure("cdc_seq" if has_sequence else None, merge)
        pipeline.start_function()
        dms.follow()
        sysbench.start(seconds, chance.randrange(1, 2**31))
        with tormented(pipeline, chance) if is_torture else nothing() as figures:
            end = time.monotonic() + seconds
            row = 1000
            while time.monotonic() < end:
                for _ in range(5):
                    types_table.insert_random(pipeline.database, chance, row)
                    row += 1
                types_table.change(pipeline.database, chance, 20)
                time.sleep(0.5)
            written = sysbench.wait()
        dms.finish()
        pipeline.settle()
        faults = report(pipeline, sysbench, written, figures, readers)
        pipeline.is_kept = bool(faults)
        return faults


@contextmanager
def nothing():
    yield Counter()


@contextmanager
def tormented(pipeline: Pipeline, chance: random.Random):
    """Faults of S3 and of events, kill -9 of the function, of S3 and of the stand-in for DMS."""
    figures: Counter = Counter()
    is_over = threading.Event()
    pipeline.proxy.is_faulty = True
    pipeline.mapping.is_torturing = True

    def torment():
        while not is_over.wait(chance.uniform(0.5, 3)):
            dice = chance.random()
            if dice < 0.85:
                chance.choice(pipeline.environments).kill()
                figures["kills of the function"] += 1
            elif dice < 0.92:
                pipeline.lake_server.restart()
                figures["kills of the lake's server"] += 1
            else:
                pipeline.dms.kill()
                pipeline.dms.follow(back=chance.choice([0, 0, 1, 2]))
                figures["kills of the stand-in for DMS"] += 1

    thread = threading.Thread(target=torment)
    thread.start()
    try:
        yield figures
    finally:
        is_over.set()
        thread.join()
        pipeline.proxy.is_faulty = False
        pipeline.mapping.is_torturing = False


def report(pipeline, sysbench, written, figures, readers) -> list[str]:
    figures = figures + pipeline.mapping.figures
    figures.update({f"S3 answers with {name}": n for name, n in pipeline.proxy.faults.items()})
    print(f"transactions {written['transactions']}, rows written {written['write']}")
    print(f"objects of DMS {pipeline.dms.objects()}")
    for name, count in sorted(figures.items()):
        print(f"{name} {count}")
    faults = []
    tables = [(SCHEMA, name) for name in sysbench.tables]
    tables.append((types_table.SCHEMA, types_table.TABLE))
    for schema, name in tables:
        cells = []
        for reader in readers:
            root = pipeline.lake / schema / name
            outcome = compare.table(pipeline.database, schema, name, root, reader)
            if outcome.fault or outcome.missing or outcome.surplus:
                faults.append(
                    f"{schema}.{name}, {reader.name}: {outcome.missing} rows are missing or "
                    f"otherwise, {outcome.surplus} too many; {outcome.fault}"
                )
            cells.append("FAILED" if outcome.fault else str(outcome.rows))
        print(f"{schema}.{name}: rows equal: " + ", ".join(
            f"{reader.name} {cell}" for reader, cell in zip(readers, cells)
        ), flush=True)
    return faults


if __name__ == "__main__":
    sys.exit(main())
