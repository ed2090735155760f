"""Runs the statements of `dmslake ddl` with the engines that are available here, and reads
each table by its new name."""

import argparse
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from deltalake import DeltaTable

from readers.duckdb import DuckDb
from readers.trino import Trino
from servers import spark, trino


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dmslake", type=Path)
    parser.add_argument("demo", type=Path, help="the folder of `dmslake demo`")
    chosen = parser.parse_args()
    roots = sorted(path.parent for path in chosen.demo.glob("lake/*/*/_delta_log"))
    counts = {f"{root.parent.name}.{root.name}": DeltaTable(str(root)).count() for root in roots}
    faults = [] if counts else ["the demo has no tables"]
    with ExitStack() as stack:
        for name, run in engines(stack).items():
            told = subprocess.run(
                [chosen.dmslake, "ddl", name, "--config", chosen.demo / "dmslake.toml"],
                check=True, capture_output=True, text=True,
            )  # fmt: skip
            for statement in told.stdout.strip().removesuffix(";").split(";\n"):
                run(statement)
            # Trino's tables are in a catalog.
            prefix = "delta." if name == "trino" else ""
            found = {table: run(f"SELECT count(*) FROM {prefix}{table}") for table in counts}
            print(f"{name}: {found}", flush=True)
            if found != counts:
                faults.append(f"{name} counts {found}, the log {counts}")
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


def engines(stack: ExitStack) -> dict:
    """By engine, a function that runs a statement and returns the first value of its result."""
    session = spark.session()
    stack.callback(session.stop)
    of_trino = Trino(stack.enter_context(trino.server()))
    of_duckdb = DuckDb()

    def duckdb(statement: str):
        # The extension is already installed, from the package index.
        if statement not in ("INSTALL delta", "LOAD delta"):
            return first(of_duckdb.connection.execute(statement).fetchall())

    return {
        "spark": lambda statement: first(session.sql(statement).collect()),
        "trino": lambda statement: first(of_trino.run(statement)),
        "duckdb": duckdb,
    }


def first(rows: list):
    return rows[0][0] if rows else None


if __name__ == "__main__":
    sys.exit(main())
