"""Reads a table through its symlink manifest, like Redshift Spectrum: only the Parquet files in
the manifest, without the log. DuckDB reads them here."""

from pathlib import Path

import pyarrow

from readers.duckdb import DuckDb

MANIFEST = Path("_symlink_format_manifest") / "manifest"


class ByManifest(DuckDb):
    name = "DuckDB by manifest"

    def read(self, root, columns, version=None):
        # Each URI ends with the path below the root.
        uris = (root / MANIFEST).read_text().splitlines()
        files = [str(root / uri.rpartition(f"/{root.name}/")[2]) for uri in uris]
        names = [name for name, _ in columns]
        if not files:
            return pyarrow.table({name: pyarrow.array([], pyarrow.string()) for name in names})
        shown = ", ".join('"' + name.replace('"', '""') + '"' for name in names)
        scan = f"SELECT {shown} FROM read_parquet(?, union_by_name = true)"
        return self.connection.execute(scan, [files]).to_arrow_table()
