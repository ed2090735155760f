"""A separate Trino server with its own folder and port, which is stopped at the end."""

import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import trino

import tools
from servers.ports import free_port

PATIENCE = 300

CONFIG = """
coordinator=true
node-scheduler.include-coordinator=true
http-server.http.port={port}
discovery.uri=http://127.0.0.1:{port}
catalog.management=static
"""

JVM = """
-server
-Xmx2G
-XX:+UseG1GC
-XX:+ExitOnOutOfMemoryError
-XX:ReservedCodeCacheSize=256M
-Djdk.attach.allowAttachSelf=true
--enable-native-access=ALL-UNNAMED
"""

CATALOG = """
connector.name=delta_lake
hive.metastore=file
hive.metastore.catalog.dir=file://{folder}/metastore
fs.hadoop.enabled=true
delta.register-table-procedure.enabled=true
delta.metadata.cache-ttl=0s
"""


@contextmanager
def server():
    """Yields the port of a running server, which is always stopped afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="dmslake-trino-"))
    port = free_port()
    write_configuration(folder / "etc", folder, port)
    log = (folder / "server.log").open("wb")
    launcher = tools.TRINO / "bin" / "launcher"
    process = subprocess.Popen(
        [launcher, "run", "--etc-dir", folder / "etc", "--data-dir", folder / "data"],
        env=tools.java(25),
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        wait_until_up(process, port, folder / "server.log")
        yield port
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()
        shutil.rmtree(folder, ignore_errors=True)


def write_configuration(etc: Path, folder: Path, port: int):
    (etc / "catalog").mkdir(parents=True)
    (etc / "node.properties").write_text("node.environment=test\n")
    (etc / "config.properties").write_text(CONFIG.format(port=port))
    (etc / "jvm.config").write_text(JVM.lstrip())
    (etc / "catalog" / "delta.properties").write_text(CATALOG.format(folder=folder))


def wait_until_up(process, port: int, log: Path):
    cursor = trino.dbapi.connect(host="127.0.0.1", port=port, user="test").cursor()
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        try:
            # The server answers before it has a node that can run queries.
            cursor.execute("SELECT count(*) FROM system.runtime.nodes").fetchall()
            return
        except (OSError, trino.exceptions.Error):
            time.sleep(0.5)
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
    raise RuntimeError(f"Trino did not start:\n{tail}")
