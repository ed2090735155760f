"""The stand-in for DMS alone, as two tasks of two shards: rules that rename and that add constants, and
all changes in the order of transactions. dmslake does not read such objects."""

import csv
import random
import shutil
import tempfile
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from database import Database
from draw import INTERVAL, Settings
from standin import StandIn, mappings, rule

SHARDS = ["shop_a", "shop_b"]
# By name at the source, the name at the target.
TABLES = {"orders": "purchases", "lines": "lines"}
CHANGED = "changed"
# How many rows a table has about, and changes a transaction at most.
KEYS, LONGEST = 60, 12


def run(_programs, seed: int, seconds: float, _readers: list) -> list[str]:
    """Returns descriptions of faults."""
    chance = random.Random(f"{seed} shards")
    folder = Path(tempfile.mkdtemp(prefix="dmslake-e2e-shards-"))
    with Database() as database:
        for shard in SHARDS:
            database.run(
                f"CREATE DATABASE {shard}",
                *(f"CREATE TABLE {shard}.{table} (id INT PRIMARY KEY, mark INT NOT NULL, note TEXT NOT NULL)"
                  for table in TABLES),
            )  # fmt: skip
        marks = {shard: change(database, chance, shard, 0, 20) for shard in SHARDS}
        tasks = [stand_in(database, chance, folder, shard) for shard in SHARDS]
        try:
            for task in tasks:
                task.load_and_follow()
            # Changes come while the tables are loaded, too.
            load(database, chance, marks, seconds)
            for task in tasks:
                task.finish()
        finally:
            for task in tasks:
                if task.process:
                    task.kill()
        faults = []
        for shard, task in zip(SHARDS, tasks):
            faults += judged(database, folder / shard / "staging", shard, task.settings)
            print(f"{shard}: {marks[shard]} transactions, {task.objects()} objects", flush=True)
    if faults:
        print(f"objects are kept in {folder}")
    else:
        shutil.rmtree(folder)
    return faults


def stand_in(database, chance: random.Random, folder: Path, shard: str) -> StandIn:
    s3 = {
        "DataFormat": "csv", "PreserveTransactions": True, "CdcPath": CHANGED,
        "CdcMaxBatchInterval": INTERVAL, "CdcMinFileSize": chance.choice([1, 32_000]),
        "TimestampColumnName": chance.choice(["", "dms_ts"]), "IncludeOpForFullLoad": True,
    }  # fmt: skip
    uncertain = {"split_transactions": chance.random() < 0.5}
    settings = Settings(s3, True, uncertain, {}, "", False)
    print(f"== shards: {shard}: {s3} {uncertain}", flush=True)
    # A name that the wildcard `_` would take for that of more schemas.
    rules = mappings([shard.replace("_", "[_]")], settings.has_sequence)
    rules += [
        rule(20, "transformation", "rename", value="shop", **{"rule-target": "schema"}),
        rule(21, "transformation", "rename", value=TABLES["orders"], **{
            "rule-target": "table", "object-locator": {"schema-name": shard, "table-name": "ord%"}}),
        rule(22, "transformation", "add-column", value="shard", expression=f"'it''s {shard}'",
             **{"rule-target": "column", "data-type": {"type": "string", "length": 20}}),
        rule(23, "transformation", "add-column", value="from", expression="$AR_M_SOURCE_SCHEMA",
             **{"rule-target": "column"}),
    ]  # fmt: skip
    place = folder / shard
    place.mkdir()
    number = 5000 + SHARDS.index(shard)
    return StandIn(place, database.url, str(place / "staging"), None, rules, settings, number)


