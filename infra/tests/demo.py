"""What the tests of the program with applied resources share: a demo's objects, and the command line."""

import subprocess

import boto3

REGION = "eu-west-1"
# The configured tables that the demo stages as Parquet.
TABLES = ("orders", "order_items")


def client(service):
    return boto3.client(service, region_name=REGION)


def stage(demo, bucket, prefix):
    """Copies the objects of a demo's folder to a bucket, as DMS would write them. Gives their number."""
    s3, count = client("s3"), 0
    for table in TABLES:
        folder = demo / "staging" / "shop" / table
        for path in sorted(folder.rglob("*.parquet")):
            key = f"{prefix}/shop/{table}/{path.relative_to(folder)}"
            s3.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())
            count += 1
    return count


def dmslake(*arguments):
    """What the program prints."""
    done = subprocess.run(arguments, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{arguments[1]} exited with {done.returncode}: {done.stdout}")
    return done.stdout


def ended(checks, what=""):
    """Says which checks failed, and how many. Gives the exit code."""
    failed = [name for name, passed in checks if not passed]
    for name in failed:
        print(f"not so: {name}")
    print(f"{what}{len(checks) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0
