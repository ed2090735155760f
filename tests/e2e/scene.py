"""The common beginning and end of all parts: a pipeline with loaded tables, load, and the checks."""

import random
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import compare
import draw
import types_table
from load import SCHEMA, Sysbench
from pipeline import Pipeline
from readers.manifest import ByManifest
from standin import mappings

# sysbench's tables, their rows, and its connections.
TABLES, ROWS, THREADS = 3, 10_000, 4
ENVIRONMENTS = 2
SCHEMAS = [SCHEMA, types_table.SCHEMA]
# The first id of rows inserted under load into the table of all types.
FIRST_ROW = 1000


@dataclass
class Scene:
    """One run of one part."""

    pipeline: Pipeline
    sysbench: Sysbench
    chance: random.Random
    settings: draw.Settings
    written: Counter = field(default_factory=Counter)
    row: int = FIRST_ROW

    @property
    def tables(self) -> list[tuple[str, str]]:
        """Schema and name of every table."""
        found = [(SCHEMA, name) for name in self.sysbench.tables]
        return [*found, (types_table.SCHEMA, types_table.TABLE)]

    def root(self, schema: str, name: str):
        return self.pipeline.lake / schema / name

    def load(self, seconds: float, rate: int = 0):
        """sysbench at full speed or at the given rate, and changes to the table of all types, for
        the given time."""
        # A separate generator, so that concurrent draws do not affect it.
        chance = random.Random(self.chance.random())
        self.sysbench.start(int(seconds), self.chance.randrange(1, 2**31), rate)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.change_types(chance)
            time.sleep(0.5)
        self.written.update(self.sysbench.wait())

    def change_types(self, chance: random.Random):
        database = self.pipeline.database
        for _ in range(5):
            types_table.insert_random(database, chance, self.row)
            self.row += 1
        types_table.change(database, chance, 20)

    def settle(self, operator=None):
        """Waits until DMS has written all commits and the function has applied them."""
        self.pipeline.dms.finish()
        self.pipeline.settle(operator)

    def go_on(self):
        """Continues to follow the log and to serve the queue after `settle`."""
        self.pipeline.dms.follow()
        self.pipeline.mapping.start()


@contextmanager
def scene(part: str, programs, seed: int, merges: list[str], settings=None):
    """A pipeline with created and filled tables, and a task that has not started."""
    chance = random.Random(f"{seed} {part}")
    settings = settings or draw.settings(chance, merges)
    print(f"== {part}: {settings}", flush=True)
    with Pipeline(programs, seed, ENVIRONMENTS) as pipeline:
        sysbench = Sysbench(pipeline.database, TABLES, ROWS, THREADS)
        sysbench.prepare()
        types_table.create(pipeline.database)
        types_table.fill(pipeline.database)
        rules = mappings(SCHEMAS, settings.has_sequence)
        pipeline.stand_in(rules, settings)
        yield Scene(pipeline, sysbench, chance, settings)


def begin(of: Scene, configure_more=lambda: None):
    """Loads the tables, configures dmslake and starts to follow the log."""
    of.pipeline.dms.load()
    of.pipeline.configure(of.settings)
    configure_more()
    of.pipeline.start_function()
    of.pipeline.dms.follow()


def verdict(of: Scene, readers: list, lake: Path | None = None) -> list[str]:
    """Compares every table in every reader with the source, in the pipeline's lake or another one.
    Returns descriptions of faults."""
    faults, rows, wrong = [], 0, 0
    lake = lake or of.pipeline.lake
    if of.settings.has_manifests:
        readers = [*readers, ByManifest()]
    for schema, name in of.tables:
        cells = []
        for reader in readers:
            outcome = compare.table(of.pipeline.database, schema, name, lake / schema / name, reader)
            rows += outcome.rows
            wrong += outcome.missing + outcome.surplus
            if outcome.fault:
                faults.append(
                    f"{schema}.{name}, {reader.name}: {outcome.missing} rows are missing or "
                    f"different, {outcome.surplus} too many; {outcome.fault}"
                )
            cells.append(f"{reader.name} {'FAILED' if outcome.fault else outcome.rows}")
        print(f"{schema}.{name}: rows equal: {', '.join(cells)}", flush=True)
    print(f"rows compared {rows}; lost, duplicated or different: {wrong}", flush=True)
    return faults


def conclude(of: Scene, faults: list[str], more: Counter | None = None) -> list[str]:
    """Prints what was done. Returns the faults, whose traces are kept."""
    pipeline = of.pipeline
    pipeline.is_kept = bool(faults)
    shown = Counter(more or {}) + pipeline.mapping.figures
    shown.update({f"S3 answers with {name}": n for name, n in pipeline.proxy.faults.items()})
    shown["objects of DMS"] = pipeline.dms.objects()
    shown["conflicts"] = pipeline.proxy.conflicts
    shown["commits"] = sum(
        len(list((of.root(*table) / "_delta_log").glob("*.json"))) for table in of.tables
    )
    print(f"transactions {of.written['transactions']}, rows written {of.written['write']}")
    for name, count in sorted(shown.items()):
        print(f"  {name} {count}")
    return faults
