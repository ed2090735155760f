"""Does what an AWS DMS task with an S3 target does, without AWS: loads the tables of a MySQL or
MariaDB server, follows its binlog, and writes objects as DMS does into a folder or bucket.

Started again, it goes on where it stopped. Ctrl-C stops it once what is in the log is written."""

import argparse
import json
import signal
import sys
from importlib import metadata
from pathlib import Path

import pymysql

from . import connection, state, target, task_files
from .errors import SettingsError
from .source import Source
from .task import Task


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="dmslake-dms",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "source",
        help=f"{connection.FORM}; the schema's tables are taken. Without a password, MYSQL_PWD is "
        "used. TLS: ?require_ssl=true, and verify_ca=false or verify_identity=false where the "
        "certificate is not publicly signed",
    )
    parser.add_argument("target", help="a folder, or s3://BUCKET[/FOLDER]")
    parser.add_argument(
        "--once", action="store_true", help="stop when all that is in the log now is written"
    )
    parser.add_argument(
        "--restart", action="store_true", help="load all tables again, even if there is a checkpoint"
    )
    parser.add_argument(
        "--state",
        type=Path,
        default=Path("dms-state"),
        metavar="DIR",
        help="where checkpoints are kept, and mappings.json, endpoint.json and task.json are "
        "written (dms-state)",
    )
    parser.add_argument("--version", action="version", version=f"dmslake-dms {version()}")
    files = parser.add_argument_group("files in the form of DMS")
    files.add_argument(
        "--table-mappings",
        type=Path,
        metavar="FILE",
        help="the task's rules; by default all tables of the source's SCHEMA, before images of their "
        "keys, and a change sequence, cdc_seq",
    )
    files.add_argument(
        "--endpoint-settings",
        type=Path,
        metavar="FILE",
        help="the endpoint's S3Settings; by default what dmslake recommends",
    )
    files.add_argument(
        "--task-settings",
        type=Path,
        metavar="FILE",
        help="the task's settings; by default what dmslake recommends",
    )
    rare = parser.add_argument_group("for tests, and for several at one server")
    rare.add_argument(
        "--server-id",
        type=int,
        default=4711,
        metavar="ID",
        help="its id as a replica, which no other replica of the server has (4711)",
    )
    rare.add_argument(
        "--back",
        type=int,
        default=0,
        metavar="N",
        help="go on from the Nth checkpoint before the newest, to write changes again",
    )
    rare.add_argument(
        "--uncertain",
        action="append",
        default=[],
        metavar="NAME=JSON",
        help="a choice for unknown behaviour of DMS, see README.md; may be repeated",
    )
    return parser.parse_args()


def version() -> str:
    try:
        return metadata.version("dmslake-dms")
    except metadata.PackageNotFoundError:
        return "of the repository"


def uncertain(chosen: list[str]) -> dict:
    found = {}
    for one in chosen:
        name, _, value = one.partition("=")
        try:
            found[name] = json.loads(value)
        except ValueError:
            raise SettingsError(f"--uncertain {one}: must be NAME=JSON") from None
    return found


def run(chosen: argparse.Namespace, server: dict, schema: str):
    given = {
        "mappings": chosen.table_mappings,
        "endpoint": chosen.endpoint_settings,
        "task": chosen.task_settings,
    }
    address = f"{server['host']}:{server['port']}"
    place = target.opened(chosen.target)
    with state.taken(chosen.state, address, str(place), chosen.restart):
        settings = task_files.settings(given, schema, chosen.state, uncertain(chosen.uncertain))
        task = Task(Source(server), place, settings, chosen.state, chosen.server_id)

        def stop(*_):
            if task.is_stopping:
                sys.exit(1)
            task.log("stops when what is in the log is written; once more stops it at once")
            task.stop()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        if chosen.once:
            task.stop()
        task.run(chosen.restart, chosen.back)


def main() -> int:
    chosen = arguments()
    try:
        server, schema = connection.parsed(chosen.source)
        run(chosen, server, schema)
    except SettingsError as error:
        print(f"dmslake-dms: {error}", file=sys.stderr)
        return 2
    except pymysql.err.MySQLError as error:
        print(f"dmslake-dms: {connection.explained(error, server)}", file=sys.stderr)
        return 1
    except target.failures() as error:
        print(f"dmslake-dms: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
