"""Checks that DMS, the schedules and dmslake are configured alike: endpoint settings, table mappings,
dmslake.toml.

Reads the output of `terraform show -json` for a plan or a state. Then every single value is changed
in turn, and each change must be detected; so a check that has no effect fails.

Usage: agreement.py SHOWN.json
"""

import copy
import json
import sys
import tomllib

# Members of [dms] that depend on rules of the task, not on the endpoint.
OF_RULES = {"change_seq_column", "before_image_prefix"}
# Endpoint settings that change bytes or names, with the defaults that dmslake assumes.
DEFAULTS = {
    "add_column_name": False,
    "add_trailing_padding_character": False,
    "cdc_inserts_and_updates": False,
    "cdc_inserts_only": False,
    "csv_delimiter": ",",
    "csv_no_sup_value": "",
    "csv_null_value": "NULL",
    "csv_row_delimiter": "\n",
    "date_partition_enabled": False,
    "preserve_transactions": False,
    "rfc_4180": True,
    "timestamp_column_name": "",
    "use_csv_no_sup_value": False,
}
# What the schedule sends that looks at tables whose changes wait.
DUE = '{"sweep":"due"}'
# DMS's defaults for settings that the endpoint does not have.
SILENT = (None, "")


def resources(shown):
    """Values of the root module's resources, by type and name."""
    module = shown.get("planned_values", shown.get("values"))["root_module"]
    found = {}
    for resource in module["resources"]:
        if resource["mode"] == "managed":
            key = (resource["type"], resource["name"])
            found.setdefault(key, []).append(resource["values"])
    return found


class Told:
    """The configuration of each side."""

    def __init__(self, shown):
        found = resources(shown)
        self.endpoint = found["aws_dms_s3_endpoint", "target"][0]
        replication = found.get(("aws_dms_replication_task", "this")) or found[
            "aws_dms_replication_config", "this"
        ]
        self.rules = json.loads(replication[0]["table_mappings"])["rules"]
        self.config = found["aws_s3_object", "config"][0]
        self.toml = tomllib.loads(self.config["content"])
        self.function = found["aws_lambda_function", "this"][0]
        self.notification = found.get(("aws_s3_bucket_notification", "staging"), [None])[0]
        self.databases = found.get(("aws_glue_catalog_database", "this"), [])
        self.policy = found["aws_iam_role_policy", "function"][0].get("policy")
        self.job = found.get(("aws_glue_job", "job"), [None])[0]
        self.schedules = found.get(("aws_scheduler_schedule", "this"), [])


def literal(pattern):
    """The single name that a locator matches; None if it can match more."""
    name, rest = "", pattern
    while rest:
        if rest[0] == "[" and rest[2:3] == "]":
            name, rest = name + rest[1], rest[3:]
        elif rest[0] in "%_[":
            return None
        else:
            name, rest = name + rest[0], rest[1:]
    return name


def selected(rules):
    """Names of the tables that the task selects."""
    names = set()
    for rule in rules:
        if rule["rule-type"] == "selection":
            locator = rule["object-locator"]
            names.add((literal(locator["schema-name"]), literal(locator["table-name"])))
            if rule["rule-action"] != "include":
                names.add((None, rule["rule-action"]))
    return names


def rules_for_all(rules, action):
    """Rules with this action. Each must apply to every table; otherwise it is None."""
    found = [rule for rule in rules if rule.get("rule-action") == action]
    everything = {"schema-name": "%", "table-name": "%"}
    return [rule if rule["object-locator"] == everything else None for rule in found]


def disagreements(told):
    """Descriptions of disagreements; empty if there are none."""
    wrong = []

    def same(what, one, other):
        if one != other:
            wrong.append(f"{what}: {one!r} and {other!r}")

    endpoint, dms = told.endpoint, told.toml["dms"]
    folder = f"s3://{endpoint['bucket_name']}/{endpoint['bucket_folder']}"
    same("staging", folder, told.toml["staging"])
    for name in sorted(dms.keys() - OF_RULES):
        same(f"dms.{name}", endpoint.get(name), dms[name])
    for name, default in DEFAULTS.items():
        value = endpoint.get(name)
        if name not in dms and value not in SILENT:
            # Delimiters may be escaped, like the provider's default.
            value = value.replace("\\n", "\n") if isinstance(value, str) else value
            same(f"{name}, which dmslake.toml does not set", value, default)

    sources = {(t["source"]["schema"], t["source"]["table"]) for t in told.toml["table"]}
    same("tables", sorted(map(str, selected(told.rules))), sorted(map(str, sources)))
    images = rules_for_all(told.rules, "add-before-image-columns")
    expected = {
        "column-prefix": dms["before_image_prefix"],
        "column-suffix": "",
        "column-filter": "pk-only",
    }
    same("before images", [r and r["before-image-def"] for r in images], [expected])
    added = rules_for_all(told.rules, "add-column")
    expected = (dms["change_seq_column"], "$AR_H_CHANGE_SEQ")
    same("added columns", [r and (r["value"], r["expression"]) for r in added], [expected])
    others = {r.get("rule-action") for r in told.rules} - {
        "include", "add-before-image-columns", "add-column",
    }  # fmt: skip
    same("other rules", others, set())

    address = f"s3://{told.config['bucket']}/{told.config['key']}"
    same("DMSLAKE_CONFIG", told.function["environment"][0]["variables"]["DMSLAKE_CONFIG"], address)
    job = told.job["name"] if told.job else None
    same("job", job, told.toml["hand_over"].get("job"))
    if told.job:
        files = told.job["default_arguments"]["--extra-files"].split(",")
        same("configuration of the job", files[0], address)
    if told.notification:
        queue = told.notification["queue"][0]
        same("notified prefix", queue["filter_prefix"], f"{endpoint['bucket_folder']}/")
        same("notified suffix", queue["filter_suffix"], f".{endpoint['data_format']}")
    if "catalog" in told.toml:
        prefix = told.toml["catalog"]["database_prefix"]
        wanted = sorted({prefix + schema.lower() for schema, _ in sources})
        same("Glue databases", sorted(d["name"] for d in told.databases), wanted)
    if told.policy:
        statements = {s["Sid"]: s for s in json.loads(told.policy)["Statement"]}
        for sid, uri in (("ReadStaging", told.toml["staging"]), ("WriteTables", told.toml["lake"])):
            arn = f"arn:aws:s3:::{uri.removeprefix('s3://')}/*"
            same(f"permission {sid}", statements[sid]["Resource"], arn)
        if told.toml["hand_over"]["to"] == "glue":
            same("permission HandOver", statements["HandOver"]["Resource"].split(":job/")[-1], job)
    looks = [s["schedule_expression"] for s in told.schedules if s["target"][0]["input"] == DUE]
    every = told.toml.get("look_every", "").removesuffix("m")
    same("schedule of looks", looks, [f"rate({every} minute{'s' * (every != '1')})"] if every else [])
    waits = [t for t in [told.toml["defaults"], *told.toml["table"]] if t.get("freshness", "0s") != "0s"]
    same("a schedule for a freshness", bool(looks), bool(waits))
    for table in told.toml["table"]:
        if table.get("redshift_manifest"):
            merge = table.get("merge", told.toml["defaults"]["merge"])
            same(f"merge of {table['source']}", merge, "copy-on-write")
    return wrong


