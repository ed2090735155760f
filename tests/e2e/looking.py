"""What the commands that look say of the tables that a part leaves, compared with the source, with
Spark's `DESCRIBE HISTORY`, and with `history()` of deltalake."""

import json
import os
import subprocess
import threading

import deltalake

from conformance import spark_of
from waiting import PAUSE

# The keys of each table of which the life is told.
LIVES = 3
# Of MERGE, by their names in `dmslake history --json`.
METRICS = {
    "inserted": "numTargetRowsInserted",
    "updated": "numTargetRowsUpdated",
    "deleted": "numTargetRowsDeleted",
    "files_added": "numTargetFilesAdded",
    "files_removed": "numTargetFilesRemoved",
    "bytes_written": "numTargetBytesAdded",
}


def faults(of, readers: list) -> list[str]:
    """Descriptions of what is told wrongly. Everything that is staged is applied."""
    found = []
    for schema, name in of.tables:
        table, root = f"{schema}.{name}", of.root(schema, name)
        source = count(of, table)
        wrong = [
            *status(of, table, source),
            *history(of, table, root, source, spark_of(readers)),
            *rows(of, table, source),
            *lives(of, table),
            *verification(of, table, source),
        ]
        found += [f"{table}: {what}" for what in wrong]
    print(f"commands that look: {len(of.tables)} tables, {len(found)} wrong", flush=True)
    return found


