"""Another writer on our tables: Spark merges, compacts and vacuums, and we continue after it."""

import random

from load import SCHEMA

TABLE = "sbtest1"
# The number of sysbench rows that Spark touches, and of rows that it adds.
TOUCHED, FOREIGN = 400, 50
FIRST_FOREIGN = 10_000_000


def change(spark, of) -> dict[str, int]:
    """Spark's changes, which `undo` lets the source overwrite. Returns the first version after
    Spark's, by table."""
    root = of.root(SCHEMA, TABLE)
    of.touched = random.Random(of.chance.random()).sample(range(1, 10_001), TOUCHED)
    ids = [*of.touched, *range(FIRST_FOREIGN, FIRST_FOREIGN + FOREIGN)]
    spark.createDataFrame([(one,) for one in ids], "id INT").createOrReplaceTempView("foreign")
    (merged,) = spark.sql(f"""
        MERGE INTO delta.`{root}` AS t USING foreign AS f ON t.id = f.id
        WHEN MATCHED AND t.id % 2 = 0 THEN DELETE
        WHEN MATCHED THEN UPDATE SET c = 'changed by Spark'
        WHEN NOT MATCHED THEN INSERT (id, k, c, pad) VALUES (f.id, 0, 'of Spark', '')
    """).collect()
    wanted = {"num_updated_rows", "num_deleted_rows", "num_inserted_rows"}
    if not all(merged[name] for name in wanted):
        raise RuntimeError(f"Spark merged nothing: {merged}")
    for schema, name in of.tables:
        spark.sql(f"OPTIMIZE delta.`{of.root(schema, name)}`")
    spark.conf.set("spark.databricks.delta.retentionDurationCheck.enabled", "false")
    for schema, name in of.tables:
        spark.sql(f"VACUUM delta.`{of.root(schema, name)}` RETAIN 0 HOURS")
    return {
        name: max(int(path.stem) for path in (of.root(schema, name) / "_delta_log").glob("*.json")) + 1
        for schema, name in of.tables
    }


def undo(of):
    """Changes every row at the source that Spark has touched."""
    foreign = range(FIRST_FOREIGN, FIRST_FOREIGN + FOREIGN)
    table = f"{SCHEMA}.{TABLE}"
    with of.pipeline.database.connection() as connection, connection.cursor() as cursor:
        for one in of.touched:
            cursor.execute(f"UPDATE {table} SET k = k + 1 WHERE id = {one}")
        for one in foreign:
            cursor.execute(f"INSERT INTO {table} (id, k, c, pad) VALUES ({one}, 1, '', '')")
            cursor.execute(f"DELETE FROM {table} WHERE id = {one}")
