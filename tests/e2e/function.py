"""The Lambda service around our function: execution environments with the Runtime API, and an
event source mapping that polls the queue for them."""

import json
import os
import queue
import random
import subprocess
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

# Seconds until an invocation ends, and until a message of a failed one is visible again.
TIMEOUT = 20
VISIBILITY = 30
MEMORY = "1769"
API = "/2018-06-01/runtime/"
# Seconds until the first poll of a process.
PATIENCE = 30


class Killed(Exception):
    """The process ended without an answer."""


class Failed(Exception):
    """The function answered with an error."""


class Environment:
    """One execution environment: a process of the function that is started on demand."""

    def __init__(self, program: Path, variables: dict[str, str], log: Path):
        self.program = program
        self.variables = variables
        self.log = log.open("ab")
        self.events: queue.Queue = queue.Queue()
        self.answers: queue.Queue = queue.Queue()
        self.polled = threading.Event()
        self.process = None
        self.invocations = 0
        self.starts = 0
        self.lock = threading.Lock()
        self.service = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.service.daemon_threads = True
        threading.Thread(target=self.service.serve_forever, daemon=True).start()

    def close(self):
        self.kill()
        self.service.shutdown()
        self.service.server_close()
        self.log.close()

    def kill(self):
        """kill -9 at any time."""
        with self.lock:
            if self.process is not None:
                self.process.kill()
                self.process.wait()
                self.process = None

    def invoke(self, event: dict):
        """The function's answer to an event.

        Raises Failed or Killed, as the service sees it."""
        self._start_if_down()
        self.invocations += 1
        number = f"{self.starts}-{self.invocations}"
        deadline = time.time() + TIMEOUT
        self.events.put((number, json.dumps(event).encode(), deadline))
        while time.time() < deadline:
            try:
                answered, kind, body = self.answers.get(timeout=0.1)
            except queue.Empty:
                with self.lock:
                    is_up = self.process is not None and self.process.poll() is None
                if not is_up:
                    break
                continue
            if answered == number:
                if kind == "response":
                    return body
                raise Failed(body)
        self.kill()
        raise Killed

    def _start_if_down(self):
        with self.lock:
            if self.process is not None and self.process.poll() is None:
                return
            self.events, self.answers = queue.Queue(), queue.Queue()
            self.polled.clear()
            self.starts += 1
            port = self.service.server_address[1]
            # The process does not inherit our environment.
            variables = self.variables | {
                "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}",
                "AWS_LAMBDA_FUNCTION_NAME": "dmslake",
                "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": MEMORY,
            }
            self.process = subprocess.Popen(
                [self.program], env=variables, stdout=self.log, stderr=self.log
            )
            process = self.process
        end = time.time() + PATIENCE
        while time.time() < end and process.poll() is None and not self.polled.wait(0.1):
            pass

    def _handler(self):
        environment = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                environment.polled.set()
                events = environment.events
                while True:
                    try:
                        number, payload, deadline = events.get(timeout=1)
                        break
                    except queue.Empty:
                        # A replaced process no longer waits.
                        if events is not environment.events:
                            return
                self.send_response(200)
                self.send_header("Lambda-Runtime-Aws-Request-Id", number)
                self.send_header("Lambda-Runtime-Deadline-Ms", str(int(deadline * 1000)))
                self.send_header(
                    "Lambda-Runtime-Invoked-Function-Arn",
                    "arn:aws:lambda:eu-west-1:123456789012:function:dmslake",
                )
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                number, kind = self.path.removeprefix(API).split("/")[1:3]
                environment.answers.put((number, kind, json.loads(body or b"null")))
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        return Handler


class EventSourceMapping:
    """Polls a queue of S3 events and invokes the function, in all environments concurrently.
    Faults of events happen here: messages are dropped, delayed, delivered twice and out of
    order."""

    def __init__(self, sqs, queue_url: str, environments: list[Environment], seed: int):
        self.sqs, self.queue_url = sqs, queue_url
        self.environments = environments
        # One per environment, so that random choices do not depend on timing.
        self.chances = [random.Random(f"{seed} {at}") for at in range(len(environments))]
        self.is_torturing = False
        self.is_stopping = True
        self.figures: Counter = Counter()
        self.threads: list[threading.Thread] = []

    def start(self):
        """Polls until it is stopped; runs once for each environment."""
        self.is_stopping = False
        self.threads = [
            threading.Thread(target=self._run, args=(number,), daemon=True)
            for number in range(len(self.environments))
        ]
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.is_stopping = True
        for thread in self.threads:
            thread.join()

    def is_idle(self) -> bool:
        """Whether the queue is empty, including invisible messages."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=self.queue_url, AttributeNames=names)
        return all(int(found["Attributes"][name]) == 0 for name in names)

    def _run(self, number: int):
        while not self.is_stopping:
            self.poll(number)

    def poll(self, number: int = 0) -> int:
        """Receives messages once, and invokes one of the environments with them. Returns their
        number."""
        found = self.sqs.receive_message(
            QueueUrl=self.queue_url,
            MaxNumberOfMessages=10,
            WaitTimeSeconds=1,
            VisibilityTimeout=VISIBILITY,
            AttributeNames=["All"],
        )
        messages = found.get("Messages", [])
        if self.is_torturing:
            messages = self._tortured(messages, self.chances[number])
        if messages:
            self._invoke(self.environments[number], messages)
        return len(messages)

    def _tortured(self, messages: list[dict], chance: random.Random) -> list[dict]:
        left = []
        for message in messages:
            fate = chance.choices(
                ["deliver", "drop", "delay", "twice"], weights=[80, 7, 6, 7]
            )[0]
            self.figures[f"messages: {fate}"] += 1
            if fate == "drop":
                self._delete([message])
            elif fate == "delay":
                self.sqs.change_message_visibility(
                    QueueUrl=self.queue_url,
                    ReceiptHandle=message["ReceiptHandle"],
                    VisibilityTimeout=chance.randint(1, 5),
                )
            else:
                left += [message] * (2 if fate == "twice" else 1)
        chance.shuffle(left)
        return left

    def _invoke(self, environment: Environment, messages: list[dict]):
        records = [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message.get("Attributes", {}),
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:dmslake",
                "awsRegion": "eu-west-1",
            }
            for message in messages
        ]
        self.figures["invocations"] += 1
        try:
            answer = environment.invoke({"Records": records})
        except Killed:
            self.figures["invocations cut off"] += 1
            return
        except Failed:
            self.figures["invocations failed"] += 1
            return
        failed = {one["itemIdentifier"] for one in (answer or {}).get("batchItemFailures", [])}
        self.figures["messages given back"] += len(failed)
        for message in messages:
            if message["MessageId"] in failed:
                # Sooner than in Lambda, to keep tests short.
                self.sqs.change_message_visibility(
                    QueueUrl=self.queue_url,
                    ReceiptHandle=message["ReceiptHandle"],
                    VisibilityTimeout=2,
                )
        self._delete([one for one in messages if one["MessageId"] not in failed])

    def _delete(self, messages: list[dict]):
        handles = {message["MessageId"]: message["ReceiptHandle"] for message in messages}
        entries = [{"Id": str(at), "ReceiptHandle": h} for at, h in enumerate(handles.values())]
        if entries:
            self.sqs.delete_message_batch(QueueUrl=self.queue_url, Entries=entries)


def stripped(program: Path, folder: Path) -> Path:
    """The stripped binary, as it is deployed."""
    to = folder / "bootstrap"
    subprocess.run(["strip", "-o", to, program], check=True)
    os.chmod(to, 0o755)
    return to
