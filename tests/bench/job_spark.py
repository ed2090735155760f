"""The same load and merges by Spark alone, in one JVM that stays warm: each line of standard input asks
for one,

    {"what": "load" | "merge", "staging": FOLDER, "table": FOLDER, "vectors": BOOL}

and each line of standard output answers: seconds, CPU seconds and peak memory of the JVM in KiB.
`DMSLAKE_SPARK_JARS` names the folder of delta-spark's and delta-storage's jars; without it they come
from Maven Central.
"""

import json
import os
import sys
import time
from pathlib import Path

from spark_session import session

COLUMNS = (
    "id BIGINT, customer INT, state STRING, amount DECIMAL(12,2), quantity INT, ordered_at STRING, note STRING"
)
NAMES = [column.split()[0] for column in COLUMNS.split(", ")]
TICKS = os.sysconf("SC_CLK_TCK")


def read(spark, paths, columns):
    """Objects as DMS writes them: RFC 4180 with NULL for NULL."""
    found = spark.read.schema(columns).option("nullValue", "NULL").option("escape", '"').csv(paths)
    return found.withColumn("ordered_at", found.ordered_at.cast("timestamp_ntz"))


def load(spark, staging, table, vectors):
    rows = read(spark, f"{staging}/shop/orders/LOAD*.csv", COLUMNS)
    writer = rows.write.format("delta").option("delta.enableDeletionVectors", str(vectors).lower())
    writer.save(table)


def merge(spark, staging, table, vectors):
    changes = read(spark, f"{staging}/shop/orders/2*.csv", f"op STRING, {COLUMNS}")
    # The last change of each key, by the object's name and the row's place in it.
    changes.selectExpr("*", "input_file_name() AS object", "monotonically_increasing_id() AS place") \
        .createOrReplaceTempView("changes")  # fmt: skip
    spark.sql(
        f"MERGE INTO delta.`{table}` t USING ("
        "  SELECT * FROM (SELECT *, row_number() OVER"
        "    (PARTITION BY id ORDER BY object DESC, place DESC) AS newest FROM changes)"
        "  WHERE newest = 1) s ON t.id = s.id "
        "WHEN MATCHED AND s.op = 'D' THEN DELETE "
        f"WHEN MATCHED THEN UPDATE SET {', '.join(f't.{name} = s.{name}' for name in NAMES)} "
        f"WHEN NOT MATCHED AND s.op <> 'D' THEN INSERT ({', '.join(NAMES)}) "
        f"VALUES ({', '.join(f's.{name}' for name in NAMES)})"
    ).collect()


def used(jvm):
    """CPU seconds."""
    return sum(map(int, (jvm / "stat").read_text().rpartition(")")[2].split()[11:13])) / TICKS


def main():
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever else is printed must not be taken for an answer
    spark = session("8g", 4, [("spark.sql.session.timeZone", "UTC")])
    jvm = Path(f"/proc/{spark.sparkContext._gateway.proc.pid}")
    for line in sys.stdin:
        request = json.loads(line)
        (jvm / "clear_refs").write_text("5")  # the peak begins anew
        cpu, begun = used(jvm), time.perf_counter()
        {"load": load, "merge": merge}[request.pop("what")](spark, **request)
        seconds = time.perf_counter() - begun
        status = (jvm / "status").read_text().splitlines()
        peak = next(int(entry.split()[1]) for entry in status if entry.startswith("VmHWM:"))
        answer = {"seconds": seconds, "cpu": used(jvm) - cpu, "together": peak, "largest": peak, "lines": []}
        print(json.dumps(answer), file=answers, flush=True)


main()
