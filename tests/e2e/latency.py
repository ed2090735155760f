"""The time from a change to the lake, and the S3 requests of an invocation.

Under a steady load, rows are inserted at known times. The proxy records when the object with a row
was written, and when the commit that adds the row was written. The time between them is our part;
the time from the database's commit to the object is that of DMS."""

import statistics
import time
from io import BytesIO
from urllib.parse import unquote

from pyarrow import parquet

import draw
import trips
from conformance import commit
from pipeline import LAKE, STAGING
from scene import Scene, begin, conclude, scene, verdict
from types_table import SCHEMA

# Changes per second in total. A sysbench transaction writes four rows.
RATE, WRITES = 200, 4
PULSE, PULSES = "pulse", 20
SHARES = {"p50": 50, "p95": 95, "p99": 99}
SETTINGS = draw.Settings(
    s3={"DataFormat": "parquet", "TimestampColumnName": "dms_ts", "CdcMaxBatchInterval": draw.INTERVAL},
    has_sequence=True, uncertain={}, task={}, merge="copy-on-write",
)  # fmt: skip


def run(programs, seed: int, seconds: float, readers: list) -> list[str]:
    """Returns descriptions of faults."""
    with scene("latency", programs, seed, [], SETTINGS) as of:
        pipeline = of.pipeline
        pipeline.database.run(
            f"CREATE TABLE {SCHEMA}.{PULSE} (id BIGINT PRIMARY KEY, note VARCHAR(40))"
        )
        begin(of)
        # Only the warm state afterwards is measured.
        of.load(5, rate=RATE // WRITES)
        pipeline.proxy.requests = []
        of.sysbench.start(int(seconds), of.chance.randrange(1, 2**31), (RATE - PULSES) // WRITES)
        committed = pulse(pipeline.database, seconds)
        written = of.sysbench.wait()
        of.written.update(written)
        of.settle()
        noted, pipeline.proxy.requests = pipeline.proxy.requests, None
        rate = (written["write"] + len(committed)) / seconds
        faults = told(of, noted, committed, rate)
        faults += verdict(of, readers)
        faults += trips.counted(of)
        return conclude(of, faults)


def pulse(database, seconds: float) -> dict[int, float]:
    """Inserts rows one by one; returns when each was committed."""
    committed = {}
    begun = time.time()
    with database.connection() as connection, connection.cursor() as cursor:
        for row in range(int(seconds * PULSES)):
            time.sleep(max(0, begun + row / PULSES - time.time()))
            cursor.execute(f"INSERT INTO {SCHEMA}.{PULSE} VALUES ({row}, 'pulse {row}')")
            committed[row] = time.time()
    return committed


def told(of: Scene, noted: list, committed: dict[int, float], rate: float) -> list[str]:
    staged = first_seen(staged_rows(of, noted))
    visible = first_seen(visible_rows(of, noted))
    if staged.keys() != committed.keys() or visible.keys() != committed.keys():
        return [f"of {len(committed)} rows, {len(staged)} were staged and {len(visible)} became visible"]
    print(f"{len(committed)} rows timed under {rate:.0f} changes/s, seconds:")
    parts = {
        "commit to object, DMS's part": [staged[row] - committed[row] for row in committed],
        "object to visible row, ours": [visible[row] - staged[row] for row in committed],
    }
    for name, seconds in parts.items():
        cuts = statistics.quantiles(seconds, n=100)
        shown = ", ".join(f"{share} {cuts[at - 1]:.2f}" for share, at in SHARES.items())
        print(f"  {name:30} {shown}, most {max(seconds):.2f}", flush=True)
    return []


def first_seen(seen) -> dict[int, float]:
    """The first time at which each row was seen."""
    first: dict[int, float] = {}
    for at, rows in sorted(seen, key=lambda one: one[0]):
        for row in rows:
            first.setdefault(row, at)
    return first


def staged_rows(of: Scene, noted: list):
    """When each object of the table `pulse` was written, and its rows."""
    s3 = of.pipeline.client("s3")
    prefix = f"/{STAGING}/"
    for one in noted:
        path = unquote(one.path)
        if one.method == "PUT" and path.startswith(f"{prefix}dms/{SCHEMA}/{PULSE}/"):
            body = s3.get_object(Bucket=STAGING, Key=path[len(prefix) :])["Body"]
            yield one.ended, parquet.read_table(BytesIO(body.read()))["id"].to_pylist()


def visible_rows(of: Scene, noted: list):
    """When each commit to the table `pulse` was written, and the rows of the files that it adds."""
    root = of.root(SCHEMA, PULSE)
    prefix = f"/{LAKE}/tables/{SCHEMA}/{PULSE}/_delta_log/"
    for one in noted:
        path = unquote(one.path.partition("?")[0])
        is_commit = path.startswith(prefix) and path.endswith(".json")
        if one.method == "PUT" and one.status == 200 and is_commit:
            for action in commit(root / "_delta_log" / path[len(prefix) :]):
                if add := action.get("add"):
                    rows = parquet.read_table(root / unquote(add["path"]), columns=["id"])
                    yield one.ended, rows["id"].to_pylist()
