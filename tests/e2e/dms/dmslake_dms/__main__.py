"""A stand-in for AWS DMS: reads a MySQL or MariaDB server's tables and binlog, and writes the
objects that a DMS task with an S3 target would write. See README.md in this folder."""

import argparse
import json
import signal
import sys
from pathlib import Path

from . import target
from .settings import Settings, SettingsError
from .source import Source
from .task import Task


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="dmslake-dms", description=__doc__, allow_abbrev=False
    )
    parser.add_argument("source", help="mysql://USER:PASSWORD@HOST:PORT")
    parser.add_argument("target", help="a folder, or s3://BUCKET[/FOLDER]")
    parser.add_argument(
        "--state", type=Path, required=True, metavar="DIR", help="where checkpoints are kept"
    )
    parser.add_argument(
        "--table-mappings", type=Path, required=True, metavar="FILE", help="DMS's JSON"
    )
    parser.add_argument(
        "--endpoint-settings",
        type=Path,
        metavar="FILE",
        help="the endpoint's S3Settings as JSON; without it DMS's defaults",
    )
    parser.add_argument(
        "--task-settings", type=Path, metavar="FILE", help="the task's settings as JSON"
    )
    parser.add_argument(
        "--uncertain",
        action="append",
        default=[],
        metavar="NAME=JSON",
        help="a choice for unknown behaviour of DMS, see README.md; may be repeated",
    )
    parser.add_argument(
        "--resume", action="store_true", help="continue from the checkpoint, without a full load"
    )
    parser.add_argument(
        "--back",
        type=int,
        default=0,
        metavar="N",
        help="with --resume: from the Nth checkpoint before the newest, "
        "to write changes again",
    )
    parser.add_argument(
        "--full-load-only", action="store_true", help="stop after the full load; --resume continues"
    )
    parser.add_argument("--server-id", type=int, default=4711, help="server id as a replica (4711)")
    return parser.parse_args()


def main() -> int:
    chosen = arguments()
    try:
        uncertain = dict(one.split("=", 1) for one in chosen.uncertain)
        uncertain = {name: json.loads(value) for name, value in uncertain.items()}
        settings = Settings.load(
            chosen.endpoint_settings, chosen.table_mappings, chosen.task_settings, uncertain
        )
        task = Task(
            Source(chosen.source),
            target.opened(chosen.target),
            settings,
            chosen.state,
            chosen.server_id,
        )
        signal.signal(signal.SIGTERM, lambda *_: task.stop())
        task.run(chosen.resume, chosen.back, chosen.full_load_only)
    except (SettingsError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
