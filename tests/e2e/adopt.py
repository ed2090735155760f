"""A DMS task that runs already is all that dmslake is told: `init` asks AWS about it, and what it writes
is used as it is. Then the task is mended by the commands that `init` prints."""

import hashlib
import json
import random
import re
from dataclasses import replace

import draw
import looking
from aws_task import AwsTask
from pipeline import LAKE, STAGING
from scene import Scene, conclude, scene, verdict

# What is wrong with a task as AWS makes it.
FLAWS = [
    "ChangeProcessingDdlHandlingPolicy.HandleSourceTableDropped = true",
    "ChangeProcessingDdlHandlingPolicy.HandleSourceTableTruncated = true",
    'ErrorBehavior.DataErrorPolicy = "LOG_ERROR"',
    'ErrorBehavior.DataTruncationErrorPolicy = "LOG_ERROR"',
    'ErrorBehavior.TableErrorPolicy = "SUSPEND_TABLE"',
]
NO_SEQUENCE = "no rule add-column with $AR_H_CHANGE_SEQ"
# What may be wrong too, without an effect on the objects of this part.
MORE_FLAWS = [
    ("TargetMetadata", "BatchApplyEnabled", True),
    ("TargetMetadata", "FullLobMode", True),
    ("FullLoadSettings", "TargetTablePrepMode", "DO_NOTHING"),
    ("ChangeProcessingDdlHandlingPolicy", "HandleSourceTableAltered", False),
    ("ErrorBehavior", "DataErrorPolicy", "IGNORE_RECORD"),
]
SHADOW = "shadow"


def run(programs, seed: int, seconds: float, readers: list) -> list[str]:
    """Returns descriptions of faults."""
    settings, flaws = flawed(random.Random(f"{seed} task"))
    with scene("adopt", programs, seed, [], settings) as of:
        pipeline = of.pipeline
        task = AwsTask(pipeline)
        task.hand_over()
        pipeline.dms.load()
        pipeline.dms.follow()
        of.load(seconds / 4)
        said = pipeline.initialize("--dms-task", task.arn)
        faults = differences("init names the flaws", flaws, told_flaws(said)) + left_open(of, said)
        pipeline.start_function()
        of.load(seconds / 2)
        of.settle()
        faults += verdict(of, readers)
        faults += shadow(of, readers)
        mend(task, said)
        pipeline.dms.follow()
        of.load(seconds / 4)
        pipeline.dms.finish()
        said = pipeline.initialize("--dms-task", task.arn, "--force")
        faults += differences("init names the flaws of a mended task", [], told_flaws(said))
        faults += left_open(of, said)
        pipeline.restart_function()
        of.settle()
        print("after the commands that init has printed:")
        return conclude(of, faults + verdict(of, readers))


def flawed(chance: random.Random) -> tuple[draw.Settings, list[str]]:
    """Settings as for the other parts, with flaws, and how `init` has to name these."""
    settings = draw.settings(chance, ["copy-on-write"])
    flaws = {flaw.partition(" = ")[0]: flaw for flaw in FLAWS}
    if not settings.has_sequence:
        flaws[NO_SEQUENCE] = NO_SEQUENCE
    members: dict = {section: {**own} for section, own in settings.task.items()}
    for section, name, value in chance.sample(MORE_FLAWS, chance.randint(0, len(MORE_FLAWS))):
        members.setdefault(section, {})[name] = value
        flaws[f"{section}.{name}"] = f"{section}.{name} = {json.dumps(value)}"
    # Manifests are nothing that `init` writes by itself.
    return replace(settings, task=members, has_manifests=False), sorted(flaws.values())


def told_flaws(said: str) -> list[str]:
    return sorted(re.findall(r"^the task loses changes: (.*?): ", said, re.MULTILINE))


def differences(what: str, wanted: list, found: list) -> list[str]:
    return [] if found == wanted else [f"{what}: {found}, wanted are {wanted}"]


def left_open(of: Scene, said: str) -> list[str]:
    """What a person would still have to do about the configuration."""
    text = of.pipeline.config.read_text()
    wrong = [mark for mark in ("FILL IN", "CHECK") if mark in text]
    wrong += [] if f"next: dmslake apply --config {of.pipeline.config}" in said else ["no next step"]
    wrong += [] if of.pipeline.config.with_name("terraform.tfvars").exists() else ["no variables"]
    return [f"init leaves something open, {', '.join(wrong)}: {said}"] if wrong else []


def shadow(of: Scene, readers: list) -> list[str]:
    """Applies everything again beside the lake."""
    before = contents(of)
    place = ["--shadow", f"s3://{LAKE}/{SHADOW}"]
    faults = []
    *tables, _ = looking.dmslake(of, "apply", *place)
    for one in tables:
        if one["status"] != "ok" or one["pending"]:
            faults.append(f"shadow: {json.dumps(one)}")
    for schema, name in of.tables:
        table = f"{schema}.{name}"
        faults += looking.verification(of, table, looking.count(of, table), *place)
    print("in the shadow:")
    faults += verdict(of, readers, of.pipeline.lake.parent / SHADOW)
    after = contents(of)
    changed = [name for name in before | after if before.get(name) != after.get(name)]
    return faults + differences("files that the shadow has changed", [], changed)


def contents(of: Scene) -> dict[str, str]:
    """Digests of the lake's files and of staged objects."""
    lake = of.pipeline.lake
    found = {
        str(path.relative_to(lake)): hashlib.blake2b(path.read_bytes()).hexdigest()
        for path in lake.rglob("*")
        if path.is_file()
    }
    pages = of.pipeline.client("s3").get_paginator("list_objects_v2").paginate(Bucket=STAGING)
    return found | {one["Key"]: one["ETag"] for page in pages for one in page.get("Contents", [])}


def mend(task: AwsTask, said: str):
    """Runs the commands that `init` has printed. The task goes on as it is then."""
    for command in re.findall(r"^ +(aws .*)$", said, re.MULTILINE):
        task.run(command)
    task.hand_over()
