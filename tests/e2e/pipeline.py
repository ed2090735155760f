"""The pipeline under test: database, stand-in for DMS, staging, queue, function and lake."""

import json
import os
import re
import shutil
import subprocess
import tempfile
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import boto3

from database import Database
from draw import Settings
from function import Environment, EventSourceMapping, Failed, Killed, stripped
from glue import Glue
from proxy import Proxy
from standin import StandIn
from stores import CREDENTIALS, Moto, Versitygw
from waiting import wait_for

STAGING, LAKE, QUEUE = "staging", "lake", "doorbell"
# Where DMS writes in the bucket for staging.
FOLDER = "dms"
# Seconds within which everything must be applied after the last write.
PATIENCE = 300


class Pipeline:
    """Runs for the duration of the `with` block. The tables do not exist at first."""

    def __init__(self, programs, seed: int, environments: int):
        self.programs, self.seed, self.count = programs, seed, environments
        # Whether to keep logs although no exception was raised.
        self.is_kept = False

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="dmslake-e2e-"))
        with ExitStack() as stack:
            self.database = stack.enter_context(Database())
            self.moto = stack.enter_context(closing(Moto(self.programs.moto)))
            self.lake_server = stack.enter_context(closing(Versitygw(self.programs.versitygw)))
            servers = {"": self.moto.port, LAKE: self.lake_server.port}
            self.proxy = stack.enter_context(closing(Proxy(servers, self.seed)))
            self.variables = CREDENTIALS | {"AWS_ENDPOINT_URL": self.proxy.url}
            self._buckets()
            self.bootstrap = stripped(self.programs.bootstrap, self.folder)
            self.stack = stack.pop_all()
        return self

    def __exit__(self, kind, *rest):
        is_kept = self.is_kept or kind is not None
        if is_kept:
            self._keep()
        self.stack.__exit__(kind, *rest)
        if not is_kept:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _keep(self):
        """Keeps lake and staged objects with the logs, to investigate a fault."""
        print(f"logs, lake and staged objects are kept in {self.folder}")
        shutil.copytree(self.lake_server.root / LAKE, self.folder / "lake")
        s3 = self.client("s3")
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=STAGING):
            for one in page.get("Contents", []):
                path = self.folder / "staging" / one["Key"]
                path.parent.mkdir(parents=True, exist_ok=True)
                s3.download_file(STAGING, one["Key"], str(path))

    def client(self, service: str):
        url = self.moto.url if service == "sqs" else self.proxy.url
        return boto3.client(
            service,
            endpoint_url=url,
            region_name=CREDENTIALS["AWS_REGION"],
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )

    def _buckets(self):
        s3, self.sqs = self.client("s3"), self.client("sqs")
        region = {"LocationConstraint": CREDENTIALS["AWS_REGION"]}
        s3.create_bucket(Bucket=STAGING, CreateBucketConfiguration=region)
        s3.create_bucket(Bucket=LAKE, CreateBucketConfiguration=region)
        self.queue = self.sqs.create_queue(QueueName=QUEUE)["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=["QueueArn"])
        configuration = {
            "QueueArn": arn["Attributes"]["QueueArn"], "Events": ["s3:ObjectCreated:*"],
        }  # fmt: skip
        s3.put_bucket_notification_configuration(
            Bucket=STAGING, NotificationConfiguration={"QueueConfigurations": [configuration]}
        )

    @property
    def lake(self) -> Path:
        """The folder of the lake's bucket."""
        return self.lake_server.root / LAKE / "tables"

    def stand_in(self, rules: list[dict], settings: Settings):
        """The task, which has not started."""
        variables = os.environ | self.variables
        target = f"s3://{STAGING}/{FOLDER}"
        self.dms = StandIn(self.folder, self.database.url, target, variables, rules, settings)
        self.stack.callback(lambda: self.dms.process and self.dms.process.kill())

    def initialize(self, *facts: str | Path) -> str:
        """`dmslake init` writes the configuration, as for a user. Returns what it says."""
        self.config = self.folder / "dmslake.toml"
        command = [
            self.programs.dmslake, "init", "--lake", f"s3://{LAKE}/tables",
            "--mysql", self.database.url, "--output", self.config, *facts,
        ]  # fmt: skip
        done = subprocess.run(
            command, env=os.environ | self.variables, capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(f"dmslake init failed: {done.stderr}")
        return done.stderr

    def configure(self, settings: Settings):
        """The configuration, with what `init` cannot know."""
        self.initialize(
            "--staging", f"s3://{STAGING}/{FOLDER}", "--endpoint-settings", self.dms.endpoint,
            "--table-mappings", self.dms.mappings,
        )  # fmt: skip
        text = self.config.read_text()
        has_manifests = str(settings.has_manifests).lower()
        chosen = f'merge = "{settings.merge}"\nredshift_manifest = {has_manifests}'
        text = text.replace("# merge = ", f"{chosen}  # ", 1)
        # Nothing may change any more behind the last reload.
        sections = '\n[reload]\nsettle_minutes = 1\n\n[hand_over]\njob = "e2e"\n\n[defaults]'
        text = text.replace("\n[defaults]", sections, 1)
        assert "[reload]" in text, text
        self.config.write_text(text)

    def set_merge(self, merge: str):
        """Changes the merge mode."""
        text = self.config.read_text()
        self.config.write_text(re.sub(r'(?m)^merge = "[a-z-]+"', f'merge = "{merge}"', text))

    def start_function(self):
        variables = self.variables | {"DMSLAKE_CONFIG": str(self.config)}
        self.environments = [
            Environment(self.bootstrap, variables, self.folder / f"function-{number}.log")
            for number in range(self.count + 1)
        ]
        # An environment serves one event at a time.
        *served, self.scheduled = self.environments
        self.mapping = EventSourceMapping(self.sqs, self.queue, served, self.seed)
        self.mapping.start()
        for environment in self.environments:
            self.stack.callback(environment.close)
        self.stack.callback(self.mapping.stop)

    def restart_function(self):
        """New processes, with the configuration as it is now, serve the queue again."""
        for environment in self.environments:
            environment.kill()
        self.mapping.start()

    @contextmanager
    def glue(self):
        """A stand-in for Glue, whose runs see the stores as the function does."""
        with open(self.folder / "jobs.log", "a") as log:
            variables = os.environ | self.variables
            glue = Glue(self.programs.dmslake, self.config, variables, log, self.seed)
            variables["AWS_ENDPOINT_URL_GLUE"] = glue.url
            with closing(glue):
                yield glue

    def sweep(self) -> list[dict]:
        """Runs a sweep. Returns the report of each table, None if the function failed."""
        try:
            answer = self.environments[0].invoke({"sweep": True})
        except (Failed, Killed):
            return []
        return answer["tables"]

    def settle(self, operator=None):
        """Waits until everything staged is applied. `operator` gets the report of each held table,
        and returns whether it has removed the cause."""
        wait_for(self.mapping.is_idle, PATIENCE, "the end of the queue")
        self.mapping.stop()

        def is_caught_up():
            reports = self.sweep()
            for report in reports:
                is_held = report["status"] == "held"
                if is_held and not (operator and operator(report)):
                    raise RuntimeError(f"held: {json.dumps(report)}")
            return reports and all(
                report["status"] == "ok" and not report["pending"] and not report["objects"]
                for report in reports
            )

        wait_for(is_caught_up, PATIENCE, "a sweep that finds nothing to do")
