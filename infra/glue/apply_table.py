"""Spark schedules, dmslake works: applies tables with `dmslake job drive`, its tasks on executors.

    spark-submit apply_table.py --binary dmslake --config dmslake.toml --table shop.orders

The same on Glue 5 and 6 (infra/job.tf), EMR and `pip install pyspark`. --binary is a file of the
driver or an s3:// address with --sha256. It must run on the executors: Glue has x86_64, glibc 2.34.
Nothing refers to what tasks write before dmslake commits: they may be repeated, done twice, killed.
"""

import argparse
import contextlib
import hashlib
import json
import os
import stat
import subprocess
import sys
import tempfile
import time

ATTEMPTS = 4
# Options of `dmslake job drive` that are passed on to it.
PASSED = ("--claim", "--run", "--least-bytes", "--round-bytes", "--chunk-bytes", "--range-rows", "--task-memory")


def fetched(address, sha256, folder):
    """A program at an s3:// address, which must have that checksum, in a folder of this machine."""
    path = os.path.join(folder, f"dmslake-{sha256[:16]}")
    if not os.path.exists(path):
        import boto3

        bucket, _, key = address[len("s3://") :].partition("/")
        content = boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        if hashlib.sha256(content).hexdigest() != sha256:
            raise RuntimeError(f"{address} does not have the checksum {sha256}")
        own = f"{path}.{os.getpid()}"
        with open(own, "wb") as file:
            file.write(content)
        os.replace(own, path)
    return path


def program(binary, sha256):
    """The path of dmslake on this machine, driver or executor."""
    if binary.startswith("s3://"):
        path = fetched(binary, sha256, tempfile.gettempdir())
    else:
        from pyspark import SparkFiles

        path = binary if os.path.exists(binary) else SparkFiles.get(os.path.basename(binary))
    if not os.access(path, os.X_OK):  # Files that Spark ships may have lost that permission.
        os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)
    return path


def run_task(binary, sha256):
    """What an executor does with one task: a line in, a line out."""

    def run(line):
        from pyspark import TaskContext

        command = [program(binary, sha256), "job", "task"]
        done = subprocess.run(command, input=line.encode(), stdout=subprocess.PIPE, check=False)
        is_last = TaskContext.get().attemptNumber() + 1 >= ATTEMPTS
        # 3: no attempt would do better. The last attempt says why it failed, too.
        if done.returncode in (0, 3) or (done.returncode == 1 and is_last):
            return done.stdout.decode().rstrip("\n")
        raise RuntimeError(f"the task ended with {done.returncode}")

    return run


def answer(context, stage, tasks, run):
    """Has a stage done and gives what dmslake is told of it."""
    begun = time.monotonic()
    context.setJobDescription(f"dmslake: {stage}")
    try:
        results = context.parallelize(tasks, len(tasks)).map(run).collect()
    except Exception as error:  # Spark has given up: dmslake decides what follows.
        return {"failed": (str(error) or repr(error)).splitlines()[0][:300]}
    print(f"{stage}: {len(tasks)} tasks, {time.monotonic() - begun:.1f} s", flush=True)
    return {"results": results}


def drive(context, options):
    """Does what `dmslake job drive` asks for; gives its exit code and its reports."""
    command = [program(options.binary, options.sha256), "job", "drive", "--config", options.config]
    command += ["--slots", str(options.slots or context.defaultParallelism)]
    command += [f"--table={table}" for table in options.table]
    command += [f"{name}={value}" for name in PASSED if (value := getattr(options, name[2:].replace("-", "_")))]
    reports = []
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")
    with contextlib.suppress(BrokenPipeError), process:  # It takes no answer once it has ended.
        for line in process.stdout:
            said = json.loads(line)
            if "stage" in said:
                told = answer(context, said["stage"], said["tasks"], run_task(options.binary, options.sha256))
                print(json.dumps(told), file=process.stdin, flush=True)
                continue
            print(line, end="", flush=True)
            if "report" in said:
                reports.append(said["report"])
    return process.returncode, reports


def arguments(given):
    """The options. Glue adds some of its own, which are left alone."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--binary", default="dmslake", help="the program, a file here or an s3:// address")
    parser.add_argument("--sha256", default="", help="its checksum, for an s3:// address")
    parser.add_argument("--config", default="dmslake.toml", help="the configuration, a file here")
    parser.add_argument("--table", action="append", default=[], help="only this table; may be repeated")
    parser.add_argument("--slots", type=int, help="tasks at once; by default what Spark says")
    for name in PASSED:
        parser.add_argument(name, help="as `dmslake job drive --help` says")
    parser.add_argument("--JOB_NAME", help="what Glue calls the job")
    parser.add_argument("--JOB_RUN_ID", help="what Glue calls this run: the default of --run")
    options, _ = parser.parse_known_args(given)
    if options.binary.startswith("s3://") and not options.sha256:
        parser.error("--binary s3://… needs --sha256")
    options.run = options.run or options.JOB_RUN_ID
    return options


def main():
    from pyspark.sql import SparkSession

    options = arguments(sys.argv[1:])
    builder = SparkSession.builder.appName("dmslake").config("spark.task.maxFailures", ATTEMPTS)
    # What tasks tell is small, but for data files by the ten thousand.
    session = builder.config("spark.driver.maxResultSize", "4g").getOrCreate()
    if not options.binary.startswith("s3://"):
        session.sparkContext.addFile(options.binary)
    if options.JOB_NAME:  # In Glue, which otherwise ignores the security configuration.
        from awsglue.context import GlueContext
        from awsglue.job import Job
        from awsglue.utils import getResolvedOptions

        job = Job(GlueContext(session.sparkContext))
        job.init(options.JOB_NAME, getResolvedOptions(sys.argv, ["JOB_NAME"]))
    code, reports = drive(session.sparkContext, options)
    if code != 0 or not reports:
        # Glue takes only an error for a failure.
        sys.exit(f"dmslake ended with {code}; its report says why")
    if options.JOB_NAME:
        job.commit()


if __name__ == "__main__":
    main()
