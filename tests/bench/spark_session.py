"""Spark with Delta on this machine, as all benchmarks have it. `DMSLAKE_SPARK_JARS` names the folder of
delta-spark's and delta-storage's jars; without it they come from Maven Central."""

import os
from pathlib import Path

from pyspark.sql import SparkSession

CORES = 2
DELTA = "io.delta:delta-spark_2.13:4.0.1"


def session(heap, shuffles_each, settings=()):
    """With so many partitions of a shuffle for each core."""
    builder = (
        SparkSession.builder.master(f"local[{CORES}]")
        .config("spark.driver.memory", heap)
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.sql.shuffle.partitions", shuffles_each * CORES)
        .config("spark.databricks.delta.snapshotPartitions", CORES)
        .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
        .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
    )
    for name, value in settings:
        builder = builder.config(name, value)
    folder = os.environ.get("DMSLAKE_SPARK_JARS")
    if folder:
        jars = ",".join(str(jar) for jar in sorted(Path(folder).glob("delta-*.jar")))
        builder = builder.config("spark.jars", jars)
    else:
        builder = builder.config("spark.jars.packages", DELTA)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark
