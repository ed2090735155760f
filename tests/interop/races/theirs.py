"""Spark's side of a race: its operations on a table, and their effect on the rows."""

import re
import shutil
import subprocess
import threading
import time
from decimal import Decimal
from pathlib import Path

import tools

PATIENCE = 300
# Keys that Spark inserts; we insert some of them too.
NEW = range(9000, 9020)
SCHEMA = "id long, name string, amount decimal(15,2), placed timestamp, gone boolean"

MERGE = """
MERGE INTO delta.`{root}` t USING theirs s ON t.id = s.id
WHEN MATCHED AND s.gone THEN DELETE
WHEN MATCHED THEN UPDATE SET name = s.name, amount = s.amount, placed = s.placed
WHEN NOT MATCHED THEN INSERT (id, name, amount, placed)
  VALUES (s.id, s.name, s.amount, s.placed)
"""
INSERT = "INSERT INTO delta.`{root}` SELECT id, name, amount, placed FROM theirs"
OPERATIONS = ["OPTIMIZE", "OPTIMIZE, VACUUM", "DELETE", "MERGE", "INSERT"]


class Theirs:
    """One prepared operation on one table; running it is deterministic."""

    def __init__(self, session, shop, operation: str):
        self.session, self.shop, self.operation = session, shop, operation
        present = sorted(shop.rows)
        self.gone = set()
        self.written = {}
        if operation == "DELETE":
            self.gone = {key for key in present if key % 5 == 0}
        if operation == "MERGE":
            self.gone = set(present[::7])
            written = {*present[::3], *NEW} - self.gone
            self.written = {key: shop.row(key) for key in sorted(written)}
        if operation == "INSERT":
            self.written = {key: shop.row(key) for key in NEW}

    def run(self):
        """Runs it to completion; raises what Spark raises."""
        root = self.shop.root
        if self.operation in ("MERGE", "INSERT"):
            rows = [(*row[:2], Decimal(row[2]), row[3], False) for row in self.written.values()]
            rows += [(key, None, None, None, True) for key in self.gone]
            self.session.createDataFrame(rows, SCHEMA).createOrReplaceTempView("theirs")
            self.session.sql((MERGE if self.operation == "MERGE" else INSERT).format(root=root))
        elif self.operation == "DELETE":
            self.session.sql(f"DELETE FROM delta.`{root}` WHERE id % 5 = 0")
        else:
            self.session.sql(f"OPTIMIZE delta.`{root}`")
            if "VACUUM" in self.operation:
                self.session.sql(f"VACUUM delta.`{root}` RETAIN 0 HOURS")

    def effect(self, rows: dict) -> dict:
        """The rows after it."""
        gone = lambda key: key % 5 == 0 if self.operation == "DELETE" else key in self.gone
        return {key: row for key, row in rows.items() if not gone(key)} | self.written


class HeldTheirs:
    """A Spark operation that is paused before it writes its first commit."""

    def __init__(self, theirs: Theirs):
        self.theirs, self.folder, self.error = theirs, theirs.shop.folder, None
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.property("setProperty", "dmslake.hold", str(self.folder))
        self.thread.start()
        end = time.monotonic() + PATIENCE
        while not (self.folder / "spark-at").exists():
            if not self.thread.is_alive() or time.monotonic() > end:
                raise AssertionError(f"Spark does not reach its commit: {self.error}")
            time.sleep(0.005)
        return self

    def __exit__(self, *_):
        self.go()
        self.property("clearProperty", "dmslake.hold")

    def property(self, call: str, *arguments):
        getattr(self.theirs.session._jvm.java.lang.System, call)(*arguments)

    def go(self) -> str:
        """Resumes it, and returns how it ended: `committed` or the name of the conflict."""
        (self.folder / "spark-go").touch()
        self.thread.join(PATIENCE)
        return conflict(self.error) if self.error else "committed"

    def run(self):
        try:
            self.theirs.run()
        except Exception as error:  # how Spark ends is what the race asks
            self.error = error


def conflict(error: Exception) -> str:
    """The name of the conflict that an operation ended with."""
    found = re.search(r"\b(Concurrent\w+Exception)\b", str(error))
    if not found:
        raise error
    return found[1]


def held_log_store(folder: Path) -> str:
    """Compiles the log store that can pause a commit; returns the jar."""
    import pyspark

    home = Path(tools.java(17)["JAVA_HOME"])
    source = Path(__file__).parents[1] / "servers" / "HeldLogStore.java"
    jars = ":".join([f"{Path(pyspark.__file__).parent}/jars/*", *map(str, tools.JARS)])
    classes = folder / "classes"
    subprocess.run([home / "bin/javac", "-cp", jars, "-d", classes, source], check=True)
    return str(shutil.make_archive(str(folder / "held"), "zip", classes))
