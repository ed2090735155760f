#!/usr/bin/env python3
"""A model of the pipeline's cost: computes every figure of COST.md from inputs that can be changed.

cost.py                      prints the tables
cost.py --set tables=20      changes an input; can be repeated
cost.py --check COST.md      fails unless the file contains these tables
"""

import argparse
import sys

from cost_model import Model

# The inputs: value, unit, basis. The basis says where a value comes from: measured by the project's
# benchmarks (tests/bench/README.md); counted in its code or configuration; a setting of this
# configuration; AWS's documentation; modelled, an assumption; load, which depends on the user.
INPUTS = {
    "changes_per_day": (1_000_000, "changes", "load"),
    "tables": (5, "tables that change in every interval", "load"),
    "lake_rows": (10_000_000, "rows of each table", "load; as in the measurement"),
    "days": (30, "days of a month", "by definition"),
    "load_gb": (500, "GB staged of a first load", "load"),
    "reload_gb": (50, "GB staged of a reload", "load"),
    # Measurements of one commit.
    "roundtrip_seconds_vectors": (0.294, "s", "measured: cargo bench -- batches, 30 ms per request"),
    "roundtrip_seconds_copy": (0.329, "s", "measured: cargo bench -- batches, 30 ms per request"),
    "merge_seconds_vectors": (0.061, "s", "measured: 1,000 changes anywhere in 10 M rows, two cores"),
    "merge_seconds_copy": (1.45, "s", "measured: 1,000 changes anywhere in 10 M rows, two cores"),
    "merge_seconds_vectors_10k": (0.082, "s", "measured: 10,000 changes anywhere in the same table"),
    "merge_seconds_copy_10k": (1.79, "s", "measured: the same"),
    "requests_vectors": (24, "requests", "measured: cargo bench -- batches"),
    "requests_copy": (23, "requests", "measured: cargo bench -- batches"),
    "written_vectors_per_change": (1_350, "B", "measured: 27 KB for 20 changes, the same for each"),
    "written_copy_small": (2_900_000, "B", "measured: a table of 100,000 rows"),
    "spark_seconds_vectors": (8.99, "s", "measured: Spark 4.0.5, 10,000 changes anywhere, warm, 2 cores"),
    "spark_seconds_copy": (12.7, "s", "measured: the same"),
    "lists": (4, "LIST requests among these", "counted: src/guide/function.md"),
    "puts_vectors": (3, "PUT requests among these", "counted: data file, deletion vector, commit"),
    "puts_copy": (2, "PUT requests among these", "counted: data file, commit; more if more files change"),
    "requests_guard": (2, "requests more of a guarded table", "counted: tombstones of a commit that deletes rows, read and written"),
    "puts_guard": (1, "PUT request among these", "counted: the same"),
    "gets_anywhere": (26, "GET requests more where changes are anywhere", "modelled: keys and masks of 20 files, of which the measured table touched few"),
    "puts_anywhere": (19, "PUT requests more of copy-on-write there", "counted: 20 data files instead of one"),
    # Settings of the components.
    "freshness": (0, "s for which changes wait", "setting: table_defaults.freshness; 0: each object is a commit"),
    "batching_window": (300, "s, but no longer than freshness", "setting: doorbell.batching_window, where all tables have a freshness"),
    "batch_interval": (60, "s", "setting: staged_format.batch_interval"),
    "function_gb": (1.769, "GB", "setting: function.memory_mb"),
    "staging_days": (30, "days", "setting: staging.expiry_days"),
    "retention_days": (7, "days until vacuum deletes replaced files", "setting: table_defaults.retention; Delta's default"),
    "noncurrent_days": (7, "days that the bucket keeps them then", "setting: lake.noncurrent_days"),
    "sweeps_per_day": (24, "sweeps", "setting: doorbell.sweep"),
    "storage_gb": (50, "GB of each of RDS and DMS", "setting: source_database, dms"),
    "alarms": (16, "alarms", "counted: alarms.tf"),
    "metrics": (28, "custom metrics", "counted: monitoring.tf; 24 more for each table with monitoring.metrics = per-table"),
    "metrics_of_alarms": (6, "of these, that alarms look at", "counted: alarms.tf"),
    "pollers": (5, "concurrent queue polls", "AWS: Lambda's minimum for a queue"),
    "glue_dpus": (2, "DPUs", "AWS: the minimum for a Spark job"),
    "job_workers": (10, "workers, one of them the driver", "setting: job.workers"),
    "worker_vcpus": (4, "vCPUs of a worker", "AWS: G.1X"),
    "worker_dpus": (1, "DPU of a worker", "AWS: G.1X"),
    # Values that no benchmark of the project provides.
    "slowdown": (2, "×", "modelled: one Lambda vCPU instead of the two of the measurement"),
    "staged_bytes_per_change": (100, "B", "modelled: Parquet, GZIP"),
    "row_bytes": (40, "B", "modelled: a row in the lake's Parquet"),
    "log_bytes_per_commit": (4_500, "B", "modelled: two lines, and one of metrics"),
    "log_bytes_per_look": (500, "B", "modelled: Lambda's own lines"),
    "look_seconds": (0.15, "s of an invocation that finds nothing due", "modelled: one listing for each table, side by side"),
    "object_seconds": (0.03, "s of each further object of a commit", "modelled: its request"),
    "glue_minutes_between": (5, "min", "modelled: the alternative"),
    "glue_start_seconds": (20, "s billed", "modelled: Spark's session"),
    "job_core_mb": (15, "MB staged a second and core", "modelled, until it is measured on Glue"),
    "job_start_seconds": (60, "s billed", "modelled: Spark's session and its workers"),
    "emr_vcpus": (8, "vCPUs", "modelled: a driver and an executor of 4"),
    "emr_gb": (32, "GB", "modelled: 16 GB each"),
}

