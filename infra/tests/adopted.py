"""Tests what `dmslake init` writes for a DMS task that runs already: Terraform takes terraform.tfvars, and
makes of it the configuration that `init` wrote beside it.

Usage: adopted.py init DMSLAKE FOLDER | same FOLDER PLAN.json

`init` describes the task that staged the objects of examples/existing-dms as AWS's command line would, and
has the program write dmslake.toml and terraform.tfvars into FOLDER. `same` compares this dmslake.toml with
that of a plan, as `terraform show -json` prints it.
"""

import json
import sys
import tomllib
from pathlib import Path

from demo import TABLES, dmslake, ended

STAGING, LAKE = "my-dms-staging", "s3://my-lake/tables"
EVERYTHING = {"schema-name": "%", "table-name": "%"}
ENDPOINT = {
    "EndpointArn": "arn:aws:dms:eu-west-1:123456789012:endpoint:TARGET",
    "EndpointType": "TARGET",
    "EngineName": "s3",
    "S3Settings": {
        "BucketName": STAGING,
        "BucketFolder": "dms/mysql",
        "ServiceAccessRoleArn": "arn:aws:iam::123456789012:role/dms-target",
        "CompressionType": "GZIP",
        "DataFormat": "parquet",
        "ParquetVersion": "parquet-2-0",
        "EnableStatistics": True,
        "TimestampColumnName": "dms_ts",
        "IncludeOpForFullLoad": True,
        "CdcMaxBatchInterval": 60,
        "CdcMinFileSize": 32000,
        "DatePartitionEnabled": False,
        "PreserveTransactions": False,
    },
}


def rules():
    for number, table in enumerate(TABLES, 1):
        locator = {"schema-name": "shop", "table-name": table.replace("_", "[_]")}
        yield {"rule-type": "selection", "rule-id": str(number), "rule-action": "include", "object-locator": locator}
    column = {"rule-type": "transformation", "rule-target": "column", "object-locator": EVERYTHING}
    images = {"column-prefix": "BI_", "column-suffix": "", "column-filter": "pk-only"}
    yield {**column, "rule-id": "8", "rule-action": "add-before-image-columns", "before-image-def": images}
    yield {**column, "rule-id": "9", "rule-action": "add-column", "value": "cdc_seq", "expression": "$AR_H_CHANGE_SEQ"}


def init(program, folder):
    folder.mkdir()
    task = {
        "ReplicationTaskIdentifier": "Shop-Orders",
        "ReplicationTaskArn": "arn:aws:dms:eu-west-1:123456789012:task:SHOP",
        "MigrationType": "full-load-and-cdc",
        "TableMappings": json.dumps({"rules": list(rules())}),
    }
    told = {"endpoint.json": {"Endpoints": [ENDPOINT]}, "tasks.json": {"ReplicationTasks": [task]}}
    for name, content in told.items():
        (folder / name).write_text(json.dumps(content))
    files = {
        "--endpoint-settings": "endpoint.json",
        "--table-mappings": "tasks.json",
        "--output": "dmslake.toml",
        "--tfvars": "terraform.tfvars",
    }
    named = [text for option, name in files.items() for text in (option, str(folder / name))]
    print(dmslake(program, "init", "--lake", LAKE, *named), end="")


def sources(configuration):
    """Its tables by name. Terraform writes a source as schema and table, and what is empty not at all."""
    tables = {}
    for table in configuration["table"]:
        source = table.pop("source")
        tables[source if isinstance(source, str) else ".".join(source.values())] = table
    return tables


def same(folder, plan):
    planned = json.loads(plan.read_text())["planned_values"]["outputs"]["dmslake_toml"]["value"]
    theirs, ours = (tomllib.loads(text) for text in ((folder / "dmslake.toml").read_text(), planned))
    checks = [(f"{name} is the same", theirs[name] == ours[name]) for name in ("staging", "lake")]
    # Of the endpoint, Terraform is given every member, and the configuration has those that matter.
    checks += [(f"dms.{name} is the same", ours["dms"].get(name) == value) for name, value in theirs["dms"].items()]
    checks.append(("the tables and their keys are the same", sources(theirs) == sources(ours) != {}))
    return checks


def main():
    match sys.argv[1:]:
        case ["init", program, folder]:
            init(program, Path(folder))
            return 0
        case ["same", folder, plan]:
            return ended(same(Path(folder), Path(plan)))
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    sys.exit(main())
