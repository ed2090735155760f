"""Checks on a server which zip the function of examples/existing-dms runs.

Usage: released.py none | live ZIP | upload VERSION ZIP

`none`: there is no function. `live`: what the alias points to is this zip. `upload` puts a release into a
bucket of its own, as package.s3_bucket expects it.
"""

import base64
import hashlib
import sys
from pathlib import Path

from demo import REGION, client, ended

NAME, BUCKET = "shop", "my-releases"


def checksum(zip_file):
    return base64.b64encode(hashlib.sha256(Path(zip_file).read_bytes()).digest()).decode()


def live():
    functions = client("lambda")
    version = functions.get_alias(FunctionName=NAME, Name="live")["FunctionVersion"]
    return functions.get_function_configuration(FunctionName=NAME, Qualifier=version)["CodeSha256"]


def upload(version, zip_file):
    s3 = client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=BUCKET, Key=f"dmslake/{version}/bootstrap-arm64.zip", Body=Path(zip_file).read_bytes())


def main():
    match sys.argv[1:]:
        case ["none"]:
            return ended([("there is no function", client("lambda").list_functions()["Functions"] == [])])
        case ["live", zip_file]:
            return ended([(f"{zip_file} is in use", live() == checksum(zip_file))])
        case ["upload", version, zip_file]:
            upload(version, zip_file)
            return 0
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    sys.exit(main())