# Prices in USD, US East (N. Virginia), before free tiers, noted on 26 November 2026: value, unit, AWS's
# page, and where the price was read. AWS's pages show most prices only with JavaScript, so stored
# copies lack them; "" means that no page confirmed the price.
AWS = "https://aws.amazon.com/"
PRICES = {
    "lambda_gb_second": (0.0000133334, "USD/GB-s, arm64", "lambda/pricing", "app.unpkg.com/artillery@2.0.28/files/lib/platform/aws-lambda/prices.js"),
    "lambda_million": (0.20, "USD/M requests", "lambda/pricing", "git.mcrn.ar/mariano/lambda_local_runner/src/branch/main/docs/lambdas-md/lambda-13-cost.md"),
    "s3_put_thousand": (0.005, "USD/1,000 PUT or LIST", "s3/pricing", "athena.guide/articles/athena-basics-pricing-model"),
    "s3_get_thousand": (0.0004, "USD/1,000 GET", "s3/pricing", "athena.guide/articles/athena-basics-pricing-model"),
    "s3_gb_month": (0.023, "USD/GB-month", "s3/pricing", "deepeshsoni.com/archives/256"),
    "sqs_million": (0.40, "USD/M requests", "sqs/pricing", "cloudburn.io/blog/amazon-sqs-pricing"),
    "logs_gb": (0.50, "USD/GB ingested", "cloudwatch/pricing", "www.factualminds.com/blog/amazon-cloudwatch-pricing-metrics-logs-alarms-dashboards"),
    "metric_month": (0.30, "USD/metric-month", "cloudwatch/pricing", "signoz.io/guides/cloudwatch-pricing"),
    "alarm_month": (0.10, "USD/alarm-month", "cloudwatch/pricing", ""),
    "glue_dpu_hour": (0.44, "USD/DPU-h, per second, 1 min minimum", "glue/pricing", "aws.amazon.com/jp/glue/pricing"),
    "emr_vcpu_hour": (0.052624, "USD/vCPU-h, x86", "emr/pricing", ""),
    "emr_gb_hour": (0.0057785, "USD/GB-h", "emr/pricing", ""),
    "rds_hour": (0.065, "USD/h, db.t4g.medium; read for PostgreSQL", "rds/mysql/pricing", "infratally.com/articles/aws-rds-pricing-explained-2026.html"),
    "rds_gb_month": (0.115, "USD/GB-month", "rds/mysql/pricing", "leyaa.ai/codefly/learn/aws/part-2/aws-rds-pricing-considerations/visualize"),
    "dms_hour": (0.072, "USD/h, t3.medium", "dms/pricing", ""),
    "dms_gb_month": (0.115, "USD/GB-month", "dms/pricing", ""),
    "secret_month": (0.40, "USD/secret-month", "secrets-manager/pricing", "hivebook.wiki/wiki/aws-secrets-manager-rotated-secrets-dynamic-db-credentials-kms"),
    "endpoint_hour": (0.01, "USD/h per zone", "privatelink/pricing", "awsnegotiations.com/privatelink-cost-analysis.html"),
    "key_month": (1.00, "USD/key-month", "kms/pricing", "cloudburn.io/blog/aws-kms-pricing"),
    "redshift_rpu_hour": (0.375, "USD/RPU-h while running", "redshift/pricing", ""),
    "athena_tb": (5.0, "USD/TB read", "athena/pricing", "athena.guide/articles/athena-basics-pricing-model"),
}  # fmt: skip


def row(*cells):
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def usd(value):
    return f"{value:,.2f}"


def shown(value):
    """A number without trailing zeros and without an exponent."""
    text = f"{value:,.10f}"
    return text.rstrip("0").rstrip(".")


def head(*columns):
    return [row("USD a month", *columns), row("---", *["---:"] * len(columns))]


def listed(costs):
    return [*head(""), *[row(name, usd(cost)) for name, cost in costs]]


