"""Tests the program with the applied resources: its configuration, objects of a demo, the job, the catalog.

Usage: program.py DMSLAKE DEMO DMSLAKE.TOML, with a server to which moto.tfvars was applied. DEMO is the
folder of `dmslake demo --dir DEMO`. Its objects are copied to the staging bucket, the configuration is
the one that Terraform wrote. The job applies one table and `apply` the rest; then the lake, Glue and the
manifest are checked.
"""

import json
import sys
from pathlib import Path

import job_script
from demo import REGION, TABLES, client, dmslake, ended, stage

NAME, ACCOUNT = "shop", "123456789012"
STAGING = f"{NAME}-staging-{ACCOUNT}-{REGION}"
LAKE = f"{NAME}-lake-{ACCOUNT}-{REGION}"


def by_the_job(program, toml, table):
    """Hands a table over and does what Glue does then. Gives the table's report and the checks."""
    dmslake(program, "job", "start", "--config", toml, table)
    (run,) = client("glue").get_job_runs(JobName=job_script.JOB)["JobRuns"]
    # Otherwise the driver applies so little without tasks.
    arguments = {**run["Arguments"], "--least-bytes": "0"}
    (report,), tasks, calls = job_script.run(arguments, run["Id"])
    (again,), more, _ = job_script.run(arguments, "jr_second")
    status = dmslake(program, "job", "status", "--config", toml, table)
    name = run["JobName"]
    return report, [
        ("a run was started for the table", arguments["--table"] == report["table"] == table),
        ("the job had tasks", tasks > 0),
        ("a second run of its claim has nothing to do", again["objects"] == more == 0),
        ("Glue was told of beginning and end", calls == [("init", name, name), ("commit",)]),
        ("nothing is left to the job", "nothing is left" in status),
    ]


def main():
    program, demo, toml = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    staged = stage(demo, STAGING, "dms")
    report, checks = by_the_job(program, toml, "shop.orders")
    reports = [json.loads(line) for line in dmslake(program, "apply", "--config", toml, "--json").splitlines()]
    reports = {report["table"]: report for report in reports if "table" in report}
    checks.append(("the job leaves nothing to others", reports["shop.orders"]["objects"] == 0))
    reports["shop.orders"] = report
    checks += [
        ("every object is applied", sum(r["objects"] for r in reports.values()) == staged > 0),
        ("nothing is pending", all(r["status"] == "ok" and r["pending"] == 0 for r in reports.values())),
        ("tables have rows", all(reports[f"shop.{table}"]["rows"] > 0 for table in TABLES)),
    ]
    glue = client("glue")
    for table in TABLES:
        entry = glue.get_table(DatabaseName="lake_shop", Name=table)["Table"]
        location = entry["StorageDescriptor"]["Location"].rstrip("/")
        checks.append((f"Glue has the location of {table}", location == f"s3://{LAKE}/tables/shop/{table}"))
        checks.append((f"in Glue, {table} is a Delta table", entry["Parameters"]["table_type"] == "delta"))
    key = "tables/shop/orders/_symlink_format_manifest/manifest"
    manifest = client("s3").get_object(Bucket=LAKE, Key=key)["Body"].read().decode().split()
    prefix = f"s3://{LAKE}/tables/shop/orders/"
    checks.append(("the manifest lists data files", all(line.startswith(prefix) for line in manifest)))
    ddl = dmslake(program, "ddl", "redshift", "--config", toml, "shop.orders")
    checks.append(("the statements for Redshift use the created database", "'lake_shop_spectrum'" in ddl))
    ddl = dmslake(program, "ddl", "athena", "--config", toml, "shop.orders")
    checks.append(("and Athena's", "lake_shop" in ddl))
    return ended(checks, f"{staged} objects, ")


if __name__ == "__main__":
    sys.exit(main())
