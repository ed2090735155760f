"""The job's script as Glue runs it: its arguments, and its files from where the job has them.

Stand-ins take the place of Spark and of Glue's own module; `tests/interop/run jobs` has the same script
on a real Spark.
"""

import contextlib
import importlib.util
import io
import json
import os
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from unittest import mock
from urllib.parse import urlparse

import boto3

SCRIPT = Path(__file__).parents[1] / "glue" / "apply_table.py"
JOB, REGION = "shop-job", "eu-west-1"


def load():
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("apply_table", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


def given(arguments, run):
    """What Glue puts on the command line: arguments of job and run, and some of its own."""
    own = {"--JOB_ID": "j_1", "--JOB_RUN_ID": run, "--JOB_NAME": JOB, "--job-bookmark-option": "job-bookmark-disable"}
    return [word for argument in {**arguments, **own}.items() for word in argument]


class Spark:
    """In the place of Spark's session, context and RDD: does tasks here, one after another."""

    defaultParallelism = 2  # noqa: N815, as Spark spells it

    def __init__(self):
        self.tasks_done = 0
        self.builder = self.sparkContext = self

    def __getattr__(self, name):
        if name in ("appName", "config", "getOrCreate", "setJobDescription", "get"):
            return lambda *_: self
        raise AttributeError(name)

    def attemptNumber(self):  # noqa: N802, as Spark spells it
        return 0

    def parallelize(self, tasks, slices):
        assert slices == len(tasks), "each task by itself"
        self.results = tasks
        return self

    def map(self, run):
        self.results = [run(task) for task in self.results]
        self.tasks_done += len(self.results)
        return self

    def collect(self):
        return self.results


class Glue:
    """In the place of Glue's job: notes how it was called."""

    def __init__(self):
        self.calls = []

    def init(self, name, resolved):
        self.calls.append(("init", name, resolved["JOB_NAME"]))

    def commit(self):
        self.calls.append(("commit",))


def modules(spark, glue):
    def resolved(argv, names):
        return {name: argv[argv.index(f"--{name}") + 1] for name in names}

    return {
        "pyspark": SimpleNamespace(TaskContext=spark),
        "pyspark.sql": SimpleNamespace(SparkSession=spark),
        "awsglue": SimpleNamespace(),
        "awsglue.context": SimpleNamespace(GlueContext=lambda context: context),
        "awsglue.job": SimpleNamespace(Job=lambda context: glue),
        "awsglue.utils": SimpleNamespace(getResolvedOptions=resolved),
    }


def run(arguments, run_id):
    """Runs the script; gives its reports, how many tasks were done, and what Glue was told."""
    spark, glue, told = Spark(), Glue(), io.StringIO()
    s3 = boto3.client("s3", region_name=REGION)
    here, command = os.getcwd(), [SCRIPT.name, *given(arguments, run_id)]
    with tempfile.TemporaryDirectory() as folder:
        for address in arguments["--extra-files"].split(","):
            place = urlparse(address)
            s3.download_file(place.netloc, place.path[1:], f"{folder}/{Path(place.path).name}")
        os.chdir(folder)
        try:
            with (
                mock.patch.dict(sys.modules, modules(spark, glue)),
                mock.patch.object(sys, "argv", command),
                mock.patch.object(tempfile, "tempdir", folder),
                contextlib.redirect_stdout(told),
            ):
                load().main()
        finally:
            os.chdir(here)
    said = [json.loads(line) for line in told.getvalue().splitlines() if line.startswith("{")]
    return [line["report"] for line in said if "report" in line], spark.tasks_done, glue.calls