MINUTES = (1, 5, 15, 60)


def freshness(model):
    """What each way costs by the freshness, and how it compares with a Glue job as often."""
    waiting = {minutes: model.but(freshness=60 * minutes, glue_minutes_between=minutes) for minutes in MINUTES}
    ours = {minutes: {name: sum(parts) for name, parts in it.ours()} for minutes, it in waiting.items()}
    glue = {minutes: {name: sum(parts) for name, parts in it.glue_ways()} for minutes, it in waiting.items()}
    lines = head(*[f"{minutes} min" for minutes in MINUTES])
    for title, ways in (("dmslake", ours), ("Glue job as often", glue)):
        for name in ways[MINUTES[0]]:
            lines.append(row(f"{title}, {name}", *[usd(ways[minutes][name]) for minutes in MINUTES]))
    for title, more in (("", 0), (", with alarms and metrics", model.watching())):
        shares = [glue[minutes]["deletion vectors"] / (ours[minutes]["deletion vectors"] + more) for minutes in MINUTES]
        lines.append(row(f"Deletion vectors: dmslake of Glue{title}", *[f"**1/{share:.1f}**" for share in shares]))
    return lines


def retention(model):
    """What copy-on-write anywhere costs by freshness and by how long replaced files are kept."""
    lines = head(*[f"{minutes} min" for minutes in MINUTES])
    for days, noncurrent in ((7, 7), (3, 7), (1, 7), (1, 1)):
        kept = model.but(retention_days=days, noncurrent_days=noncurrent)
        costs = [sum(dict(kept.but(freshness=60 * minutes).ours())["copy-on-write, changes anywhere"]) for minutes in MINUTES]
        lines.append(row(f"retention {days} d, noncurrent_days {noncurrent}", *map(usd, costs)))
    return lines


def tables(model, inputs):
    """The tables of COST.md, by name."""
    month = head("Computing", "S3 requests", "Queue, logs", "S3 storage", "Sum", "Alarms, metrics", "Total")
    for name, parts in model.ours():
        cost, watched = sum(parts), model.watching()
        sums = f"**{usd(cost)}**", usd(watched), f"**{usd(cost + watched)}**"
        month.append(row(f"dmslake, {name}", *map(usd, parts), *sums))
    for name, (computing, storage) in model.glue_ways():
        title = f"Glue job every {shown(model.glue_minutes_between)} minutes, {name}"
        month.append(row(title, usd(computing), "?", "?", usd(storage), f"**{usd(computing + storage)}**", "?", ""))
    month.append(row("EMR Serverless, always on", usd(model.emr()), "?", "?", "?", f"**{usd(model.emr())}**", "?", ""))
    jobs = [row("Job", "Minutes", "DPU-hours", "USD"), row("---", *["---:"] * 3)]
    for name, seconds in model.jobs():
        hours = model.job_workers * model.worker_dpus * max(60, seconds) / 3600
        jobs.append(row(name, f"{seconds / 60:.0f}", usd(hours), usd(hours * model.glue_dpu_hour)))
    known = [row("Input", "Value", "Unit", "Basis"), row("---", "---:", "---", "---")]
    for name, (_, unit, basis) in INPUTS.items():
        known.append(row(f"`{name}`", shown(inputs[name]), unit, basis))
    prices = [row("Price", "Value", "Unit", "AWS's page", "Read at"), row("---", "---:", "---", "---", "---")]
    for name, (_, unit, page, read) in PRICES.items():
        seen = f"[{read.split('/')[0]}](https://{read})" if read else "nowhere"
        prices.append(row(f"`{name}`", shown(inputs[name]), unit, f"[{page}]({AWS}{page}/)", seen))
    return {
        "month": month,
        "beside": listed(model.beside()),
        "freshness": freshness(model),
        "retention": retention(model),
        "jobs": jobs,
        "idle": listed(model.idle()),
        "inputs": known,
        "prices": prices,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", action="append", default=[], metavar="INPUT=VALUE")
    parser.add_argument("--check", metavar="FILE")
    options = parser.parse_args()
    inputs = {name: entry[0] for name, entry in {**INPUTS, **PRICES}.items()}
    for setting in options.set:
        name, _, value = setting.partition("=")
        if name not in inputs:
            parser.error(f"{name}: no such input")
        inputs[name] = float(value)
    printed = tables(Model(inputs), inputs)
    if not options.check:
        print("\n\n".join("\n".join(lines) for lines in printed.values()))
        return 0
    with open(options.check) as file:
        text = file.read()
    missing = [name for name, lines in printed.items() if "\n".join(lines) not in text]
    for name in missing:
        print(f"{options.check}: the table {name!r} differs from the output of cost.py:")
        print("\n".join(printed[name]))
    print(f"{len(printed) - len(missing)} passed, {len(missing)} failed")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
