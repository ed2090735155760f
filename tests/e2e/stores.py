"""The S3 servers: moto for staging and its events, versitygw for the lake, where writers compete,
because moto's conditional writes are not atomic."""

import os
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from servers.ports import free_port
from waiting import wait_for

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "dmslaketest",
    "AWS_SECRET_ACCESS_KEY": "dmslaketestsecret",
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
PATIENCE = 60


class Moto:
    """moto's server: S3 and SQS in memory."""

    def __init__(self, program: str):
        self.port = free_port()
        self.process = subprocess.Popen(
            [program, "-H", "127.0.0.1", "-p", str(self.port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until_up(self.port, self.process)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self):
        self.process.terminate()
        self.process.wait()


class Versitygw:
    """A gateway to a folder: each bucket is a folder in it, each object a file."""

    def __init__(self, program: str):
        self.program = program
        self.root = Path(tempfile.mkdtemp(prefix="dmslake-versitygw-"))
        self.port = free_port()
        self.process = None
        self.start()

    def start(self):
        environment = os.environ | {
            "ROOT_ACCESS_KEY": CREDENTIALS["AWS_ACCESS_KEY_ID"],
            "ROOT_SECRET_KEY": CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        }
        self.process = subprocess.Popen(
            [self.program, "--port", f"127.0.0.1:{self.port}", "--quiet",
             "--region", CREDENTIALS["AWS_REGION"], "posix", self.root],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        wait_until_up(self.port, self.process)

    def restart(self):
        """kill -9 and restart."""
        self.process.kill()
        self.process.wait()
        self.start()

    def close(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.root, ignore_errors=True)


def wait_until_up(port: int, process):
    def is_up() -> bool:
        if process.poll() is not None:
            raise RuntimeError(f"the server on port {port} has stopped")
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
        except urllib.error.HTTPError:
            # Any answer is enough, even a refusal.
            return True
        except OSError:
            return False
        return True

    wait_for(is_up, PATIENCE, f"the start of the server on port {port}")
