"""Checks every policy in an applied configuration: of roles, readers, buckets, queues, topic, key and
endpoints, and who may assume which role.

Reads the output of `terraform show -json`, or the lines of `terraform test -json -verbose`. There is no
list of policies here, so a new one is checked automatically. Then every statement is broken in turn, and
each fault must be detected; so a check that has no effect fails.

Usage: policies.py FILE...
"""

import copy
import json
import re
import sys

# Lambda and Redshift do not report the account they act for, nor does DMS for the two roles that it finds
# by name; only the role's own account can pass a role to them.
SILENT = {"lambda.amazonaws.com", "redshift.amazonaws.com", "redshift-serverless.amazonaws.com"}
ROLES_OF_DMS = {"dms-vpc-role", "dms-cloudwatch-logs-role"}
MANAGED = {"AmazonDMSVPCManagementRole", "AmazonDMSCloudWatchLogsRole"}
# In policies of these, Resource = "*" means the resource that the policy is attached to.
OF_KEYS = {"aws_kms_key"}
OF_IDENTITIES = {"aws_iam_role_policy", "aws_iam_policy"}
# These show the policy before a separate resource set it; that resource is checked instead.
SET_ELSEWHERE = {"aws_s3_bucket", "aws_sns_topic", "aws_sqs_queue"}
# An endpoint without a policy allows everything, by AWS's default.
ENDPOINT_DEFAULT = [{"Action": "*", "Effect": "Allow", "Principal": "*", "Resource": "*"}]


def states(path):
    """The states in a file of either format."""
    with open(path) as file:
        text = file.read()
    try:
        yield json.loads(text)["values"]
    except json.JSONDecodeError:
        for line in map(json.loads, text.splitlines()):
            if line.get("type") == "test_state":
                yield line["test_state"]


def listed(value):
    return value if isinstance(value, list) else [value]


def resources(module):
    yield from module.get("resources", [])
    for child in module.get("child_modules", []):
        yield from resources(child)


def policies(state):
    """(address, type, values, attribute, policy) of every attribute that contains a policy."""
    for resource in resources(state["root_module"]):
        if resource["mode"] != "managed" or resource["type"] in SET_ELSEWHERE:
            continue
        for name, value in resource["values"].items():
            if isinstance(value, str) and '"Statement"' in value:
                policy = json.loads(value)
                if resource["type"] != "aws_vpc_endpoint" or policy["Statement"] != ENDPOINT_DEFAULT:
                    yield f"{resource['address']}.{name}", resource["type"], resource["values"], name, policy


def attached(state):
    """(address, name) of every attached AWS-managed policy."""
    for resource in resources(state["root_module"]):
        values = resource["values"]
        for arn in [values.get("policy_arn"), *(values.get("managed_policy_arns") or [])]:
            if arn and "::aws:policy/" in arn:
                yield resource["address"], arn.split("/")[-1]


def faults(kind, values, attribute, statement):
    """Descriptions of faults; none if the statement is correct."""
    if attribute == "assume_role_policy":
        yield from faults_of_trust(values, statement)
        return
    conditioned = bool(statement.get("Condition"))
    for name in ("NotAction", "NotResource", "NotPrincipal"):
        if name in statement:
            yield name
    for action in listed(statement.get("Action", "none")):
        if not re.fullmatch(r"[a-z0-9-]+:[A-Za-z0-9]+", action):
            yield f"action {action!r}"
    for resource in listed(statement.get("Resource", "none")):
        if kind in OF_KEYS and resource == "*":
            continue
        if not re.fullmatch(r"arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:[0-9]*:.+", resource) or resource.endswith(":::*"):
            yield f"resource {resource!r}"
    principal = statement.get("Principal")
    if kind in OF_IDENTITIES:
        if statement["Effect"] != "Allow" or principal is not None:
            yield "not a permission of its own role only"
    elif principal is None:
        yield "no principal"
    elif statement["Effect"] == "Allow" and not conditioned:
        # Only the account itself needs no condition.
        names = [name for names in principal.values() for name in listed(names)] if principal != "*" else ["*"]
        if not all(re.fullmatch(r"arn:aws[a-z-]*:iam::[0-9]{12}:root", name) for name in names):
            yield f"{names} without a condition"


def faults_of_trust(values, statement):
    services = set(listed(statement.get("Principal", {}).get("Service", [])))
    if statement.get("Action") != "sts:AssumeRole" or statement.get("Effect") != "Allow" or not services:
        yield "allows more than a service that assumes the role"
    if set(statement.get("Principal", {})) != {"Service"}:
        yield "a principal that is not a service"
    if not statement.get("Condition") and not services <= SILENT and values["name"] not in ROLES_OF_DMS:
        yield f"{sorted(services)} for any account"


def spoilt(kind, attribute, statement):
    """Copies of the statement, each with one fault."""
    trust = attribute == "assume_role_policy"
    for change in (
        {"Action": "s3:*"},
        {"Action": [*listed(statement["Action"]), "*"]},
        {"Principal": {"AWS": "*"}, "Effect": "Allow", "Condition": {}},
        *([] if trust else [{"NotAction": "s3:GetObject"}, {"Resource": "arn:aws:s3:::*"}]),
        *([] if trust or kind in OF_KEYS else [{"Resource": "*"}]),
    ):
        yield change, {**copy.deepcopy(statement), **change}


def main():
    count = statements = wrong = missed = changed = 0
    kinds = set()
    for path in sys.argv[1:]:
        for state in states(path):
            for address, name in attached(state):
                if name not in MANAGED:
                    wrong += 1
                    print(f"{address}: AWS-managed policy {name}")
            for address, kind, values, attribute, policy in policies(state):
                count += 1
                kinds.add((kind, attribute))
                for statement in policy["Statement"]:
                    statements += 1
                    for sentence in faults(kind, values, attribute, statement):
                        wrong += 1
                        print(f"{address}, {statement.get('Sid')}: {sentence}")
                    for change, other in spoilt(kind, attribute, statement):
                        changed += 1
                        if not list(faults(kind, values, attribute, other)):
                            missed += 1
                            print(f"{address}, {statement.get('Sid')}: change not detected: {change}")
    print(f"{count} policies of {len(kinds)} kinds, {statements} statements")
    print(f"{statements + changed - wrong - missed} passed, {wrong + missed} failed")
    return 1 if wrong or missed or not count else 0


if __name__ == "__main__":
    sys.exit(main())
