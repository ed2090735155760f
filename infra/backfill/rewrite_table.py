"""Glue job: OPTIMIZE, purge or VACUUM of one Delta table of dmslake, while the doorbell is paused.

Arguments: --table shop.orders, --action optimize | purge | vacuum, and, set by Terraform,
--lake s3://bucket/prefix and --doorbell with the id of the function's event source mapping.

No row changes by it, and dmslake's progress, which stands in its own commits, is left as it is.
"""

import re
import sys

ACTIONS = ("optimize", "purge", "vacuum")


def folder_name(name):
    """A schema's or table's folder in the lake, as dmslake spells names that paths cannot hold."""

    def escaped(match):
        return "".join(f"~{byte:02X}" for byte in match[0].encode())

    return re.sub(r"[/\\%~\x00-\x1f\x7f]", escaped, name)


def table_root(lake, table):
    """The root of `schema.table`."""
    schema, dot, name = table.partition(".")
    if not (schema and dot and name):
        raise SystemExit(f"--table {table}: a schema and a table are needed, such as shop.orders")
    return f"{lake.rstrip('/')}/{folder_name(schema)}/{folder_name(name)}"


def refuse_unless_paused(client, doorbell):
    """The function must not write while Spark does."""
    state = client.get_event_source_mapping(UUID=doorbell)["State"]
    if state != "Disabled":
        raise SystemExit(
            f"the doorbell is {state}: apply with doorbell = {{ paused = true }} first, and wait for "
            "the function's last invocation to end"
        )


def protocol(spark, root):
    """Reader version, writer version and features."""
    detail = spark.sql(f"DESCRIBE DETAIL delta.`{root}`").first()
    return detail["minReaderVersion"], detail["minWriterVersion"], sorted(detail["tableFeatures"])


def rewrite(spark, root, action):
    """Does the action; says what Spark said. Fails if the table came out another than it was."""
    before, rows_before = protocol(spark, root), spark.read.format("delta").load(root).count()
    statement = {
        "optimize": f"OPTIMIZE delta.`{root}`",
        "purge": f"REORG TABLE delta.`{root}` APPLY (PURGE)",
        "vacuum": f"VACUUM delta.`{root}`",
    }[action]
    outcome = [row.asDict(recursive=True) for row in spark.sql(statement).collect()]
    after, rows_after = protocol(spark, root), spark.read.format("delta").load(root).count()
    if after != before:
        raise SystemExit(f"the protocol was {before} and is {after}: readers may be shut out")
    if rows_after != rows_before:
        raise SystemExit(f"there were {rows_before} rows and are {rows_after}")
    return {"table": root, "action": action, "row_count": rows_after, "outcome": outcome}


def main():
    # Only Glue has these.
    import boto3
    from awsglue.utils import getResolvedOptions
    from pyspark.sql import SparkSession

    options = getResolvedOptions(sys.argv, ["table", "action", "lake", "doorbell"])
    if options["action"] not in ACTIONS:
        raise SystemExit(f"--action {options['action']}: one of {', '.join(ACTIONS)}")
    root = table_root(options["lake"], options["table"])
    refuse_unless_paused(boto3.client("lambda"), options["doorbell"])
    print(rewrite(SparkSession.builder.getOrCreate(), root, options["action"]))


if __name__ == "__main__":
    main()
