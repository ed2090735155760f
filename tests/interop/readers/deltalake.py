"""The `deltalake` package for Python."""

import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder

from readers import Reader


class Deltalake(Reader):
    name = "deltalake"

    def read(self, root, columns, version=None):
        table = DeltaTable(str(root), version=version)
        query = QueryBuilder().register("t", table).execute("SELECT * FROM t")
        return pa.table(query.read_all())
