"""A stand-in for AWS Glue, which runs the job of the hand-over: it refuses runs, loses answers, and its
runs are killed, as are their tasks."""

import json
import random
import subprocess
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SLOTS, ATTEMPTS = 2, 4
# So small that a few changes are many tasks.
SIZES = [
    "--least-bytes", "0", "--chunk-bytes", "20000", "--range-rows", "500", "--round-bytes", "500000",
]  # fmt: skip


class Run:
    """One run: what infra/glue/apply_table.py does, without Spark."""

    def __init__(self, glue: "Glue", number: int, table: str, claim: str):
        self.glue, self.id, self.table, self.claim = glue, f"jr_{number}", table, claim
        self.state = "RUNNING"
        self.chance = random.Random(f"{glue.seed} {number}")
        self.lock, self.driver = threading.Lock(), None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def kill(self):
        """kill -9 of the driver."""
        with self.lock:
            if self.driver is not None and self.driver.poll() is None:
                self.driver.kill()

    def _run(self):
        time.sleep(self.chance.uniform(0, 1))
        command = [
            self.glue.dmslake, "job", "drive", "--config", self.glue.config, "--table", self.table,
            "--claim", self.claim, "--run", self.id, "--slots", str(SLOTS), *SIZES,
        ]  # fmt: skip
        with self.lock:
            self.driver = subprocess.Popen(
                command, env=self.glue.variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=self.glue.log, encoding="utf-8",
            )  # fmt: skip
        if self.chance.random() < 0.3:
            threading.Timer(self.chance.uniform(0, 2), self.kill).start()
        # A driver that was killed takes no answer.
        with suppress(BrokenPipeError), self.driver as driver, ThreadPoolExecutor(SLOTS) as pool:
            for line in driver.stdout:
                said = json.loads(line)
                if "stage" not in said:
                    continue
                self.glue.done[f"job stages: {said['stage']}"] += 1
                results = list(pool.map(self._task, said["tasks"]))
                lost = "a task failed too often"
                answer = {"failed": lost} if None in results else {"results": results}
                print(json.dumps(answer), file=driver.stdin, flush=True)
        self.state = "SUCCEEDED" if self.driver.returncode == 0 else "FAILED"
        self.glue.done[f"job runs: {self.state}"] += 1

    def _task(self, line: str):
        for attempt in range(1, ATTEMPTS + 1):
            task = subprocess.Popen(
                [self.glue.dmslake, "job", "task"], env=self.glue.variables, stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=self.glue.log, encoding="utf-8",
            )  # fmt: skip
            if self.glue.chance.random() < 0.1:
                threading.Timer(self.glue.chance.uniform(0, 0.2), task.kill).start()
            result = task.communicate(line)[0].rstrip("\n")
            if task.returncode in (0, 3) or (task.returncode == 1 and attempt == ATTEMPTS):
                return result
            self.glue.done["job tasks repeated"] += 1
        return None


class Glue:
    """The API: StartJobRun, GetJobRun and BatchStopJobRun of one job."""

    def __init__(self, dmslake, config, variables: dict, log, seed: int):
        self.dmslake, self.config, self.variables, self.log = dmslake, config, variables, log
        self.seed, self.chance = seed, random.Random(f"{seed} glue")
        self.is_faulty = True
        self.runs: list[Run] = []
        self.done: Counter = Counter()
        self.lock = threading.Lock()
        self.service = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.service.daemon_threads = True
        threading.Thread(target=self.service.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.service.server_address[1]}"

    def close(self):
        for run in self.runs:
            run.kill()
        self.service.shutdown()
        self.service.server_close()

    def wait(self):
        """Until no run is left."""
        for run in list(self.runs):
            run.thread.join()

    def _answer(self, operation: str, body: dict):
        """Status and body of the answer; none if it is lost."""
        with self.lock:
            if operation == "StartJobRun":
                dice = self.chance.random() if self.is_faulty else 1
                if dice < 0.1:
                    self.done["job starts refused"] += 1
                    return 400, {"__type": "ConcurrentRunsExceededException", "Message": "too many"}
                given = body["Arguments"]
                self.runs.append(Run(self, len(self.runs) + 1, given["--table"], given["--claim"]))
                if dice < 0.25:
                    self.done["job starts without an answer"] += 1
                    return None
                return 200, {"JobRunId": self.runs[-1].id}
            name = body["RunId"] if operation == "GetJobRun" else body["JobRunIds"][0]
            found = next((run for run in self.runs if run.id == name), None)
        if found is None:
            return 400, {"__type": "EntityNotFoundException", "Message": name}
        if operation == "GetJobRun":
            return 200, {"JobRun": {"Id": name, "JobRunState": found.state}}
        found.kill()
        return 200, {"SuccessfulSubmissions": [{"JobRunId": name}]}

    def _handler(self):
        glue = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                answered = glue._answer(self.headers["X-Amz-Target"].split(".")[-1], body)
                if answered is None:
                    self.close_connection = True
                    return
                status, content = answered[0], json.dumps(answered[1]).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/x-amz-json-1.1")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        return Handler
