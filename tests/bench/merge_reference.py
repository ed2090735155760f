"""Rewrites the touched files of a table by hand: with DuckDB the whole merge but for the commit,
with pyarrow the same bytes unchanged, or their keys merely read.

    merge_reference.py duckdb|pyarrow|keys TABLE BATCH KEYS [TOUCHED...]

`duckdb` finds the touched files by their keys, writes what the batch leaves of them and the
batch's upserts into new files, and removes the touched ones: what is left is the new table.
`pyarrow` is told the touched files, and reads and writes each row group, nothing more. `keys` reads
the key columns of every file whose range of keys holds a changed one: what finding rows by their
keys cannot do without. All use two threads. Prints seconds, peak memory in KiB, and what was
written or read, in bytes.
"""

import json
import sys
import time
from bisect import bisect_left
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

THREADS = 2
ROW_GROUP = 128 << 10


def by_duckdb(table, batch, keys, _):
    import duckdb

    key = ", ".join(keys)
    with duckdb.connect() as connection:
        connection.execute(f"SET threads = {THREADS}; SET preserve_insertion_order = false")
        begun = time.perf_counter()
        connection.execute(f"CREATE TEMP TABLE batch AS FROM '{batch}'")
        touched = connection.execute(
            f"SELECT DISTINCT filename FROM read_parquet('{table}/*.parquet', filename = true) "
            f"SEMI JOIN batch USING ({key})"
        ).fetchall()
        touched = [name for (name,) in touched]
        survivors = f"SELECT * FROM read_parquet({touched}) ANTI JOIN batch USING ({key}) UNION ALL"
        written = table / "written"
        connection.execute(
            f"COPY ({survivors if touched else ''} SELECT * EXCLUDE op FROM batch WHERE op = 'U') "
            f"TO '{written}' (FORMAT parquet, COMPRESSION snappy, ROW_GROUP_SIZE {ROW_GROUP}, "
            "PER_THREAD_OUTPUT true)"
        )
        seconds = time.perf_counter() - begun
    for name in touched:
        Path(name).unlink()
    return seconds, written


def by_keys(table, batch, keys, _):
    import pyarrow
    import pyarrow.parquet as parquet

    pyarrow.set_cpu_count(1)  # for each file; the files are shared out below

    def read(name):
        source = parquet.ParquetFile(name)
        groups = (source.metadata.row_group(at) for at in range(source.num_row_groups))
        bounds = [group.column(0).statistics for group in groups]
        least, greatest = min(one.min for one in bounds), max(one.max for one in bounds)
        at = bisect_left(changed, least)
        if at == len(changed) or changed[at] > greatest:
            return 0
        return source.read(columns=keys, use_threads=False).nbytes

    begun = time.perf_counter()
    changed = sorted(parquet.read_table(batch, columns=keys[:1]).column(0).to_pylist())
    with ThreadPoolExecutor(THREADS) as pool:
        size = sum(pool.map(read, table.glob("*.parquet")))
    return time.perf_counter() - begun, size


def by_pyarrow(table, _, __, touched):
    import pyarrow
    import pyarrow.parquet as parquet

    pyarrow.set_cpu_count(1)  # for each file; the files are shared out below
    written = table / "written"
    written.mkdir()

    def rewrite(name):
        source = parquet.ParquetFile(table / name)
        with parquet.ParquetWriter(
            written / name, source.schema_arrow, compression="snappy"
        ) as writer:
            for group in range(source.num_row_groups):
                writer.write_table(source.read_row_group(group, use_threads=False))

    begun = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(rewrite, touched))
    return time.perf_counter() - begun, written


def peak_memory():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))


way, table, batch, keys, *touched = sys.argv[1:]
run = {"duckdb": by_duckdb, "pyarrow": by_pyarrow, "keys": by_keys}[way]
seconds, size = run(Path(table), batch, keys.split(","), touched)
if isinstance(size, Path):
    size = sum(file.stat().st_size for file in size.iterdir())
print(json.dumps({"seconds": seconds, "peak": peak_memory(), "outcome": [size], "version": 0}))
