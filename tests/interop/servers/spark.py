"""A local Spark session that knows Delta tables."""

from pyspark.sql import SparkSession

import tools

# Tables of few rows in few files: one task does each step.
SETTINGS = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.jars": ",".join(str(jar) for jar in tools.JARS),
    "spark.driver.memory": "2g",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.shuffle.partitions": "1",
    # Of VACUUM; by default 10,000 tasks look for files.
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "1",
    "spark.databricks.delta.snapshotPartitions": "1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    # A conflict is an outcome of a race, and no error.
    "spark.log.level": "FATAL",
}


def session(**more: str) -> SparkSession:
    """The one session of this process."""
    tools.use_java(17)
    builder = SparkSession.builder.master("local[2]")
    for name, value in (SETTINGS | more).items():
        builder = builder.config(name, value)
    return builder.getOrCreate()
