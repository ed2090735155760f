"""An S3 proxy with the faults of S3.

Requests go to the server of their bucket. Faults occur before the effect (500, 503, 409, a slow
answer) and after it (the connection ends without an answer, or in the middle of one).
The proxy also counts requests and can record them.
"""

import asyncio
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

# The percentage of requests with each fault.
SHARES = {
    "500": 1.0,
    "503": 1.0,
    "409": 1.0,
    "slow": 2.0,
    "no answer": 1.0,
    "half an answer": 1.0,
}
SLOW = 1.5
# Conditional requests that S3 may answer with a conflict.
CONDITIONS = ("if-none-match", "if-match")
REASONS = {500: "InternalError", 503: "SlowDown", 409: "ConditionalRequestConflict"}


@dataclass(frozen=True)
class Request:
    """An answered request, with times from `time.time`."""

    begun: float
    ended: float
    method: str
    # `/bucket/key?query`
    path: str
    status: int


@dataclass
class Proxy:
    """Serves on its own port, in a thread, until it is closed."""

    # Ports of the servers by bucket; the name "" means all other buckets.
    servers: dict[str, int]
    seed: int
    # Whether faults are active.
    is_faulty: bool = False
    faults: Counter = field(default_factory=Counter)
    # Conditional PUTs that lost to an existing object.
    conflicts: int = 0
    # Additional seconds for each request.
    delay: float = 0
    # The record of requests, if they are recorded.
    requests: list[Request] | None = None

    def __post_init__(self):
        self.random = random.Random(self.seed)
        # The event loop refers weakly to tasks: one that waits for its client would be collected.
        self.clients: set[asyncio.Task] = set()
        self.loop = asyncio.new_event_loop()
        self.is_up = threading.Event()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()
        self.is_up.wait()

    def close(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _serve(self):
        asyncio.set_event_loop(self.loop)

        async def begin():
            server = await asyncio.start_server(self._client, "127.0.0.1", 0, limit=1 << 20)
            self.port = server.sockets[0].getsockname()[1]
            self.is_up.set()

        self.loop.run_until_complete(begin())
        self.loop.run_forever()
        connections = asyncio.all_tasks(self.loop)
        for connection in connections:
            connection.cancel()
        self.loop.run_until_complete(asyncio.gather(*connections, return_exceptions=True))

    async def _client(self, reader, writer):
        self.clients.add(asyncio.current_task())
        try:
            while head := await _head(reader):
                if not await self._answer(head, reader, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError, OSError, asyncio.CancelledError):
            # The client has disconnected, or the proxy is closing.
            pass
        finally:
            self.clients.discard(asyncio.current_task())
            writer.close()

    async def _answer(self, head, reader, writer) -> bool:
        """Whether the connection serves further requests."""
        method, path, headers = head
        begun = time.time()
        if "expect" in headers:
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await _body(headers, reader)
        fault = self._fault(headers)
        if fault:
            self.faults[fault] += 1
        await asyncio.sleep(SLOW if fault == "slow" else self.delay)
        if fault in ("500", "503", "409"):
            writer.write(_refusal(int(fault)))
            await writer.drain()
            return True
        answer = await self._forward(method, path, headers, body)
        self._note(begun, method, path, int(answer[9:12]))
        if fault == "no answer":
            return False
        writer.write(answer[: len(answer) // 2] if fault == "half an answer" else answer)
        await writer.drain()
        return fault != "half an answer"

    def _note(self, begun: float, method: str, path: str, status: int):
        self.conflicts += method == "PUT" and status == 412
        if self.requests is not None:
            self.requests.append(Request(begun, time.time(), method, path, status))

    def _fault(self, headers) -> str | None:
        if not self.is_faulty:
            return None
        dice = self.random.uniform(0, 100)
        for fault, share in SHARES.items():
            if dice < share:
                is_conditional = any(name in headers for name in CONDITIONS)
                return None if fault == "409" and not is_conditional else fault
            dice -= share
        return None

    async def _forward(self, method, path, headers, body) -> bytes:
        bucket = path.lstrip("/").split("/", 1)[0].split("?", 1)[0]
        port = self.servers.get(bucket, self.servers[""])
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
        except OSError:
            # The server is restarting.
            return _refusal(503)
        try:
            kept = {n: v for n, v in headers.items() if n not in ("connection", "expect")}
            lines = [f"{method} {path} HTTP/1.1"] + [f"{n}: {v}" for n, v in kept.items()]
            writer.write("\r\n".join([*lines, "connection: close", "", ""]).encode("latin-1") + body)
            await writer.drain()
            answer = await reader.read()
        except OSError:
            return _refusal(503)
        finally:
            writer.close()
        return _kept_alive(answer) if answer else _refusal(503)


async def _head(reader):
    """Method, path and headers by lower-case name; None at the end of the connection."""
    try:
        text = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = text.rstrip("\r\n").split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = dict(line.split(":", 1) for line in lines)
    return method, path, {name.strip().lower(): value.strip() for name, value in headers.items()}


async def _body(headers, reader) -> bytes:
    if "chunked" not in headers.get("transfer-encoding", ""):
        return await reader.readexactly(int(headers.get("content-length", 0)))
    parts = []
    while True:
        size = await reader.readline()
        chunk = await reader.readexactly(int(size.split(b";")[0], 16) + 2)
        parts += [size, chunk]
        if chunk == b"\r\n":
            return b"".join(parts)


def _kept_alive(answer: bytes) -> bytes:
    """The answer without its connection header."""
    head, separator, body = answer.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
    names = [line.split(b":", 1)[0].lower() for line in lines]
    if b"content-length" not in names and b"transfer-encoding" not in names:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + separator + body


def _refusal(status: int) -> bytes:
    code = REASONS[status]
    body = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{code}</Message></Error>'
    return (
        f"HTTP/1.1 {status} {code}\r\nContent-Type: application/xml\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()
