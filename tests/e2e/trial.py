"""Runs the section of dms/README.md with which a new user begins, as it is written there: its SQL at a
MariaDB, its commands in an environment that knows nothing else. What they print must be what the
section shows, and the lake's rows must be the source's."""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb
import duckdb_extension_delta

from database import Database
from readers.duckdb import DuckDb

README = Path(__file__).parent / "dms" / "README.md"
TABLES = {"customers": ["id", "name", "since"], "orders": ["id", "customer", "total", "placed"]}
# Names after the time, positions in the log and durations.
VARIES = re.compile(r"\d{8}-\d{9}|\S+\.\d+:\d+|\d+\.\d+ s")
PATIENCE = 120


def blocks(text: str) -> list[tuple[str, str]]:
    """Language and text of each block in the section."""
    (section,) = re.findall(r"^## Try it$(.*?)^## ", text, re.DOTALL | re.MULTILINE)
    return re.findall(r"^```(\w+)\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)


def commands(block: str) -> list[tuple[str, str]]:
    """Each command of a console, and what it prints."""
    found = re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    parts = (re.fullmatch(r"((?:[^\n]*\\\n)*[^\n]*\n)(.*)", one, re.DOTALL) for one in found)
    return [(part[1], part[2]) for part in parts]


class Shell:
    """An environment with a home of its own, in which DuckDB finds its extension without a download."""

    def __init__(self, folder: Path, programs: Path):
        self.folder = folder
        self.variables = {
            "HOME": str(folder), "PATH": f"{programs}:{os.defpath}", "TZ": "UTC", "LANG": "C.UTF-8",
        }  # fmt: skip
        (binary,) = Path(duckdb_extension_delta.__file__).parent.rglob("delta.duckdb_extension")
        (platform,) = duckdb.sql("PRAGMA platform").fetchone()
        place = folder / ".duckdb" / "extensions" / binary.parent.name / platform
        place.mkdir(parents=True)
        shutil.copy(binary, place)

    def run(self, command: str) -> str:
        done = subprocess.run(
            ["bash", "-c", command], cwd=self.folder, env=self.variables, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE,
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(f"{command}exit code {done.returncode}\n{done.stdout}")
        return done.stdout


def differences(database: Database, lake: Path) -> list[str]:
    """Tables of the lake whose rows are not the source's."""
    found = []
    for table, columns in TABLES.items():
        names = ", ".join(columns)
        with database.connection() as connection, connection.cursor() as cursor:
            cursor.execute(f"SELECT {names} FROM shop.{table} ORDER BY id")
            wanted = list(cursor.fetchall())
        read = DuckDb().read(lake / "shop" / table, columns)
        rows = read.select(columns).sort_by("id").to_pylist()
        rows = [tuple(_plain(value) for value in row.values()) for row in rows]
        if rows != wanted:
            found.append(f"shop.{table}: the source has {wanted}, the lake {rows}")
    return found


def _plain(value):
    # MySQL's DATETIME has no zone.
    return value.replace(tzinfo=None) if hasattr(value, "tzinfo") else value


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("programs", type=Path, help="folder of dmslake, dmslake-dms and duckdb")
    chosen = parser.parse_args()
    faults, ran = [], 0
    with Database() as database, tempfile.TemporaryDirectory(prefix="dmslake-trial-") as folder:
        shell = Shell(Path(folder), chosen.programs.resolve())
        for language, text in blocks(README.read_text()):
            if language == "sql":
                database.run(*filter(str.strip, text.split(";\n")))
            if language != "console":
                continue
            for command, wanted in commands(text):
                print(f"$ {command}", end="", flush=True)
                printed = shell.run(command.replace(":3306", f":{database.port}"))
                print(printed, end="", flush=True)
                ran += 1
                if VARIES.sub("…", printed) != VARIES.sub("…", wanted):
                    faults.append(f"{README} shows something else for: {command}{wanted}")
            faults += differences(database, Path(folder) / "lake")
    print(*faults, f"{ran} commands of {README.name}: {len(faults)} faults", sep="\n")
    return 1 if faults or ran < 5 else 0


if __name__ == "__main__":
    sys.exit(main())
