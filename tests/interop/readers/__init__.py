"""Readers of other projects.

Each has a `name` and reads a version of a table (by default the newest) as an Arrow table
with `read(root, columns, version)`. `renderings(table)` are the forms in which it may show the
texts of a corpus, for values that a reader cannot represent exactly.
"""


class Reader:
    """A reader that represents every value exactly."""

    def renderings(self, table):
        return [whole]


def whole(text: str, delta_type: str) -> str:
    return text
