"""Changes at the source: sysbench's read-write transactions, and a table of all types."""

import subprocess

SCHEMA = "sbtest"


class Sysbench:
    """`oltp_read_write` on several tables."""

    def __init__(self, database, tables: int, rows: int, threads: int):
        self.arguments = [
            "oltp_read_write",
            "--db-driver=mysql",
            "--mysql-host=127.0.0.1",
            f"--mysql-port={database.port}",
            "--mysql-user=root",
            f"--mysql-db={SCHEMA}",
            f"--tables={tables}",
            f"--table-size={rows}",
            f"--threads={threads}",
            "--report-interval=10",
            # Deadlocks and transactions interrupted by TRUNCATE are retried, as in applications.
            "--mysql-ignore-errors=1213,1020,1205,1062,1412",
        ]
        self.database = database
        self.tables = [f"sbtest{number}" for number in range(1, tables + 1)]
        self.process = None

    def prepare(self):
        self.database.run(f"CREATE DATABASE IF NOT EXISTS {SCHEMA}")
        subprocess.run(["sysbench", *self.arguments, "prepare"], check=True, stdout=subprocess.DEVNULL)

    def start(self, seconds: int, seed: int, rate: int = 0):
        """Runs transactions for the given time; `rate` per second, or as many as possible."""
        self.process = subprocess.Popen(
            ["sysbench", *self.arguments, f"--time={seconds}", f"--rate={rate}",
             f"--rand-seed={seed}", "run"],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def wait(self) -> dict[str, float]:
        """Waits for the end; returns the numbers of transactions and rows written."""
        text, _ = self.process.communicate()
        if self.process.returncode:
            raise RuntimeError(f"sysbench failed:\n{text}")
        figures = {}
        for line in text.splitlines():
            name, _, rest = line.strip().partition(":")
            if name in ("write", "transactions"):
                figures[name] = int(rest.split()[0])
        return figures
