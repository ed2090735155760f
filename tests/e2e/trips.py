"""The S3 requests of a warm invocation: how many, and how many of them in sequence."""

from collections import Counter
from urllib.parse import unquote, urlsplit

from load import SCHEMA
from pipeline import LAKE
from scene import Scene
from waiting import wait_for

TABLE = "sbtest1"
INVOCATIONS = 10
# Rows that each object changes.
CHANGES = 20
# Additional seconds for each request, which reveal requests that wait for one another.
DELAY = 0.05
MERGES = ["copy-on-write", "deletion-vectors"]
# The most requests allowed in sequence.
AIM = 10
PATIENCE = 60


def counted(of: Scene) -> list[str]:
    """Applies small objects one by one in one environment, after one that warms it up.
    Returns a fault if too many requests are in sequence."""
    faults = []
    for merge in MERGES:
        of.pipeline.set_merge(merge)
        of.pipeline.dms.follow()
        rounds = [one_object(of) for _ in range(INVOCATIONS + 2)][2:]
        of.settle()
        plain = [requests for requests in rounds if not any(map(is_checkpoint, requests))]
        longest = told(f"warm, one small object, {merge}", plain)
        if len(chain(longest)) > AIM:
            faults.append(f"{merge}: {len(chain(longest))} requests in sequence")
        waves(longest)
        # After every twentieth commit, when its rows are already visible.
        if with_checkpoint := [requests for requests in rounds if requests not in plain]:
            told("followed by a checkpoint", with_checkpoint)
    return faults


def told(name: str, rounds: list[list]) -> list:
    """Prints the numbers of requests. Returns the invocation with the most in sequence."""
    counts = [len(requests) for requests in rounds]
    chains = [len(chain(requests)) for requests in rounds]
    print(
        f"{name}: {len(rounds)} invocations, {min(counts)} to {max(counts)} requests, "
        f"{min(chains)} to {max(chains)} in sequence",
        flush=True,
    )
    return max(rounds, key=lambda requests: len(chain(requests)))


def is_checkpoint(request) -> bool:
    return request.method == "PUT" and ".checkpoint" in request.path


def one_object(of: Scene) -> list:
    """The requests of the invocation that applies one object of one table."""
    pipeline = of.pipeline
    ids = ", ".join(str(one) for one in of.chance.sample(range(1, 10_001), CHANGES))
    pipeline.database.run(f"UPDATE {SCHEMA}.{TABLE} SET k = k + 1 WHERE id IN ({ids})")
    before = pipeline.dms.objects()
    wait_for(lambda: pipeline.dms.objects() > before, PATIENCE, "an object")
    pipeline.proxy.requests, pipeline.proxy.delay = [], DELAY
    wait_for(pipeline.mapping.poll, PATIENCE, "its message")
    noted, pipeline.proxy.requests, pipeline.proxy.delay = pipeline.proxy.requests, None, 0
    # The stand-in for DMS uses the same proxy.
    return [one for one in noted if not (one.method == "PUT" and "/staging/" in one.path)]


def chain(requests: list) -> list:
    """The longest chain of requests that each began after the previous one had ended."""
    found: list = []
    for one in sorted(requests, key=lambda one: one.ended):
        if not found or one.begun >= found[-1].ended:
            found.append(one)
    return found


def waves(requests: list):
    """Prints the concurrent requests, wave by wave."""
    of_chain = chain(requests)
    for number, last in enumerate(of_chain, 1):
        since = of_chain[number - 2].ended if number > 1 else 0
        wave = [one for one in requests if since <= one.begun < last.ended]
        asked = Counter(f"{one.method} {what(one)}" for one in wave)
        print(f"  {number:2}  " + ", ".join(f"{n} × {name}" for name, n in asked.items()), flush=True)


def what(request) -> str:
    """The purpose of a request, by its path."""
    parts = urlsplit(request.path)
    path = unquote(parts.path)
    bucket = "lake" if path.startswith(f"/{LAKE}") else "staging"
    if "list-type" in parts.query:
        folder = "log" if "_delta_log" in unquote(parts.query) else "folder"
        return f"{bucket} {folder} (list)"
    if "_delta_log" in path:
        return path.rpartition("/")[2].lstrip("0") if "_last" in path else "commit"
    if path.endswith(".bin"):
        return "deletion vectors"
    return "data file" if bucket == "lake" else "object"
