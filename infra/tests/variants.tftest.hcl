# Existing resources, and other ways to run each part.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "everything_brought" {
  variables {
    kms     = { key_arn = "arn:aws:kms:eu-west-1:123456789012:key/mine" }
    staging = { create = false, bucket = "my-staging", prefix = "in/dms", manage_notification = false }
    lake    = { create = false, bucket = "my-lake", prefix = "out" }
    network = { create = false, vpc_id = "vpc-1", subnet_ids = ["subnet-1", "subnet-2"] }
    source_database = {
      create             = false
      engine             = "aurora"
      secret_arn         = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:mine-AbCdEf"
      secret_kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/theirs"
      security_group_id  = "sg-1"
    }
    dms        = { create_account_roles = false, start = true }
    monitoring = { topic_arn = "arn:aws:sns:eu-west-1:123456789012:mine" }
  }
  assert {
    condition = 0 == length(concat(
      aws_s3_bucket.staging, aws_s3_bucket.lake, aws_vpc.this, aws_subnet.private, aws_db_instance.this, aws_kms_key.this,
      aws_secretsmanager_secret.dms, aws_sns_topic.alarms, aws_iam_role.dms_vpc, aws_s3_bucket_notification.staging,
      values(aws_s3_bucket_policy.this), values(aws_s3_bucket_versioning.this),
    ))
    error_message = "existing resources are neither created nor changed"
  }
  assert {
    condition     = aws_dms_s3_endpoint.target[0].bucket_name == "my-staging" && aws_dms_s3_endpoint.target[0].bucket_folder == "in/dms" && aws_dms_endpoint.source[0].engine_name == "aurora"
    error_message = "DMS uses the existing resources"
  }
  assert {
    condition     = strcontains(aws_s3_object.config.content, "staging = \"s3://my-staging/in/dms\"\nlake = \"s3://my-lake/out\"\n") && aws_s3_object.config.bucket == "my-lake"
    error_message = "dmslake uses the existing resources"
  }
  assert {
    condition     = one(aws_glue_job.job[0].command).script_location == "s3://my-lake/job/apply_table.py" && aws_glue_job.job[0].default_arguments["--extra-files"] == "s3://my-lake/config/dmslake.toml"
    error_message = "the job uses the existing resources"
  }
  assert {
    condition     = one(aws_vpc_security_group_ingress_rule.database).security_group_id == "sg-1"
    error_message = "the existing database admits DMS"
  }
  assert {
    condition     = output.first_steps == null && output.notification.QueueConfigurations[0].Filter.Key.FilterRules[0].Value == "in/dms/"
    error_message = "outputs show what the user must do"
  }
  assert {
    condition     = anytrue([for statement in jsondecode(aws_iam_role_policy.dms_secret[0].policy).Statement : statement.Resource == "arn:aws:kms:eu-west-1:123456789012:key/theirs"])
    error_message = "DMS may decrypt the existing secret"
  }
}

run "serverless" {
  variables {
    dms = { serverless = true, max_capacity_units = 8 }
  }
  assert {
    condition     = length(aws_dms_replication_instance.this) == 0 && length(aws_dms_replication_task.this) == 0 && one(aws_dms_replication_config.this[0].compute_config).max_capacity_units == 8
    error_message = "serverless creates no instance"
  }
  assert {
    condition     = length(jsondecode(aws_dms_replication_config.this[0].table_mappings).rules) == 3
    error_message = "the rules are those of a task"
  }
}

run "redshift" {
  variables {
    redshift = { enabled = true }
    tables   = { "shop.orders" = { keys = ["id"], redshift_manifest = true }, "web.views" = { append_only = true } }
  }
  assert {
    condition     = !aws_redshiftserverless_workgroup.this[0].publicly_accessible && aws_redshiftserverless_namespace.this[0].manage_admin_password
    error_message = "Redshift is private, and Secrets Manager keeps its password"
  }
  assert {
    condition     = output.redshift_sql == ["CREATE EXTERNAL SCHEMA IF NOT EXISTS \"lake_shop\" FROM DATA CATALOG DATABASE 'lake_shop_spectrum' IAM_ROLE 'arn:aws:iam::123456789012:role/mock';"]
    error_message = "one external schema for each schema with manifests"
  }
  assert {
    condition     = [for database in values(aws_glue_catalog_database.spectrum) : database.name] == ["lake_shop_spectrum"]
    error_message = "each external schema has its own database"
  }
  assert {
    condition     = length(split("redshift_manifest = true", aws_s3_object.config.content)) == 2
    error_message = "manifests only for the tables that request them"
  }
}

run "names_that_would_meet" {
  variables {
    tables = { "shop.Orders" = { keys = ["id"], name = "old_orders" }, "shop.orders" = { keys = ["id"] } }
  }
  assert {
    condition     = length(split("name = \"old_orders\"", aws_s3_object.config.content)) == 2
    error_message = "a table with a configured name has that name"
  }
}

run "paused" {
  variables {
    doorbell = { paused = true }
  }
  assert {
    condition     = !aws_lambda_event_source_mapping.doorbell.enabled && aws_scheduler_schedule.this["sweep"].state == "DISABLED"
    error_message = "nothing invokes the function"
  }
}

run "slow_function" {
  variables {
    function = { timeout = 900 }
    doorbell = { batching_window = 300, sweep = "" }
  }
  assert {
    condition     = aws_sqs_queue.doorbell.visibility_timeout_seconds == 5700 && aws_sqs_queue.doorbell.visibility_timeout_seconds <= 43200
    error_message = "the visibility timeout follows timeout and window"
  }
  assert {
    condition     = length(aws_scheduler_schedule.this) == 0 && !contains(keys(aws_cloudwatch_metric_alarm.this), "silent")
    error_message = "without a sweep, silence raises no alarm"
  }
}

run "athena" {
  assert {
    condition = (
      one(one(aws_athena_workgroup.this[0].configuration).engine_version).selected_engine_version == "Athena engine version 3" &&
      one(aws_athena_workgroup.this[0].configuration).bytes_scanned_cutoff_per_query == 100000000000 &&
      one(aws_athena_workgroup.this[0].configuration).enforce_workgroup_configuration &&
      one(one(one(aws_athena_workgroup.this[0].configuration).result_configuration).encryption_configuration).encryption_option == "SSE_S3"
    )
    error_message = "engine 3, a scan limit and encrypted results are enforced"
  }
  assert {
    condition     = [for database in values(aws_glue_catalog_database.this) : database.name] == ["lake_shop"]
    error_message = "one database per schema"
  }
}
