"""Checks that modules/writer plans what the root module does: each run `writer…` what its run `root…`
does, resource by resource, with every value.

Usage: same.py FILE, with the lines of `terraform test -json -verbose -filter tests/writer.tftest.hcl`
"""

import json
import sys


def planned(changes):
    """What each resource is to be, by its address in the root module."""
    return {
        resource["address"].removeprefix("module.dmslake."): resource["change"]["after"]
        | {f"{name} before apply": unknown for name, unknown in resource["change"]["after_unknown"].items()}
        for resource in changes
        if resource["mode"] == "managed"
    }


def differences(root, writer):
    for address in sorted(root.keys() | writer.keys()):
        ours, theirs = (side.get(address) for side in (root, writer))
        if ours is None or theirs is None:
            yield f"{address} is planned by {'modules/writer' if ours is None else 'the root module'} alone"
        elif ours != theirs:
            members = [name for name in ours if ours[name] != theirs.get(name)]
            yield f"{address} differs in {', '.join(members)}"


def main(path):
    with open(path) as file:
        plans = [line for line in map(json.loads, file) if line["type"] == "test_plan"]
    runs = {line["@testrun"]: planned(line["test_plan"]["resource_changes"]) for line in plans}
    pairs = [(name, name.replace("root", "writer", 1)) for name in runs if name.startswith("root")]
    found = [f"{writer}: {what}" for root, writer in pairs for what in differences(runs[root], runs[writer])]
    print("\n".join(found or [f"{writer}: {len(runs[writer])} resources as in {root}" for root, writer in pairs]))
    return 1 if found or not pairs or not all(runs.values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
