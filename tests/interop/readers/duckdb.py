"""DuckDB with its `delta` extension."""

from pathlib import Path

import duckdb
import duckdb_extension_delta

from readers import Reader


class DuckDb(Reader):
    name = "DuckDB"

    def __init__(self):
        self.connection = duckdb.connect()
        self.connection.execute("SET TimeZone = 'UTC'")
        (binary,) = Path(duckdb_extension_delta.__file__).parent.rglob("delta.duckdb_extension")
        self.connection.execute(f"LOAD '{binary}'")

    def read(self, root, columns, version=None):
        at = "" if version is None else f", version := {version}"
        # A URL, because the extension does not find the data files for a plain path with é or %.
        scan = f"SELECT * FROM delta_scan('{root.as_uri()}'{at})"
        return self.connection.execute(scan).to_arrow_table()
