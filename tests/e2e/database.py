"""A separate MariaDB server with its own data directory and port."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pymysql

from servers.ports import free_port
from waiting import wait_for

PATIENCE = 60
OPTIONS = [
    "--no-defaults",
    "--skip-networking=0",
    "--bind-address=127.0.0.1",
    "--log-bin=binlog",
    "--binlog-format=ROW",
    "--binlog-row-image=FULL",
    "--binlog-row-metadata=FULL",
    "--server-id=1",
    "--innodb-flush-log-at-trx-commit=0",
    "--sync-binlog=0",
    "--innodb-buffer-pool-size=256M",
    "--max-connections=64",
    "--character-set-server=utf8mb4",
    # Zero dates are values too.
    "--sql-mode=NO_ENGINE_SUBSTITUTION",
]


class Database:
    """Runs for the duration of the `with` block."""

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="dmslake-mariadb-"))
        self.port = free_port()
        data = self.folder / "data"
        # It refuses to run as root unless the user is given.
        user = [f"--user={'root' if os.geteuid() == 0 else os.environ['USER']}"]
        subprocess.run(
            ["mariadb-install-db", "--no-defaults", f"--datadir={data}", *user,
             "--auth-root-authentication-method=normal", "--skip-test-db"],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        self.log = (self.folder / "log").open("wb")
        self.process = subprocess.Popen(
            ["mariadbd", *OPTIONS, *user, f"--datadir={data}", f"--port={self.port}",
             f"--socket={self.folder / 'socket'}", f"--pid-file={self.folder / 'pid'}"],
            stdout=self.log, stderr=self.log,
        )  # fmt: skip
        try:
            wait_for(self._is_up, PATIENCE, "the start of MariaDB")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def url(self) -> str:
        return f"mysql://root@127.0.0.1:{self.port}"

    def connection(self, **options):
        return pymysql.connect(
            host="127.0.0.1",
            port=self.port,
            user="root",
            charset="utf8mb4",
            autocommit=True,
            init_command="SET time_zone = '+00:00'",
            **options,
        )

    def run(self, *statements: str):
        with self.connection() as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def _is_up(self) -> bool:
        if self.process.poll() is not None:
            tail = (self.folder / "log").read_text(errors="replace")[-2000:]
            raise RuntimeError(f"MariaDB has stopped:\n{tail}")
        try:
            self.connection().close()
        except pymysql.err.OperationalError:
            return False
        return True
