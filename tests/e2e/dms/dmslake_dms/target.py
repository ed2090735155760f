"""The target of objects: a folder or S3. Objects are written atomically."""

import os
import shutil
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from .errors import SettingsError


def opened(uri: str):
    """The target of an `s3://BUCKET[/FOLDER]` URI or of a path."""
    parts = urlsplit(uri)
    if parts.scheme == "s3":
        return Bucket(parts.netloc, parts.path.strip("/"))
    if parts.scheme:
        raise SettingsError(f"the target must be a path or an s3:// URI, not {uri}")
    return Folder(Path(uri).resolve())


def failures() -> tuple:
    """What is raised when a target, or another file, cannot be written or read."""
    try:
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError:
        return (OSError,)
    return OSError, BotoCoreError, ClientError


class Folder:
    def __init__(self, root: Path):
        self.root = root

    def __str__(self) -> str:
        return str(self.root)

    def put(self, name: str, content: bytes):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        # Outside the root, because an incomplete file is not an object.
        with tempfile.NamedTemporaryFile(dir=self.root.parent, delete=False) as file:
            file.write(content)
        os.chmod(file.name, 0o644)
        os.replace(file.name, path)

    def delete_below(self, folder: str):
        shutil.rmtree(self.root / folder, ignore_errors=True)


class Bucket:
    def __init__(self, name: str, folder: str):
        try:
            import boto3
        except ImportError:
            raise SettingsError(
                "an s3:// target needs boto3: pip install boto3, or uvx --with boto3"
            ) from None
        self.name = name
        self.folder = folder
        self.client = boto3.client("s3")

    def __str__(self) -> str:
        return f"s3://{self.name}/{self.folder}"

    def _key(self, name: str) -> str:
        return f"{self.folder}/{name}" if self.folder else name

    def put(self, name: str, content: bytes):
        self.client.put_object(Bucket=self.name, Key=self._key(name), Body=content)

    def delete_below(self, folder: str):
        pages = self.client.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self.name, Prefix=self._key(folder) + "/"):
            keys = [{"Key": one["Key"]} for one in page.get("Contents", [])]
            if keys:
                self.client.delete_objects(Bucket=self.name, Delete={"Objects": keys})