def load(database, chance: random.Random, marks: dict[str, int], seconds: float):
    """Transactions in both shards at once, each over all tables."""

    def write(shard: str, seed: float):
        own, end = random.Random(seed), threading.Event()
        timer = threading.Timer(seconds, end.set)
        timer.start()
        while not end.is_set():
            marks[shard] = change(database, own, shard, marks[shard], 1)

    threads = [threading.Thread(target=write, args=(one, chance.random())) for one in SHARDS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def change(database, chance: random.Random, shard: str, mark: int, count: int) -> int:
    """Commits transactions. Each has a higher mark in all rows that it writes. Returns the last."""
    with database.connection() as connection, connection.cursor() as cursor:
        for _ in range(count):
            mark += 1
            cursor.execute("BEGIN")
            for _ in range(chance.randint(2, LONGEST)):
                table, key = f"{shard}.{chance.choice(list(TABLES))}", chance.randrange(KEYS)
                dice = chance.random()
                if dice < 0.2:
                    cursor.execute(f"DELETE FROM {table} WHERE id = {key}")
                elif dice < 0.4:
                    moved = key + chance.choice([-KEYS, KEYS])
                    cursor.execute(
                        f"UPDATE IGNORE {table} SET id = {moved}, mark = {mark} WHERE id = {key}"
                    )
                else:
                    note = chance.choice(["", "a,b", '"q"', "two\nlines", "é"])
                    cursor.execute(
                        f"INSERT INTO {table} VALUES ({key}, {mark}, %s) ON DUPLICATE KEY UPDATE "
                        f"mark = {mark}, note = VALUES(note)", (note,),
                    )  # fmt: skip
            cursor.execute("ROLLBACK" if chance.random() < 0.1 else "COMMIT")
    return mark


@dataclass
class Replay:
    """What a shard's objects lead to, and their faults."""

    shard: str
    settings: Settings
    # By table and key.
    rows: dict[str, dict] = field(default_factory=lambda: {table: {} for table in TABLES.values()})
    faults: list[str] = field(default_factory=list)
    done: Counter = field(default_factory=Counter)
    # Of the newest change.
    sequence: str = ""
    mark: int = 0

    def load(self, path: Path):
        for _, *values in _records(path):
            key, row, _, _ = self._parts(values)
            self.rows[path.parent.name][key] = row

    def changes(self, path: Path):
        """Transactions are in their order, and whole unless they may be split."""
        is_first = not self.settings.uncertain["split_transactions"]
        for op, table, schema, *values in _records(path):
            key, row, before, sequence = self._parts(values)
            if schema != "shop" or sequence <= self.sequence:
                self.faults.append(f"{path}: {schema}.{table} has {sequence} after {self.sequence}")
            self.sequence = sequence
            rows = self.rows[table]
            rows.pop(int(before) if op == "U" else key, None)
            if op != "D":
                if row[0] < self.mark or (is_first and row[0] == self.mark):
                    self.faults.append(f"{path}: transaction {row[0]} comes after {self.mark}")
                self.mark, is_first = row[0], False
                rows[key] = row
            self.done[op] += 1

    def _parts(self, values: list[str]) -> tuple[int, tuple[int, str], str, str]:
        """Key, other columns, old key and change sequence of a row."""
        if self.settings.s3["TimestampColumnName"]:
            values = values[1:]
        key, mark, note, before, sequence, constant, name = values
        if (constant, name) != (f"it's {self.shard}", self.shard):
            self.faults.append(f"{self.shard}: rules add {constant!r} and {name!r}")
        return int(key), (int(mark), note), before, sequence


def judged(database, staging: Path, shard: str, settings: Settings) -> list[str]:
    """The faults of a shard's objects: what they lead to must be the source."""
    replay = Replay(shard, settings)
    for path in sorted(staging.glob("shop/*/LOAD*.csv")):
        replay.load(path)
    for path in sorted(staging.glob(f"{CHANGED}/CDC_TXN-*.csv")):
        replay.changes(path)
    for source, table in TABLES.items():
        with database.connection() as connection, connection.cursor() as cursor:
            cursor.execute(f"SELECT id, mark, note FROM {shard}.{source}")
            wanted = {key: tuple(row) for key, *row in cursor.fetchall()}
        if replay.rows[table] != wanted:
            replay.faults.append(f"{shard}.{source}: its objects do not lead to its rows")
    if not all(replay.done[op] for op in "IUD"):
        replay.faults.append(f"{shard}: too little was changed: {replay.done}")
    return replay.faults


def _records(path: Path):
    with path.open(newline="") as file:
        yield from csv.reader(file)
