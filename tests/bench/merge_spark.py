"""Spark's MERGE in one JVM that stays warm: each line of standard input asks for one merge, of a
batch of changes, or of all rows of another table that this one is to equal,

    {"table": FOLDER, "batch": FILE, "keys": [...]}
    {"table": FOLDER, "built": FOLDER, "keys": [...]}

and each line of standard output answers: seconds, peak memory of the JVM in KiB, rows inserted,
updated and deleted. The mode is the table's own: by deletion vectors where
it has them. `DMSLAKE_SPARK_JARS` names the folder of delta-spark's and delta-storage's jars;
without it they come from Maven Central.
"""

import json
import os
import sys
import time
from pathlib import Path

from spark_session import session


def merge(spark, table, batch, keys):
    begun = time.perf_counter()
    columns = [name for name in spark.read.parquet(batch).columns if name != "op"]
    fates = spark.sql(
        f"MERGE INTO delta.`{table}` t USING parquet.`{batch}` s "
        f"ON {' AND '.join(f't.{key} = s.{key}' for key in keys)} "
        "WHEN MATCHED AND s.op = 'D' THEN DELETE "
        f"WHEN MATCHED THEN UPDATE SET {', '.join(f't.{name} = s.{name}' for name in columns)} "
        f"WHEN NOT MATCHED AND s.op <> 'D' THEN INSERT ({', '.join(columns)}) "
        f"VALUES ({', '.join(f's.{name}' for name in columns)})"
    ).collect()[0]
    seconds = time.perf_counter() - begun
    return seconds, [fates[f"num_{fate}_rows"] for fate in ("inserted", "updated", "deleted")]


def reload(spark, table, built, keys):
    begun = time.perf_counter()
    columns = spark.read.format("delta").load(built).columns
    differs = " OR ".join(f"t.{name} IS DISTINCT FROM s.{name}" for name in columns)
    fates = spark.sql(
        f"MERGE INTO delta.`{table}` t USING delta.`{built}` s "
        f"ON {' AND '.join(f't.{key} = s.{key}' for key in keys)} "
        f"WHEN MATCHED AND ({differs}) THEN UPDATE SET * "
        "WHEN NOT MATCHED THEN INSERT * WHEN NOT MATCHED BY SOURCE THEN DELETE"
    ).collect()[0]
    seconds = time.perf_counter() - begun
    return seconds, [fates[f"num_{fate}_rows"] for fate in ("inserted", "updated", "deleted")]


def main():
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever else is printed must not be taken for an answer
    spark = session("6g", 2)
    jvm = Path(f"/proc/{spark.sparkContext._gateway.proc.pid}")
    for line in sys.stdin:
        (jvm / "clear_refs").write_text("5")  # the peak begins anew
        request = json.loads(line)
        seconds, counts = (reload if "built" in request else merge)(spark, **request)
        status = (jvm / "status").read_text().splitlines()
        peak = next(int(entry.split()[1]) for entry in status if entry.startswith("VmHWM:"))
        answer = {"seconds": seconds, "peak": peak, "outcome": counts, "version": 0}
        print(json.dumps(answer), file=answers, flush=True)


main()
