"""DuckDB reads a folder of CDC objects and reduces them to net changes, in memory.

SQL has several ways to say "the last change of each key", and which is the fastest depends on
the format and the machine; all below are run and the fastest counts. Prints its seconds, the
peak memory in KiB, and the outcome: upserts, deletes, and of the upserts the sum of amounts (in
hundredths) and the notes that are not NULL.
"""

import json
import sys
import time

import duckdb

THREADS = 2
COLUMNS = {
    "Op": "VARCHAR",
    "id": "BIGINT",
    "customer": "INTEGER",
    "state": "VARCHAR",
    "amount": "DECIMAL(12,2)",
    "quantity": "INTEGER",
    "ordered_at": "TIMESTAMP",
    "note": "VARCHAR",
}


def source(objects, suffix):
    """The objects in the order of their names, which is that of the changes; DuckDB keeps it."""
    if suffix == "parquet":
        return f"read_parquet('{objects}')"
    return (
        f"read_csv('{objects}', auto_detect = false, header = false, delim = ',', quote = '\"', "
        f"escape = '\"', nullstr = 'NULL', columns = {COLUMNS})"
    )


def ways(changes, suffix):
    last = ", ".join(f"arg_max_null({name}, place) AS {name}" for name in COLUMNS if name != "id")
    numbered = f"(SELECT *, row_number() OVER () AS place FROM {changes})"
    yield "one pass", f"CREATE TEMP TABLE net AS SELECT id, {last} FROM {numbered} GROUP BY id"
    yield "rows by number", (
        f"CREATE TEMP TABLE changes AS FROM {changes}; "
        "CREATE TEMP TABLE net AS FROM changes "
        "WHERE rowid IN (SELECT max(rowid) FROM changes GROUP BY id)"
    )
    if suffix == "parquet":
        place = "file_index * 4294967296 + file_row_number"
        yield "keys first", (
            f"CREATE TEMP TABLE net AS SELECT changes.* FROM {changes} AS changes SEMI JOIN "
            f"(SELECT max({place}) AS last FROM {changes} GROUP BY id) ON last = {place}"
        )


def run(statement):
    with duckdb.connect() as connection:
        connection.execute(f"SET threads = {THREADS}")
        begun = time.perf_counter()
        connection.execute(statement)
        seconds = time.perf_counter() - begun
        outcome = connection.execute(
            "SELECT count(*) FILTER (Op <> 'D'), count(*) FILTER (Op = 'D'), "
            "(100 * sum(amount) FILTER (Op <> 'D'))::BIGINT, count(note) FILTER (Op <> 'D') "
            "FROM net"
        ).fetchone()
    return seconds, outcome


def peak_memory():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))


folder, suffix = sys.argv[1:]
runs = {}
for way, statement in ways(source(f"{folder}/*.{suffix}", suffix), suffix):
    runs[way] = run(statement)
    print(f"  DuckDB, {suffix}, {way}: {runs[way][0]:.2f} s", file=sys.stderr)
assert len({outcome for _, outcome in runs.values()}) == 1, runs
seconds, outcome = min(runs.values())
print(json.dumps({"seconds": seconds, "peak": peak_memory(), "outcome": outcome, "version": 0}))