def other(value):
    """Another value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    return value + "x"


def changes(told):
    """Every single value, each as (its name, a copy of everything with this value changed)."""

    def changed(name, change):
        another = copy.deepcopy(told)
        change(another)
        return name, another

    def setting(container, key):
        def change(another):
            owner = container(another)
            owner[key] = other(owner[key])

        return change

    for key in sorted(told.toml["dms"]):
        yield changed(f"dms.{key}", setting(lambda a: a.toml["dms"], key))
    for key in sorted(told.toml["dms"].keys() - OF_RULES):
        yield changed(f"endpoint {key}", setting(lambda a: a.endpoint, key))
    yield changed("endpoint bucket", setting(lambda a: a.endpoint, "bucket_name"))
    for key, value in (("add_trailing_padding_character", True), ("use_csv_no_sup_value", True)):
        yield changed(f"endpoint {key}", lambda a, k=key, v=value: a.endpoint.update({k: v}))
    yield changed("staging", setting(lambda a: a.toml, "staging"))
    yield changed("configuration's key", setting(lambda a: a.config, "key"))
    if told.job:
        yield changed("hand_over.job", setting(lambda a: a.toml["hand_over"], "job"))
        yield changed("the job's files", setting(lambda a: a.job["default_arguments"], "--extra-files"))
        yield changed("the job's name", setting(lambda a: a.job, "name"))
    for index in range(len(told.toml["table"])):
        for key in ("schema", "table"):
            name = f"table {index} {key}"
            yield changed(name, setting(lambda a, i=index: a.toml["table"][i]["source"], key))
        yield changed(f"table {index} left out", lambda a, i=index: a.toml["table"].pop(i))
    for index, rule in enumerate(told.rules):
        yield changed(f"rule {index} left out", lambda a, i=index: a.rules.pop(i))
        for key in ("schema-name", "table-name"):
            name = f"rule {index} {key}"
            yield changed(name, setting(lambda a, i=index: a.rules[i]["object-locator"], key))
        for key in ("column-prefix", "column-suffix", "column-filter"):
            if key in rule.get("before-image-def", {}):
                name = f"rule {index} {key}"
                yield changed(name, setting(lambda a, i=index: a.rules[i]["before-image-def"], key))
        for key in ("value", "expression", "rule-action"):
            if key in rule:
                yield changed(f"rule {index} {key}", setting(lambda a, i=index: a.rules[i], key))
    wide = [i for i, rule in enumerate(told.rules) if "[_]" in str(rule["object-locator"])]
    for index in wide:
        locator = {"schema-name": "shop", "table-name": "order_items"}
        yield changed(
            f"rule {index} with a wildcard",
            lambda a, i=index: a.rules[i].update({"object-locator": locator}),
        )
    if told.notification:
        for key in ("filter_prefix", "filter_suffix"):
            yield changed(key, setting(lambda a: a.notification["queue"][0], key))
    if "look_every" in told.toml:
        yield changed("look_every", lambda a: a.toml.update(look_every="7m"))
        yield changed("look_every left out", lambda a: a.toml.pop("look_every"))
        yield changed("schedules left out", lambda a: a.schedules.clear())
        (due,) = [i for i, s in enumerate(told.schedules) if s["target"][0]["input"] == DUE]
        yield changed("event of the schedule", setting(lambda a: a.schedules[due]["target"][0], "input"))
        yield changed("its rate", setting(lambda a: a.schedules[due], "schedule_expression"))
    if "catalog" in told.toml:
        yield changed("database_prefix", setting(lambda a: a.toml["catalog"], "database_prefix"))


def main():
    with open(sys.argv[1]) as file:
        told = Told(json.load(file))
    wrong = disagreements(told)
    for sentence in wrong:
        print(f"disagree: {sentence}")
    count = missed = 0
    for name, another in changes(told):
        count += 1
        if not disagreements(another):
            missed += 1
            print(f"change not detected: {name}")
    print(f"{len(told.toml['table'])} tables, {len(told.toml['dms'])} settings")
    print(f"{count - missed + (not wrong)} passed, {missed + len(wrong)} failed")
    return 1 if wrong or missed else 0


if __name__ == "__main__":
    sys.exit(main())