def dmslake(of, *arguments: str) -> list[dict]:
    """The lines of JSON of a command."""
    pipeline = of.pipeline
    command = [pipeline.programs.dmslake, *arguments, "--json", "--config", pipeline.config]
    done = subprocess.run(
        command, env=os.environ | pipeline.variables, capture_output=True, text=True
    )
    # With 1, what is wrong is in the lines, unless the command itself has failed.
    if done.returncode > 1 or done.returncode and not done.stdout:
        raise RuntimeError(f"dmslake {' '.join(arguments)}: {done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def count(of, table: str) -> int:
    with of.pipeline.database.connection() as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")
        return cursor.fetchone()[0]


def status(of, table: str, source: int) -> list[str]:
    [told] = dmslake(of, "status", table)
    found = []
    if (told["state"], told["pending"]["objects"]) != ("ok", 0):
        found.append(f"status {told['state']}: {told['reason']}")
    if told["rows"] != source:
        found.append(f"status has {told['rows']} rows, the source {source}")
    if told["lag"]["behind_seconds"] != 0:
        found.append(f"status is {told['lag']['behind_seconds']} s behind an idle source")
    [planned] = dmslake(of, "plan", table)
    if planned["outcome"] != "nothing":
        found.append(f"a plan of nothing: {planned['outcome']}, {planned['reason']}")
    return found


def history(of, table: str, root, source: int, spark) -> list[str]:
    """Every commit, against what two other readers of the log show."""
    told = {entry["version"]: entry for entry in dmslake(of, "history", table, "--limit", "1000000")}
    found = []
    newest = max(told)
    if told[newest]["rows_after"] not in (None, source):
        found.append(f"history ends with {told[newest]['rows_after']} rows, the source has {source}")
    others = {"deltalake": of_deltalake(root)}
    if spark:
        others["Spark"] = of_spark(spark, root)
    for reader, commits in others.items():
        for version in sorted(told.keys() & commits.keys()):
            found += [f"{reader}: {wrong}" for wrong in differing(told[version], commits[version])]
        if missing := told.keys() ^ commits.keys():
            found.append(f"{reader}: only one of two histories has the versions {sorted(missing)}")
    return found[:10]


def of_deltalake(root) -> dict[int, dict]:
    commits = deltalake.DeltaTable(str(root)).history()
    return {commit["version"]: commit for commit in commits}


def of_spark(spark, root) -> dict[int, dict]:
    shown = spark.sql(f"DESCRIBE HISTORY delta.`{root}`").collect()
    return {row["version"]: row.asDict() for row in shown}


def differing(told: dict, other: dict) -> list[str]:
    """What another reader shows of a commit of ours that took in objects."""
    version = told["version"]
    if other["operation"] != told["operation"]:
        return [f"version {version} is {other['operation']}, told is {told['operation']}"]
    if told["writer"] != "dmslake" or not told["objects"]:
        return []
    found = []
    metrics = other["operationMetrics"]
    for name, metric in METRICS.items():
        if told[name] is not None and int(metrics[metric]) != told[name]:
            found.append(f"version {version}: {metric} {metrics[metric]}, told is {told[name]}")
    summary = json.loads(other["userMetadata"])
    for name in ("rows", "superseded", "ignored", "quarantined"):
        if summary[name] != told["changes"][name]:
            found.append(f"version {version}: {name} {summary[name]}, told {told['changes'][name]}")
    if (summary["objects"], summary["tableRows"]) != (told["objects"], told["rows_after"]):
        found.append(f"version {version}: {summary}, told is {told}")
    return found


def rows(of, table: str, source: int) -> list[str]:
    [told] = dmslake(of, "query", f"SELECT count(*) AS rows FROM {table}")
    found = []
    if told["rows"] != source:
        found.append(f"query counts {told['rows']} rows, the source {source}")
    commits = dmslake(of, "history", table, "--limit", "2")
    if len(commits) == 2 and all(commit["rows_after"] is not None for commit in commits):
        newer, older = commits
        span = ["--from", str(older["version"]), "--to", str(newer["version"])]
        changes = [key["change"] for key in dmslake(of, "diff", table, *span, "--limit", "0")]
        grown = changes.count("inserted") - changes.count("deleted")
        if older["rows_after"] + grown != newer["rows_after"]:
            found.append(f"diff {span}: {grown} more rows, history {older} {newer}")
    return found


def lives(of, table: str) -> list[str]:
    """Some rows that are there, and one that is not."""
    with of.pipeline.database.connection() as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT id FROM {table} ORDER BY rand({of.chance.randrange(2**31)})")
        keys = [row[0] for row in cursor.fetchmany(LIVES)]
        cursor.execute(f"SELECT max(id) + 1000000 FROM {table}")
        absent = cursor.fetchone()[0]
    found = []
    for key, is_there in [*((key, True) for key in keys), (absent, False)]:
        if key is None:
            continue
        [told] = dmslake(of, "why", table, str(key))
        if (told["row"] is not None) != is_there:
            found.append(f"why: the row {key} is there: {not is_there}, the source says the reverse")
        last = told["events"][-1]["change"] if told["events"] else None
        if is_there and last == "deleted" or not is_there and last not in (None, "deleted"):
            found.append(f"why: the life of the row {key} ends with {last}")
    return found


def verification(of, table: str, source: int, *place: str) -> list[str]:
    [told] = dmslake(of, "verify", table, "--mysql", of.pipeline.database.url, *place)
    if told["verdict"] != "equal" or told["source_rows"] != source or told["lake_rows"] != source:
        return [f"verify: {json.dumps(told)}"]
    return []


class UnderLoad:
    """Verifies one table after another, while the source changes and the function applies."""

    def __init__(self, of):
        self.of = of
        self.found: list[str] = []
        self.done = 0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._verify)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._is_over.set()
        self._thread.join()
        print(f"verified under load: {self.done} times, {len(self.found)} wrong", flush=True)

    def _verify(self):
        while not self._is_over.wait(PAUSE):
            for schema, name in self.of.tables:
                # On a busy machine the first load may not be applied yet.
                if not (self.of.root(schema, name) / "_delta_log").exists():
                    continue
                table = f"{schema}.{name}"
                url = self.of.pipeline.database.url
                try:
                    told = dmslake(self.of, "verify", table, "--mysql", url, "--wait", "60")
                except RuntimeError as error:
                    self.found.append(f"{table}: {error}")
                    continue
                self.done += len(told)
                # What is on its way may leave it open; a difference would be one.
                wrong = [one for one in told if one["verdict"] == "different"]
                self.found += [f"{table}: verify under load: {json.dumps(one)}" for one in wrong]
