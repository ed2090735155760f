"""A table `shop.orders` that is staged as by DMS, and the rows that must be in the lake."""

import shutil
from datetime import datetime, timedelta, timezone
from pathlib import Path
from random import Random

from values import texts

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
TYPES = {"id": "long", "name": "string", "amount": "decimal(15,2)", "placed": "timestamp"}

CONFIGURATION = """
staging = "staging"
lake = "lake"

[[table]]
source = "shop.orders"
keys = ["id"]
merge = "{merge}"
columns = [
  {{ name = "id", type = "bigint", nullable = false }},
  {{ name = "name", type = "varchar(80)" }},
  {{ name = "amount", type = "decimal(15,2)" }},
  {{ name = "placed", type = "datetime(6)" }},
]
"""


class Shop:
    """The folder of one `dmslake.toml`. `rows` are the rows in the lake, by id."""

    def __init__(self, folder: Path, merge: str, seed: int):
        self.folder, self.merge = folder, merge
        self.rows: dict[int, tuple] = {}
        self.pending: list[tuple] = []
        self.objects = 0
        self.random = Random(seed)
        (folder / "staging/shop/orders").mkdir(parents=True)
        (folder / "dmslake.toml").write_text(CONFIGURATION.format(merge=merge))

    def copy(self, folder: Path) -> "Shop":
        """A copy in another folder."""
        shutil.copytree(self.folder, folder)
        other = Shop.__new__(Shop)
        other.__dict__ |= self.__dict__
        other.folder, other.rows, other.pending = folder, dict(self.rows), list(self.pending)
        other.random = Random(self.random.random())
        return other

    @property
    def root(self) -> Path:
        return self.folder / "lake/shop/orders"

    def version(self) -> int:
        """The newest version in the log."""
        return max(int(path.stem) for path in (self.root / "_delta_log").glob("*.json"))

    def row(self, key: int) -> tuple:
        """A new image of a row."""
        amount = self.random.randrange(-(10**14), 10**14)
        # Years that also fit into nanoseconds, as which Spark's INT96 are read.
        placed = EPOCH + timedelta(microseconds=self.random.randrange(-(2**52), 2**52))
        return key, f"name {self.random.randrange(10**9)}", f"{amount / 100:.2f}", placed

    def load(self, keys):
        """Stages a full-load object."""
        changes = [("I", self.row(key)) for key in keys]
        self.put("LOAD00000001.csv", changes, with_operation=False)

    def change(self, upserts=(), deletes=()):
        """Stages a change object: the keys of `upserts` are written, then those of `deletes` deleted.

        If a key changes twice, the first change is superseded.
        """
        changes = [("U" if key in self.rows else "I", self.row(key)) for key in upserts]
        changes += [("D", self.row(key)) for key in deletes]
        self.objects += 1
        self.put(f"20260101-1000{self.objects:05}.csv", changes, with_operation=True)

    def put(self, name: str, changes: list, with_operation: bool):
        lines = []
        for operation, (key, text, amount, placed) in changes:
            told = f"{operation}," if with_operation else ""
            lines.append(f'{told}{key},"{text}",{amount},{placed:%Y-%m-%d %H:%M:%S.%f}\n')
        (self.folder / "staging/shop/orders" / name).write_text("".join(lines))
        self.pending += changes

    def applied(self) -> dict[str, int]:
        """Applies the staged changes to the rows, and returns the expected counts."""
        before = set(self.rows)
        for operation, row in self.pending:
            if operation == "D":
                self.rows.pop(row[0], None)
            else:
                self.rows[row[0]] = row
        keys = {row[0] for _, row in self.pending}
        counts = {
            "rows": len(self.pending),
            "inserted": len((keys - before) & set(self.rows)),
            "updated": len(keys & before & set(self.rows)),
            "deleted": len((keys & before) - set(self.rows)),
            "superseded": len(self.pending) - len(keys),
            "ignored": len(keys - before - set(self.rows)),
        }
        self.pending = []
        return counts

    def texts(self) -> list[tuple]:
        """The rows as the texts of a corpus."""
        instant = lambda placed: str((placed - EPOCH) // timedelta(microseconds=1))
        rows = (
            (str(key), name, amount, instant(placed))
            for key, name, amount, placed in self.rows.values()
        )
        return sorted(rows)

    def read(self, reader) -> list[tuple]:
        """The rows that a reader finds in the table."""
        found = reader.read(self.root, list(TYPES.items()))
        return sorted(zip(*(texts(found.column(name), kind) for name, kind in TYPES.items())))
