"""Runs the Glue job's rewrite on tables of a demo's lake, in a local Spark.

Usage: rewriting.py DEMO, the folder of `dmslake demo --dir DEMO`; DMSLAKE_INTEROP_TOOLS names the
folder with Delta's jars. The job itself compares protocol and row count before and after.
"""

import importlib.util
import os
import sys
from pathlib import Path

SCRIPT = Path(__file__).parent.parent / "backfill" / "rewrite_table.py"


class Functions:
    """A Lambda client whose doorbell is in this state."""

    def __init__(self, state):
        self.state = state

    def get_event_source_mapping(self, UUID):  # noqa: N803, as boto3 spells it
        assert UUID == "id", UUID
        return {"UUID": UUID, "State": self.state}


class Schedules:
    """An EventBridge Scheduler client whose sweep is in this state; None: there is no sweep."""

    class exceptions:  # noqa: N801, as boto3 spells it
        class ResourceNotFoundException(Exception):
            pass

    def __init__(self, state):
        self.state = state

    def get_schedule(self, Name):  # noqa: N803, as boto3 spells it
        assert Name == "shop-sweep", Name
        if self.state is None:
            raise self.exceptions.ResourceNotFoundException
        return {"Name": Name, "State": self.state}


def check_refusals(job):
    """The number of checks."""
    cases = (
        ("Disabled", "DISABLED", None),
        ("Disabled", None, None),
        ("Enabled", "DISABLED", "doorbell"),
        ("Disabling", None, "doorbell"),
        ("Disabled", "ENABLED", "sweep"),
    )
    for doorbell, sweep, said in cases:
        refused = None
        try:
            job.refuse_unless_paused(Functions(doorbell), "id", Schedules(sweep), "shop-sweep")
        except SystemExit as refusal:
            refused = str(refusal)
        assert (refused is None) == (said is None), f"{doorbell}, {sweep}: {refused}"
        assert said is None or (f"the {said} is" in refused and "paused = true" in refused), refused
    return len(cases)


def main():
    spec = importlib.util.spec_from_file_location("rewrite_table", SCRIPT)
    job = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(job)

    done = check_refusals(job)
    assert job.table_root("s3://lake/t/", "shop.a/b") == "s3://lake/t/shop/a~2Fb"

    from pyspark.sql import SparkSession

    jars = ",".join(map(str, Path(os.environ["DMSLAKE_INTEROP_TOOLS"], "jars").glob("delta-*.jar")))
    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.jars", jars)
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        # The defaults are for clusters and take minutes for tables with a few files.
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.sql.sources.parallelPartitionDiscovery.parallelism", "2")
        .config("spark.databricks.delta.snapshotPartitions", "2")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
        .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    refusals = done
    for log in sorted(Path(sys.argv[1]).resolve().glob("lake/[!_]*/*/_delta_log"))[:1]:
        table = ".".join(log.parent.parts[-2:])
        for action in job.ACTIONS:
            root = job.table_root(f"file://{log.parent.parent.parent}", table)
            job.rewrite(spark, root, action)
            done += 1
    assert done > refusals, "the demo has no tables"
    print(f"{done} passed, 0 failed")


if __name__ == "__main__":
    main()
