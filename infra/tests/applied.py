"""Checks what apply created on the server, through the API and not through Terraform's state.

Usage: applied.py, with AWS_ENDPOINT_URL etc. set to a server to which moto.tfvars was applied.
"""

import hashlib
import json
import time
import unittest
from pathlib import Path
from urllib.parse import unquote_plus

import boto3
import job_script

NAME, ACCOUNT, REGION = "shop", "123456789012", "eu-west-1"
STAGING = f"{NAME}-staging-{ACCOUNT}-{REGION}"
LAKE = f"{NAME}-lake-{ACCOUNT}-{REGION}"


def client(service):
    return boto3.client(service, region_name=REGION)


class Applied(unittest.TestCase):
    maxDiff = None

    def queue(self, name):
        sqs = client("sqs")
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        return sqs, url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]

    def messages(self):
        sqs, url, _ = self.queue("shop-doorbell")
        bodies = []
        received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=0)
        for message in received.get("Messages", []):
            bodies.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return bodies

    def test_a_staged_object_rings_and_nothing_else_does(self):
        client("lambda").update_event_source_mapping(UUID=self.mapping()["UUID"], Enabled=False)
        self.messages()
        s3 = client("s3")
        for key in (
            "dms/shop/orders/20261126-040711001.csv",
            "elsewhere/shop/orders/LOAD00000001.parquet",
            "dms/shop/order items/20261126-040711002.parquet",
        ):
            s3.put_object(Bucket=STAGING, Key=key, Body=b"PAR1")
            self.addCleanup(s3.delete_object, Bucket=STAGING, Key=key)
        rung, end = [], time.monotonic() + 20
        while not rung and time.monotonic() < end:
            rung += [
                (record["s3"]["bucket"]["name"], unquote_plus(record["s3"]["object"]["key"]))
                for body in self.messages()
                for record in body.get("Records", [])
            ]
        self.assertEqual(rung, [(STAGING, "dms/shop/order items/20261126-040711002.parquet")])
        self.assertEqual(self.messages(), [])

    def mapping(self):
        arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:shop-doorbell"
        mappings = client("lambda").list_event_source_mappings(EventSourceArn=arn)
        (mapping,) = mappings["EventSourceMappings"]
        return mapping

    def test_the_queue_gives_the_function_its_time(self):
        _, _, attributes = self.queue("shop-doorbell")
        function = client("lambda").get_function_configuration(FunctionName=NAME)
        mapping = self.mapping()
        least = 6 * function["Timeout"] + mapping["MaximumBatchingWindowInSeconds"]
        self.assertGreaterEqual(int(attributes["VisibilityTimeout"]), least)
        self.assertEqual(mapping["FunctionResponseTypes"], ["ReportBatchItemFailures"])
        self.assertEqual(mapping["ScalingConfig"], {"MaximumConcurrency": 2})
        self.assertRegex(mapping["FunctionArn"], r":function:shop:live$")
        redrive = json.loads(attributes["RedrivePolicy"])
        self.assertEqual(redrive["deadLetterTargetArn"].split(":")[-1], "shop-doorbell-dead")
        self.assertIn("aws:SourceAccount", attributes["Policy"])

    def test_buckets_are_private_encrypted_and_expire(self):
        s3 = client("s3")
        for bucket in (STAGING, LAKE):
            block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
            self.assertEqual(set(block.values()), {True})
            encryption = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]
            default = encryption["Rules"][0]["ApplyServerSideEncryptionByDefault"]
            self.assertEqual(default["SSEAlgorithm"], "aws:kms")
            self.assertIn("aws:SecureTransport", s3.get_bucket_policy(Bucket=bucket)["Policy"])
        self.assertNotEqual(s3.get_bucket_versioning(Bucket=STAGING).get("Status"), "Enabled")
        self.assertEqual(s3.get_bucket_versioning(Bucket=LAKE)["Status"], "Enabled")
        rules = s3.get_bucket_lifecycle_configuration(Bucket=STAGING)["Rules"]
        self.assertEqual(rules[0]["Expiration"]["Days"], 30)
        rules = s3.get_bucket_lifecycle_configuration(Bucket=LAKE)["Rules"]
        self.assertEqual(rules[0]["NoncurrentVersionExpiration"]["NoncurrentDays"], 7)
        scratch = [rule for rule in rules if rule["ID"] == "expire-scratch"]
        self.assertEqual(scratch[0]["Filter"]["Prefix"], "tables/_dmslake/scratch/")

    def test_dms_is_told_what_the_configuration_says(self):
        dms = client("dms")
        settings = self.endpoint("target")["S3Settings"]
        toml = client("s3").get_object(Bucket=LAKE, Key="config/dmslake.toml")["Body"].read().decode()
        self.assertIn(f'timestamp_column_name = "{settings["TimestampColumnName"]}"', toml)
        self.assertIn(f'"s3://{settings["BucketName"]}/{settings["BucketFolder"]}"', toml)
        self.assertEqual(settings["EncryptionMode"].upper().replace("-", "_"), "SSE_KMS")
        (task,) = dms.describe_replication_tasks()["ReplicationTasks"]
        self.assertEqual(task["MigrationType"], "full-load-and-cdc")
        locators = [
            rule["object-locator"]["table-name"]
            for rule in json.loads(task["TableMappings"])["rules"]
            if rule["rule-type"] == "selection"
        ]
        self.assertEqual(locators, ["page[_]views", "order[_]items", "orders"])

    def test_the_secret_has_a_value_that_terraform_does_not_keep(self):
        secrets = client("secretsmanager")
        (listed,) = [s for s in secrets.list_secrets()["SecretList"] if "/dms-user-" in s["Name"]]
        value = json.loads(secrets.get_secret_value(SecretId=listed["ARN"])["SecretString"])
        (database,) = client("rds").describe_db_instances()["DBInstances"]
        self.assertEqual(value["host"], database["Endpoint"]["Address"])
        self.assertEqual((value["port"], value["username"]), (3306, "dmslake"))
        self.assertRegex(value["password"], "^[0-9a-f]{48}$")
        # The secret is not empty: it contains the host.
        state = Path("terraform.tfstate").read_text()
        self.assertIn(value["host"], state)
        self.assertNotIn(value["password"], state)

    def test_dms_verifies_the_source(self):
        (certificate,) = client("dms").describe_certificates()["Certificates"]
        self.assertEqual(certificate["CertificatePem"], Path("tests/ca.pem").read_text())
        self.assertEqual(self.endpoint("source")["SslMode"], "verify-full")

    def test_every_log_expires(self):
        groups = client("logs").describe_log_groups()["logGroups"]
        names = {"/aws/rds/instance/shop/error", "dms-tasks-shop-replication", "/aws/lambda/shop"}
        self.assertLessEqual(names, {group["logGroupName"] for group in groups})
        for group in groups:
            self.assertEqual(group.get("retentionInDays"), 30, group["logGroupName"])
            self.assertIn(":key/", group.get("kmsKeyId", ""), group["logGroupName"])

    def endpoint(self, kind):
        found = client("dms").describe_endpoints()["Endpoints"]
        (endpoint,) = [e for e in found if e["EndpointType"].lower() == kind]
        return endpoint

    def test_schedules_and_the_catalog_are_there(self):
        scheduler = client("scheduler")
        schedules = [scheduler.get_schedule(Name=s["Name"]) for s in scheduler.list_schedules()["Schedules"]]
        told = {s["ScheduleExpression"]: json.loads(s["Target"]["Input"]) for s in schedules}
        self.assertEqual(told, {"rate(1 hour)": {"sweep": True}, "rate(3 minutes)": {"sweep": "due"}})
        databases = client("glue").get_databases()["DatabaseList"]
        self.assertEqual(sorted(d["Name"] for d in databases), ["lake_shop", "lake_web_log"])

    def test_the_job_is_there_and_its_program(self):
        job = client("glue").get_job(JobName=job_script.JOB)["Job"]
        self.assertEqual((job["WorkerType"], job["NumberOfWorkers"], job["Timeout"]), ("G.1X", 3, 480))
        self.assertEqual(job["ExecutionProperty"], {"MaxConcurrentRuns": 4})
        self.assertEqual(job["Command"]["ScriptLocation"], f"s3://{LAKE}/job/apply_table.py")
        self.assertEqual(self.content(job["Command"]["ScriptLocation"]), job_script.SCRIPT.read_bytes())
        arguments = job["DefaultArguments"]
        program = Path("tests/dmslake.sh").read_bytes()
        self.assertEqual(self.content(arguments["--binary"]), program)
        self.assertEqual(arguments["--sha256"], hashlib.sha256(program).hexdigest())
        self.assertEqual(arguments["--binary"], f"s3://{LAKE}/job/dmslake-{arguments['--sha256'][:16]}")
        groups = client("logs").describe_log_groups(logGroupNamePrefix=arguments["--custom-logGroup-prefix"])
        self.assertEqual([g["logGroupName"].split("/")[-1] for g in groups["logGroups"]], ["error", "output"])
        toml = self.content(arguments["--extra-files"]).decode()
        self.assertIn(f'job = "{job["Name"]}"', toml)

    def content(self, address):
        bucket, _, key = address.removeprefix("s3://").partition("/")
        return client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()

    def test_the_script_understands_what_glue_gives_it(self):
        default = client("glue").get_job(JobName=job_script.JOB)["Job"]["DefaultArguments"]
        # Glue takes these in itself, and the script is to pass over them.
        of_glue = {"--extra-files", "--custom-logGroup-prefix"}
        self.assertEqual(set(default) - of_glue, {"--binary", "--sha256", "--config"})
        arguments = {**default, "--table": "shop.orders", "--claim": "11111111-2222-3333-4444-555555555555"}
        options = vars(job_script.load().arguments(job_script.given(arguments, "jr_1")))
        understood = {name: value for name, value in options.items() if value is not None}
        self.assertEqual(
            understood,
            {
                "binary": default["--binary"],
                "sha256": default["--sha256"],
                "config": Path(default["--extra-files"]).name,
                "table": ["shop.orders"],
                "claim": arguments["--claim"],
                "run": "jr_1",
                "JOB_NAME": job_script.JOB,
                "JOB_RUN_ID": "jr_1",
            },
        )

    def test_alarms_look_at_metrics_that_are_made(self):
        alarms = client("cloudwatch").describe_alarms()["MetricAlarms"]
        filters = client("logs").describe_metric_filters(logGroupName="/aws/lambda/shop")
        made = {f["metricTransformations"][0]["metricName"] for f in filters["metricFilters"]}
        text = Path("monitoring.tf").read_text().split("function_metrics = {")[1].split("}")[0]
        made |= {line.split("=")[0].strip() for line in text.strip().splitlines()}
        watched = {a["MetricName"] for a in alarms if a["Namespace"] == NAME}
        self.assertTrue(watched)
        self.assertLessEqual({"ReadersBehind", "FailedJobs"}, watched)
        # The sweep runs hourly, and an invocation takes at most five minutes.
        self.assertEqual({a["Period"] for a in alarms if a["Namespace"] == NAME}, {2 * 3600 + 300})
        self.assertLessEqual(watched, made)


if __name__ == "__main__":
    unittest.main(verbosity=2)
