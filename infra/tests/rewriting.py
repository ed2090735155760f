"""Runs the Glue job's rewriting on a table of a demo's lake, in a local Spark.

Use: rewriting.py DEMO, with what `dmslake demo --dir DEMO` made; DMSLAKE_INTEROP_TOOLS names the
folder with Delta's jars. The job itself compares protocol and row count before and after.
"""

import importlib.util
import os
import sys
from pathlib import Path

SCRIPT = Path(__file__).parent.parent / "backfill" / "rewrite_table.py"


class Paused:
    """A client of Lambda whose doorbell is in that state."""

    def __init__(self, state):
        self.state = state

    def get_event_source_mapping(self, UUID):  # noqa: N803, as boto3 spells it
        return {"UUID": UUID, "State": self.state}


def main():
    spec = importlib.util.spec_from_file_location("rewrite_table", SCRIPT)
    job = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(job)

    job.refuse_unless_paused(Paused("Disabled"), "id")
    for state in ("Enabled", "Disabling"):
        try:
            job.refuse_unless_paused(Paused(state), "id")
        except SystemExit as refusal:
            assert "paused" in str(refusal), refusal
        else:
            raise AssertionError(f"the job runs while the doorbell is {state}")
    assert job.table_root("s3://lake/t/", "shop.a/b") == "s3://lake/t/shop/a~2Fb"

    from pyspark.sql import SparkSession

    jars = ",".join(map(str, Path(os.environ["DMSLAKE_INTEROP_TOOLS"], "jars").glob("delta-*.jar")))
    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.jars", jars)
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        # Sized for a cluster, these take minutes for tables of a few files.
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
    done = 0
    for log in sorted(Path(sys.argv[1]).resolve().glob("lake/[!_]*/*/_delta_log"))[:1]:
        table = ".".join(log.parent.parts[-2:])
        for action in job.ACTIONS:
            root = job.table_root(f"file://{log.parent.parent.parent}", table)
            job.rewrite(spark, root, action)
            done += 1
    assert done, "the demo left no tables"
    print(f"{done} passed, 0 failed")


if __name__ == "__main__":
    main()
