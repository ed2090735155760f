"""An independent reader: DuckDB reads a whole table and prints what its rows come to, as a JSON
list: rows, sum of amounts in hundredths, and two sums over a hash of all columns of each row.

    table_digest.py delta|files FOLDER

`delta` reads the newest version of a Delta table, deletion vectors included, through DuckDB's
extension; `files` reads every Parquet file at and below the folder.
"""

import json
import sys
from pathlib import Path

import duckdb


def load_delta(connection):
    try:
        import duckdb_extension_delta
    except ImportError:
        connection.execute("INSTALL delta; LOAD delta")
        return
    folder = Path(duckdb_extension_delta.__file__).parent / "extensions"
    connection.execute(f"LOAD '{next(folder.glob('*/delta.duckdb_extension'))}'")


form, folder = sys.argv[1:]
with duckdb.connect() as connection:
    connection.execute("SET threads = 2; SET TimeZone = 'UTC'")
    if form == "delta":
        load_delta(connection)
        source = f"delta_scan('{folder}')"
    else:
        source = f"read_parquet('{folder}/**/*.parquet')"
    names = [name for name, *_ in connection.execute(f"DESCRIBE FROM {source}").fetchall()]
    row = f"hash({', '.join(sorted(names))})"
    digest = connection.execute(
        f"SELECT count(*), (100 * sum(amount))::BIGINT, sum({row} >> 32)::BIGINT, "
        f"sum({row} & 4294967295)::BIGINT FROM {source}"
    ).fetchone()
print(json.dumps(digest))
