"""Spark with Delta's own library."""

from readers import Reader


class Spark(Reader):
    name = "Spark"

    def __init__(self, session):
        self.session = session

    def read(self, root, columns, version=None):
        reader = self.session.read.format("delta")
        if version is not None:
            reader = reader.option("versionAsOf", version)
        return reader.load(str(root)).toArrow()
