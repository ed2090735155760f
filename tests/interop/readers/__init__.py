"""Readers that are not ours.

Each has a `name` and reads a version of a table (the newest if none is given) as an Arrow table
with `read(root, columns, version)`. `renderings(table)` are the ways in which it may show the
texts of a corpus: where a reader cannot show a value whole, what it makes of it.
"""


class Reader:
    """A reader that shows every value whole."""

    def renderings(self, table):
        return [whole]


def whole(text: str, delta_type: str) -> str:
    return text
