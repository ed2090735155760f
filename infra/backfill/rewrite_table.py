"""Glue job: OPTIMIZE, purge or VACUUM of one Delta table of dmslake, while the doorbell is paused.

Arguments: --table shop.orders, --action optimize | purge | vacuum, and, set by Terraform,
--lake s3://bucket/prefix, --doorbell with the id of the function's event source mapping and --sweep
with the name of its schedule.

No row changes, and dmslake's progress, which is in its own commits, is not affected.
"""

import re
import sys

ACTIONS = ("optimize", "purge", "vacuum")


def folder_name(name):
    """A schema's or table's folder in the lake, with dmslake's encoding of special characters."""

    def escaped(match):
        return "".join(f"~{byte:02X}" for byte in match[0].encode())

    return re.sub(r"[/\\%~\x00-\x1f\x7f]", escaped, name)


def table_root(lake, table):
    """The root of `schema.table`."""
    schema, dot, name = table.partition(".")
    if not (schema and dot and name):
        raise SystemExit(f"--table {table}: must be a schema and a table, such as shop.orders")
    return f"{lake.rstrip('/')}/{folder_name(schema)}/{folder_name(name)}"


def refuse_unless_paused(functions, doorbell, schedules, sweep):
    """The function must not write while Spark does: neither queue nor schedule may invoke it."""
    states = {"doorbell": functions.get_event_source_mapping(UUID=doorbell)["State"]}
    try:
        states["sweep"] = schedules.get_schedule(Name=sweep)["State"]
    except schedules.exceptions.ResourceNotFoundException:
        pass
    for name, state in states.items():
        if state.upper() != "DISABLED":
            raise SystemExit(
                f"the {name} is {state}: apply with doorbell = {{ paused = true }} first, and wait for "
                "the function's last invocation to end"
            )


def protocol(spark, root):
    """Reader version, writer version and features."""
    detail = spark.sql(f"DESCRIBE DETAIL delta.`{root}`").first()
    return detail["minReaderVersion"], detail["minWriterVersion"], sorted(detail["tableFeatures"])


def rewrite(spark, root, action):
    """Runs the action and returns Spark's result. Fails if protocol or row count changed."""
    before, rows_before = protocol(spark, root), spark.read.format("delta").load(root).count()
    statement = {
        "optimize": f"OPTIMIZE delta.`{root}`",
        "purge": f"REORG TABLE delta.`{root}` APPLY (PURGE)",
        "vacuum": f"VACUUM delta.`{root}`",
    }[action]
    outcome = [row.asDict(recursive=True) for row in spark.sql(statement).collect()]
    after, rows_after = protocol(spark, root), spark.read.format("delta").load(root).count()
    if after != before:
        raise SystemExit(f"the protocol changed from {before} to {after}: some readers may fail")
    if rows_after != rows_before:
        raise SystemExit(f"the row count changed from {rows_before} to {rows_after}")
    return {"table": root, "action": action, "row_count": rows_after, "outcome": outcome}


def main():
    # Only available in Glue.
    import boto3
    from awsglue.context import GlueContext
    from awsglue.job import Job
    from awsglue.utils import getResolvedOptions
    from pyspark.context import SparkContext

    options = getResolvedOptions(sys.argv, ["JOB_NAME", "table", "action", "lake", "doorbell", "sweep"])
    if options["action"] not in ACTIONS:
        raise SystemExit(f"--action {options['action']}: must be one of {', '.join(ACTIONS)}")
    root = table_root(options["lake"], options["table"])
    refuse_unless_paused(boto3.client("lambda"), options["doorbell"], boto3.client("scheduler"), options["sweep"])
    glue = GlueContext(SparkContext.getOrCreate())
    job = Job(glue)
    # Without this call Glue ignores the security configuration.
    job.init(options["JOB_NAME"], options)
    print(rewrite(glue.spark_session, root, options["action"]))
    job.commit()


if __name__ == "__main__":
    main()
