"""Trino, through the REST API of a server."""

import pyarrow as pa
import trino

from readers import Reader
from values import arrow_type

MILLISECONDS = pa.timestamp("ms", "UTC")


class Trino(Reader):
    name = "Trino"

    def __init__(self, port: int):
        connection = trino.dbapi.connect(host="127.0.0.1", port=port, user="test")
        self.cursor = connection.cursor()
        self.run("CREATE SCHEMA delta.corpus")
        self.names = {}

    def run(self, statement: str) -> list:
        return self.cursor.execute(statement).fetchall()

    def read(self, root, columns, version=None):
        asked = ", ".join(expression(*column) for column in columns)
        at = "" if version is None else f"FOR VERSION AS OF {version}"
        rows = self.run(f"SELECT {asked} FROM delta.corpus.{self.registered(root)} {at}")
        arrays = [
            pa.array([row[at] for row in rows], arrow(delta_type))
            for at, (_, delta_type) in enumerate(columns)
        ]
        return pa.table(arrays, names=[name for name, _ in columns])

    def registered(self, root) -> str:
        """The name of a table on the server."""
        if root not in self.names:
            name = f"t{len(self.names)}"
            self.run(f"CALL delta.system.register_table('corpus', '{name}', 'file://{root}')")
            self.names[root] = name
        return self.names[root]

    def renderings(self, table):
        """Trino has timestamps in milliseconds: the nearest one, or for INT96 the previous one."""
        return [nearest, before] if table.has_int96 else [nearest]


def nearest(text: str, delta_type: str) -> str:
    return str((int(text) + 500) // 1000 * 1000) if delta_type == "timestamp" else text


def before(text: str, delta_type: str) -> str:
    return str(int(text) // 1000 * 1000) if delta_type == "timestamp" else text


def expression(name: str, delta_type: str) -> str:
    quoted = '"' + name.replace('"', '""') + '"'
    if delta_type == "timestamp":
        # As a number: the nearest millisecond may be in the year 10000, which Python does not support.
        return f"date_diff('millisecond', from_unixtime(0, 'UTC'), {quoted})"
    return quoted


def arrow(delta_type: str) -> pa.DataType:
    return MILLISECONDS if delta_type == "timestamp" else arrow_type(delta_type)
