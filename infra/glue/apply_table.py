"""Spark schedules, dmslake works: applies tables with `dmslake job drive`, its tasks on executors.

    spark-submit apply_table.py --binary dmslake --config dmslake.toml --table shop.orders

The same on Glue 5 and 6, EMR and `pip install pyspark`. --binary is a file of the driver or an
s3:// address with --sha256; it must run on the executors: x86_64, glibc 2.34 or older on Glue.
Nothing refers to what tasks write before dmslake commits, so they may be repeated, done twice, or
killed.
"""

import argparse
import hashlib
import json
import os
import stat
import subprocess
import sys
import tempfile
import time
import urllib.parse

ATTEMPTS = 4
# Options of `dmslake job drive` that are passed on to it.
SIZES = ("--least-bytes", "--round-bytes", "--chunk-bytes", "--range-rows", "--task-memory")


def fetched(address, sha256, folder):
    """A program at an s3:// address, which must have that checksum, in a folder of this machine."""
    path = os.path.join(folder, f"dmslake-{sha256[:16]}")
    if not os.path.exists(path):
        import boto3

        place = urllib.parse.urlparse(address)
        content = boto3.client("s3").get_object(Bucket=place.netloc, Key=place.path[1:])["Body"].read()
        if hashlib.sha256(content).hexdigest() != sha256:
            raise RuntimeError(f"{address} does not have the checksum {sha256}")
        own = f"{path}.{os.getpid()}"
        with open(own, "wb") as file:
            file.write(content)
        os.replace(own, path)
    return path


def executable(path):
    """The same program where it may be run: files that Spark ships may have lost that permission."""
    if not os.access(path, os.X_OK):
        os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)
    return path


def program(binary, sha256):
    """The path of dmslake on this machine, driver or executor."""
    if binary.startswith("s3://"):
        return executable(fetched(binary, sha256, tempfile.gettempdir()))
    if os.path.exists(binary):
        return executable(binary)
    from pyspark import SparkFiles

    return executable(SparkFiles.get(os.path.basename(binary)))


def run_task(binary, sha256):
    """What an executor does with one task: a line in, a line out."""

    def run(line):
        from pyspark import TaskContext

        done = subprocess.run(
            [program(binary, sha256), "job", "task"], input=line.encode(), stdout=subprocess.PIPE, check=False
        )
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
    command += [argument for table in options.table for argument in ("--table", table)]
    command += ["--slots", str(options.slots or context.defaultParallelism)]
    given = {size: getattr(options, size[2:].replace("-", "_")) for size in SIZES}
    command += [part for size, value in given.items() if value for part in (size, value)]
    reports = []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8") as process:
        run = run_task(options.binary, options.sha256)
        for line in process.stdout:
            said = json.loads(line)
            if "report" in said:
                reports.append(said["report"])
                print(json.dumps(said["report"]), flush=True)
                continue
            told = answer(context, said["stage"], said["tasks"], run)
            try:
                print(json.dumps(told), file=process.stdin, flush=True)
            except BrokenPipeError:
                break
    return process.returncode, reports


def arguments(given):
    """The options. Glue adds some of its own, which are left alone."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="dmslake", help="the program, a file here or an s3:// address")
    parser.add_argument("--sha256", default="", help="its checksum, for an s3:// address")
    parser.add_argument("--config", default="dmslake.toml", help="the configuration, a file here")
    parser.add_argument("--table", action="append", default=[], help="only this table; may be repeated")
    parser.add_argument("--slots", type=int, help="tasks at once; by default what Spark says")
    for size in SIZES:
        parser.add_argument(size, help="as `dmslake job drive --help` says")
    options, _ = parser.parse_known_args(given)
    if options.binary.startswith("s3://") and not options.sha256:
        parser.error("--binary s3://… needs --sha256")
    return options


def main():
    from pyspark.sql import SparkSession

    options = arguments(sys.argv[1:])
    builder = SparkSession.builder.appName("dmslake").config("spark.task.maxFailures", ATTEMPTS)
    # What tasks tell is small, but for data files by the ten thousand.
    session = builder.config("spark.driver.maxResultSize", "4g").getOrCreate()
    if not options.binary.startswith("s3://"):
        session.sparkContext.addFile(options.binary)
    code, reports = drive(session.sparkContext, options)
    if code != 0 or not reports:
        # Glue takes only an error for a failure.
        sys.exit(f"dmslake ended with {code}; its report says why")


if __name__ == "__main__":
    main()
