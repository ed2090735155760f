"""Tests the program beside a DMS that is not Terraform's: examples/existing-dms on a server.

Usage: brought.py prepare | check DMSLAKE DEMO DMSLAKE.TOML | left

`prepare` creates the buckets that the example names. `check` stages the objects of `dmslake demo --dir
DEMO` as the existing DMS would, applies them by the configuration that Terraform wrote, and compares the
tables with the demo's own. `left` checks after destroy that what was brought is still there.
"""

import json
import sys
from pathlib import Path

from demo import REGION, TABLES, client, dmslake, ended, stage

STAGING, PREFIX, LAKE = "my-dms-staging", "dms/mysql", "my-lake"


def prepare():
    for bucket in (STAGING, LAKE):
        client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})


def lines(*arguments):
    return [json.loads(line) for line in dmslake(*arguments, "--json").splitlines()]


def rung():
    sqs = client("sqs")
    url = sqs.get_queue_url(QueueName="shop-doorbell")["QueueUrl"]
    told = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
    return int(told["ApproximateNumberOfMessages"])


def nothing_created():
    """What exists of DMS, RDS and a network of its own; empty if Terraform created nothing of them."""
    dms, rds, ec2 = client("dms"), client("rds"), client("ec2")
    vpcs = [vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"] if not vpc["IsDefault"]]
    roles = [role["RoleName"] for role in client("iam").list_roles()["Roles"] if "dms" in role["RoleName"]]
    return [
        *dms.describe_endpoints()["Endpoints"],
        *dms.describe_replication_instances()["ReplicationInstances"],
        *rds.describe_db_instances()["DBInstances"],
        *vpcs,
        *roles,
    ]


def check(program, demo, toml):
    client("lambda").update_event_source_mapping(
        UUID=client("lambda").list_event_source_mappings()["EventSourceMappings"][0]["UUID"], Enabled=False
    )
    before = rung()
    staged = stage(demo, STAGING, PREFIX)
    reports = lines(program, "apply", "--config", toml)
    reports = {report["table"]: report for report in reports if "table" in report}
    verified = [line for table in TABLES for line in lines(program, "verify", "--config", toml, f"shop.{table}")]
    rows = [
        {status["table"]: status["rows"] for status in lines(program, "status", "--config", config)}
        for config in (toml, str(demo / "dmslake.toml"))
    ]
    checks = [
        ("nothing of DMS, RDS or a network is created", nothing_created() == []),
        ("every object rings", rung() - before == staged > 0),
        ("every object is applied", sum(r["objects"] for r in reports.values()) == staged),
        ("nothing is pending", all(r["status"] == "ok" and r["pending"] == 0 for r in reports.values())),
        ("every table equals what is staged", [v["verdict"] for v in verified] == ["equal"] * len(TABLES)),
    ]
    for table in (f"shop.{table}" for table in TABLES):
        ours, demos = (counts[table] for counts in rows)
        checks.append((f"{table} has the {demos} rows that the demo has", ours == demos > 0))
    return checks


def left():
    s3 = client("s3")
    held = [s3.list_objects_v2(Bucket=bucket).get("KeyCount", 0) for bucket in (STAGING, LAKE)]
    told = s3.get_bucket_notification_configuration(Bucket=STAGING)
    return [
        ("staged objects and tables are still there", all(count > 0 for count in held)),
        ("nothing rings any more", "QueueConfigurations" not in told),
    ]


def main():
    match sys.argv[1:]:
        case ["prepare"]:
            prepare()
            return 0
        case ["check", program, demo, toml]:
            checks = check(program, Path(demo), toml)
        case ["left"]:
            checks = left()
        case _:
            raise SystemExit(__doc__)
    return ended(checks)


if __name__ == "__main__":
    sys.exit(main())
