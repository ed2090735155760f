"""Checks that our tables are valid Delta tables in every version, with correct statistics.

The log is replayed here independently, following only the protocol; Spark and deltalake open every
version; each data file is read and compared with its statistics."""

import datetime
import json
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, QueryBuilder
from pyarrow import parquet

# Reader and writer version of a table without deletion vectors, and with them.
PLAIN, WITH_VECTORS = (1, 2), (3, 7)
MILLISECOND = datetime.timedelta(milliseconds=1)
# A truncated text bound keeps at least this many characters.
KEPT = 16
# The number of columns with statistics by default.
INDEXED = 32
# The number of versions whose rows Spark also counts; it opens all of them.
COUNTED = 8
# The most faults shown per table, and the most characters of each.
SHOWN, LONGEST = 10, 400


@dataclass
class Version:
    """One version according to the log."""

    number: int
    protocol: tuple[int, int]
    columns: list[str]
    # Live files, by path, with their add actions.
    live: dict[str, dict]

    @property
    def has_vectors(self) -> bool:
        return any(add.get("deletionVector") for add in self.live.values())


@dataclass
class Log:
    """A table's log, replayed."""

    root: Path
    versions: list[Version] = field(default_factory=list)
    # The add actions of these versions.
    adds: list[dict] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def faults(of, readers: list, since: dict | None = None) -> list[str]:
    """Describes faults of a scene's tables, starting at the given version of each or the first."""
    found = []
    spark = spark_of(readers)
    for schema, name in of.tables:
        log = replayed(of.root(schema, name), (since or {}).get(name, 0))
        wrong = [*log.faults]
        step = max(1, len(log.versions) // COUNTED)
        for at, version in enumerate(log.versions):
            # A table has the basic protocol until its first vector.
            allowed = {WITH_VECTORS} if version.has_vectors else {PLAIN, WITH_VECTORS}
            if of.settings.merge == "copy-on-write":
                allowed = {PLAIN}
            if version.protocol not in allowed:
                wrong.append(f"version {version.number} has protocol {version.protocol}")
            is_counted = at % step == 0 or version is log.versions[-1]
            wrong += opened(log.root, version, spark if is_counted else None)
        # A file with a new vector is added again.
        for add in {(add["path"], add["stats"]): add for add in log.adds}.values():
            wrong += untrue(log.root, add)
        if spark:
            wrong += travelled(spark, log)
        unnamed = leftovers(log)
        print(
            f"{schema}.{name}: {len(log.versions)} versions opened, {len(log.adds)} files compared "
            f"with their statistics, {unnamed} unreferenced files"
            + (f"; {len(wrong)} FAULTS" if wrong else ""),
            flush=True,
        )
        found += [f"{schema}.{name}: {one}"[:LONGEST] for one in wrong[:SHOWN]]
    return found


def spark_of(readers: list):
    """The Spark session among the readers, if there is one."""
    return next((reader.session for reader in readers if reader.name == "Spark"), None)


def replayed(root: Path, since: int) -> Log:
    """Replays the log; reports files that are removed without being there, or added twice.
    Returns versions and files from the given version on."""
    log = Log(root)
    live: dict[str, dict] = {}
    protocol, columns = (0, 0), []
    commits = sorted((root / "_delta_log").glob("*.json"))
    for at, path in enumerate(commits):
        number = int(path.stem)
        if number != at:
            log.faults.append(f"version {at} is missing")
        actions = commit(path)
        for action in actions:
            if remove := action.get("remove"):
                if live.pop(remove["path"], None) is None:
                    log.faults.append(f"version {number} removes {remove['path']}, which is not there")
        for action in actions:
            if said := action.get("protocol"):
                protocol = (said["minReaderVersion"], said["minWriterVersion"])
            if metadata := action.get("metaData"):
                columns = [one["name"] for one in json.loads(metadata["schemaString"])["fields"]]
            if add := action.get("add"):
                if add["path"] in live:
                    log.faults.append(f"version {number} adds {add['path']} twice")
                live[add["path"]] = add
                if number >= since:
                    log.adds.append(add)
        if number >= since:
            log.versions.append(Version(number, protocol, columns, dict(live)))
    return log


def commit(path: Path) -> list[dict]:
    """The actions of one commit."""
    return [json.loads(line, parse_float=Decimal) for line in path.open()]


def opened(root: Path, version: Version, spark) -> list[str]:
    """Opens a version with deltalake and Spark. Both must find the files and rows of the log."""
    found = []
    table = DeltaTable(str(root), version=version.number)
    paths = {Path(unquote(uri)).name for uri in table.file_uris()}
    if paths != {Path(unquote(path)).name for path in version.live}:
        found.append(f"version {version.number}: deltalake's live files differ from the log")
    for path, add in version.live.items():
        file = root / unquote(path)
        if not file.exists() or file.stat().st_size != add["size"]:
            found.append(f"version {version.number}: live file {path} is missing or truncated")
    counts = ", ".join(f"count(`{name}`)" for name in version.columns)
    query = QueryBuilder().register("t", table).execute(
        f"SELECT count(*), sum(id), {counts.replace('`', chr(34))} FROM t"
    )
    ours = [str(column[0]) for column in pa.table(query.read_all()).columns]
    if spark:
        read = spark.read.format("delta").option("versionAsOf", version.number).load(str(root))
        read.createOrReplaceTempView("version")
        (row,) = spark.sql(f"SELECT count(*), sum(id), {counts} FROM version").collect()
        theirs = [str(value) for value in row]
        if ours != theirs:
            found.append(f"version {version.number}: deltalake counts {ours}, Spark {theirs}")
    return found


def travelled(spark, log: Log) -> list[str]:
    """Checks that Spark's history has all versions, and that Spark finds each by its timestamp, with
    the live files of the log."""
    found = []
    live = {
        version.number: {Path(unquote(path)).name for path in version.live}
        for version in log.versions
    }
    history = spark.sql(f"DESCRIBE HISTORY delta.`{log.root}`").collect()
    times = {row["version"]: str(row["timestamp"]) for row in history}
    if live.keys() - times.keys():
        found.append(f"the history lacks versions {sorted(live.keys() - times.keys())}")
    for number in live.keys() & times.keys():
        reader = spark.read.format("delta").option("timestampAsOf", times[number])
        files = {Path(unquote(path)).name for path in reader.load(str(log.root)).inputFiles()}
        if files != live[number]:
            found.append(f"version {number} is not found by its timestamp, or has other files")
    return found


def leftovers(log: Log) -> int:
    """Data files that no version references: leftovers of killed processes, until a vacuum."""
    named = {unquote(add["path"]) for add in log.adds}
    there = (path.relative_to(log.root) for path in log.root.rglob("*.parquet"))
    return sum(
        str(path) not in named for path in there if not str(path).startswith("_delta_log")
    )


def untrue(root: Path, add: dict) -> list[str]:
    """Describes differences between a file's statistics and its rows."""
    said = json.loads(add["stats"], parse_float=Decimal)
    rows = parquet.read_table(root / unquote(add["path"]))
    found = []
    if said["numRecords"] != rows.num_rows:
        found.append(f"numRecords {said['numRecords']} instead of {rows.num_rows}")
    if not {"id"} <= said["minValues"].keys() & said["maxValues"].keys():
        found.append("the key has no bounds")
    for at, name in enumerate(rows.column_names):
        column = rows.column(name)
        nulls = column.null_count if at < INDEXED else None
        if said["nullCount"].get(name) != nulls:
            found.append(f"nullCount of {name}: {said['nullCount'].get(name)} instead of {nulls}")
        if name in said["minValues"] or name in said["maxValues"]:
            found += unbounded(name, column, said["minValues"].get(name), said["maxValues"].get(name))
    return [f"{add['path']}: {one}" for one in found]


def unbounded(name: str, column: pa.ChunkedArray, low, high) -> list[str]:
    """Describes bounds that differ from the column's, except by the truncation of texts and times."""
    real = pc.min_max(column).as_py()
    least, most = real["min"], real["max"]
    if least is None:
        return [f"{name} has bounds and no values"]
    if isinstance(least, str):
        fits = (low is None or low == least or is_cut(low, least)) and (
            high is None
            or high == most
            or (is_cut(high[:-1], most) and high.encode() >= most.encode())
        )
    elif isinstance(least, datetime.datetime):
        fits = (low is None or datetime.timedelta(0) <= least - instant(low) < MILLISECOND) and (
            high is None or abs(instant(high) - most) < MILLISECOND
        )
    elif isinstance(least, datetime.date):
        fits = low in (None, least.isoformat()) and high in (None, most.isoformat())
    else:
        kind = type(least)
        fits = (low is None or kind(low) == least) and (high is None or kind(high) == most)
    return [] if fits else [f"{name} has bounds [{low}, {high}] instead of [{least}, {most}]"]


def is_cut(text: str, of: str) -> bool:
    return len(text) >= KEPT and of.startswith(text)


def instant(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)
