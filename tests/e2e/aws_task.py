"""A task as AWS DMS knows it, which moto answers for: made of what was drawn, described, and changed by
commands of AWS's command line."""

import json
import shlex
from pathlib import Path

from botocore import xform_name

from pipeline import FOLDER, STAGING, Pipeline

# What AWS prints of a new task.
SETTINGS = Path(__file__).parent / "task_settings.json"
INSTANCE = "arn:aws:dms:eu-west-1:123456789012:rep:E2E"
# As AWS prints them.
SPELLED = {"\n": "\\n", "\r\n": "\\r\\n", "\t": "\\t"}
# What a task is made of. moto derives its ARN from the identifier.
MADE_OF = [
    "ReplicationTaskIdentifier", "SourceEndpointArn", "TargetEndpointArn", "ReplicationInstanceArn",
    "MigrationType", "TableMappings", "ReplicationTaskSettings",
]  # fmt: skip


class AwsTask:
    """A running task with its endpoints. It says the same as the files of the stand-in for DMS."""

    def __init__(self, pipeline: Pipeline):
        self.api, self.stand_in = pipeline.client("dms"), pipeline.dms
        s3 = {
            name: SPELLED.get(value, value)
            for name, value in json.loads(self.stand_in.endpoint.read_text())["S3Settings"].items()
        }
        source = self._endpoint("source", EngineName="mysql", Port=pipeline.database.port)
        place = {"BucketName": STAGING, "BucketFolder": FOLDER}
        self.target = self._endpoint("target", EngineName="s3", S3Settings=s3 | place)
        settings = json.loads(SETTINGS.read_text())
        for section, members in json.loads(self.stand_in.task.read_text()).items():
            settings[section] |= members
        made = self.api.create_replication_task(
            ReplicationTaskIdentifier="e2e",
            SourceEndpointArn=source, TargetEndpointArn=self.target, ReplicationInstanceArn=INSTANCE,
            MigrationType="full-load-and-cdc", TableMappings=self.stand_in.mappings.read_text(),
            ReplicationTaskSettings=json.dumps(settings),
        )  # fmt: skip
        self.arn = made["ReplicationTask"]["ReplicationTaskArn"]
        self.api.start_replication_task(
            ReplicationTaskArn=self.arn, StartReplicationTaskType="start-replication"
        )

    def _endpoint(self, kind: str, **more) -> str:
        made = self.api.create_endpoint(EndpointIdentifier=kind, EndpointType=kind, **more)
        return made["Endpoint"]["EndpointArn"]

    def described(self) -> dict:
        named = {"Name": "replication-task-arn", "Values": [self.arn]}
        (task,) = self.api.describe_replication_tasks(Filters=[named])["ReplicationTasks"]
        return task

    def hand_over(self):
        """From its next start on, the stand-in does what AWS says of the task, and nothing else."""
        named = {"Name": "endpoint-arn", "Values": [self.target]}
        (target,) = self.api.describe_endpoints(Filters=[named])["Endpoints"]
        task = self.described()
        self.stand_in.endpoint.write_text(json.dumps({"S3Settings": target["S3Settings"]}))
        self.stand_in.mappings.write_text(task["TableMappings"])
        self.stand_in.task.write_text(task["ReplicationTaskSettings"])

    def run(self, command: str):
        """Does what AWS's command line does, which has its names from the same model of the API."""
        aws, service, operation, *words = shlex.split(command)
        if (aws, service) != ("aws", "dms"):
            raise ValueError(f"not a command of AWS DMS: {command}")
        if operation == "wait":
            name, *words = words
            asked = self._members("describe-replication-tasks", words)
            self.api.get_waiter(name.replace("-", "_")).wait(**asked)
        elif operation == "modify-replication-task":
            self._modify(**self._members(operation, words))
        else:
            getattr(self.api, operation.replace("-", "_"))(**self._members(operation, words))

    def _members(self, operation: str, words: list[str]) -> dict:
        """The options of a command as members of a request. An unknown one is a KeyError."""
        model = self.api.meta.service_model
        operations = {xform_name(name, "-"): name for name in model.operation_names}
        shapes = model.operation_model(operations[operation]).input_shape.members
        names = {f"--{xform_name(name, '-')}": name for name in shapes}
        found = {}
        for option, value in zip(words[::2], words[1::2], strict=True):
            name = names[option]
            if shapes[name].type_name == "list":
                pairs = dict(part.split("=") for part in value.split(","))
                value = [{"Name": pairs["Name"], "Values": [pairs["Values"]]}]
            elif value.startswith("file://"):
                value = Path(value.removeprefix("file://")).read_text()
            found[name] = value
        return found

    def _modify(self, ReplicationTaskArn: str, **changes: str):
        """moto has no such request, so another stopped task takes its place."""
        task = self.described()
        if (task["Status"], ReplicationTaskArn) != ("stopped", self.arn):
            raise ValueError(f"{ReplicationTaskArn} is {task['Status']}, so it cannot be modified")
        self.api.delete_replication_task(ReplicationTaskArn=self.arn)
        self.api.create_replication_task(**{name: task[name] for name in MADE_OF} | changes)
        self.api.start_replication_task(
            ReplicationTaskArn=self.arn, StartReplicationTaskType="resume-processing"
        )
        self.api.stop_replication_task(ReplicationTaskArn=self.arn)
