"""Events other than changed rows, all under load: changes that the full load already contains, an
added column, TRUNCATE, a reload. dmslake holds a table if an operator must decide; `Operator` does
what the guide says."""

import random
import time
import tomllib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import types_table
from load import SCHEMA
from pipeline import Pipeline
from scene import Scene, conclude, scene, verdict
from waiting import wait_for

ADDED = "added_late"
TRUNCATED, RELOADED = "sbtest2", "sbtest3"
# The most seconds that the stand-in for DMS may take for a reload.
PATIENCE = 60


def run(programs, seed: int, seconds: float, readers: list) -> list[str]:
    """Returns descriptions of faults."""
    with scene("definitions", programs, seed, ["copy-on-write", "auto"]) as of:
        done: Counter = Counter()
        pipeline = of.pipeline
        with ThreadPoolExecutor() as pool:
            load = pool.submit(of.load, seconds)
            pipeline.dms.load_and_follow()
            wait_for(lambda: pipeline.dms.has_said("follows the log"), PATIENCE, "the full load")
            pipeline.configure(of.settings)
            pipeline.start_function()
            redefine(of, seconds / 4, done)
            load.result()
        of.settle(Operator(pipeline, done))
        return conclude(of, verdict(of, readers), done)


def redefine(of: Scene, pause: float, done: Counter):
    """Runs one after another, while everything else continues."""
    add_column(of, done)
    time.sleep(pause)
    truncate_and_reload(of.pipeline, pause, done)


def add_column(of: Scene, done: Counter):
    """To the table of all types, and gives some of its rows a value there."""
    database = of.pipeline.database
    table = f"{types_table.SCHEMA}.{types_table.TABLE}"
    database.run(f"ALTER TABLE {table} ADD COLUMN {ADDED} VARCHAR(40)")
    chance = random.Random(of.chance.random())
    with database.connection() as connection, connection.cursor() as cursor:
        for number in range(50):
            cursor.execute(
                f"UPDATE {table} SET {ADDED} = %s WHERE id >= %s ORDER BY id LIMIT 1",
                (f"late {number}", chance.randrange(1, of.row)),
            )
    done["columns added"] += 1


def truncate_and_reload(pipeline: Pipeline, pause: float, done: Counter):
    """Empties one table, and has it and another one loaded again."""
    table = f"{SCHEMA}.{TRUNCATED}"
    # With a row, also if the load is over: an empty table is loaded without an object.
    pipeline.database.run(
        f"LOCK TABLES {table} WRITE",
        f"TRUNCATE TABLE {table}",
        f"INSERT INTO {table} (k) VALUES (1)",
        "UNLOCK TABLES",
    )
    done["truncated tables"] += 1
    time.sleep(pause)
    # No row shows a TRUNCATE, so the table must be reloaded after it.
    pipeline.dms.load_again(f"{SCHEMA}.{TRUNCATED}", f"{SCHEMA}.{RELOADED}")
    for name in (TRUNCATED, RELOADED):
        wait_for(lambda: pipeline.dms.has_said(f"{name}: is loaded again"), PATIENCE, "a reload")
        done["tables loaded again"] += 1


class Waiting:
    """Does nothing about a load that DMS makes again: it is applied as soon as it is complete."""

    def __init__(self, done: Counter):
        self.done = done

    def __call__(self, report: dict) -> bool:
        """Whether the hold of this report passes by itself."""
        if report["kind"] != "Reloading":
            return False
        assert "not complete yet" in report["error"], report
        self.done["holds as Reloading"] += 1
        time.sleep(5)
        return True


class Operator(Waiting):
    """Removes the causes of holds as the guide says. No others are expected here."""

    def __init__(self, pipeline: Pipeline, done: Counter):
        super().__init__(done)
        self.pipeline = pipeline

    def __call__(self, report: dict) -> bool:
        """Removes the cause of this hold; returns whether it did."""
        if report["kind"] != "SchemaRefused":
            return super().__call__(report)
        self.done["holds as SchemaRefused"] += 1
        self.add_column(report)
        return True

    def add_column(self, report: dict):
        """For CSV the layout must be configured: for all objects with a header, otherwise from one on."""
        text = self.pipeline.config.read_text()
        tables = tomllib.loads(text)["table"]
        (table,) = (one for one in tables if one["source"] == report["table"])
        added = f'{{ name = "{ADDED}", type = "varchar(40)" }},'
        at = text.index("\n]\n", text.index(f'source = "{report["table"]}"')) + len("\n]\n")
        columns = text[:at].rpartition("columns = [\n")[2]
        # DMS writes an added column behind the table's, before those that rules add.
        of_rules = [column["name"] for column in table["columns"] if rules_add(column)]
        if of_rules:
            first_of_rules = f'{{ name = "{of_rules[0]}"'
            layout = columns.replace(first_of_rules, f"{added} {first_of_rules}", 1)
        else:
            layout = columns.removesuffix("]\n") + f"    {added}\n]\n"
        if self.pipeline.dms.has_header:
            text = text[:at].rpartition("columns = [\n")[0] + "columns = [\n" + layout + text[at:]
        else:
            first = report["error"].partition(".csv")[0].rpartition("/")[2]
            text = f'{text[:at]}\n[[table.layout]]\nfrom = "{first}"\ncolumns = [\n{layout}{text[at:]}'
        self.pipeline.config.write_text(text)


def rules_add(column: dict) -> bool:
    return column["name"] == "cdc_seq" or column["name"].startswith("BI_")
