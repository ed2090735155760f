"""A local Spark session with Delta support."""

from pyspark.sql import SparkSession

import tools

# Tables have few rows in few files, so one task is enough for each step.
SETTINGS = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.jars": ",".join(str(jar) for jar in tools.JARS),
    "spark.driver.memory": "2g",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.shuffle.partitions": "1",
    # For VACUUM; by default 10,000 tasks list files.
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "1",
    "spark.databricks.delta.snapshotPartitions": "1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    # A conflict is an expected outcome of a race, not an error.
    "spark.log.level": "FATAL",
}


def session(**more: str) -> SparkSession:
    """The single session of this process."""
    tools.use_java(17)
    builder = SparkSession.builder.master("local[2]")
    for name, value in (SETTINGS | more).items():
        builder = builder.config(name, value)
    return builder.getOrCreate()
