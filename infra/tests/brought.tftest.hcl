# DMS runs already: only what turns its objects into tables is created.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  dms             = { create = false }
  source_database = {}
  staging         = { create = false, bucket = "my-dms", prefix = "landing/mysql" }
  lake            = { create = false, bucket = "my-lake" }
  tables          = { "shop.orders" = { keys = ["id"] } }
}

run "writer_alone" {
  assert {
    condition = 0 == length(concat(
      aws_dms_endpoint.source, aws_dms_s3_endpoint.target, aws_dms_replication_subnet_group.this, aws_dms_certificate.source,
      aws_dms_replication_instance.this, aws_dms_replication_task.this, aws_dms_replication_config.this, aws_dms_event_subscription.this,
      aws_cloudwatch_event_rule.replication, aws_iam_role.dms_secret, aws_iam_role.dms_target, aws_iam_role.dms_vpc, aws_iam_role.dms_logs,
      aws_cloudwatch_log_group.dms, aws_cloudwatch_log_group.database,
    ))
    error_message = "nothing of DMS is created"
  }
  assert {
    condition = 0 == length(concat(
      aws_db_instance.this, aws_db_subnet_group.this, aws_db_parameter_group.this, aws_secretsmanager_secret.dms, aws_vpc.this,
      aws_subnet.private, aws_vpc_endpoint.s3, aws_vpc_endpoint.secrets, aws_security_group.dms, aws_security_group.database,
      aws_security_group.endpoints, aws_s3_bucket.staging, aws_s3_bucket.lake,
    ))
    error_message = "neither a source, nor a network, nor a bucket is created"
  }
  assert {
    condition     = aws_sqs_queue.doorbell.name == "shop-doorbell" && keys(aws_scheduler_schedule.this) == ["sweep"] && length(aws_glue_catalog_database.this) == 1
    error_message = "queue, sweep and databases are there"
  }
  assert {
    condition     = !anytrue([for name in keys(aws_cloudwatch_metric_alarm.this) : startswith(name, "replication-") || startswith(name, "source-")]) && contains(keys(aws_cloudwatch_metric_alarm.this), "held")
    error_message = "alarms of the function, and none of DMS"
  }
  assert {
    condition     = strcontains(aws_s3_object.config.content, "staging = \"s3://my-dms/landing/mysql\"\n") && strcontains(aws_s3_object.config.content, "\n[dms]\n\n[maintain]\n")
    error_message = "without settings, DMS's defaults hold"
  }
  assert {
    condition     = one(aws_s3_bucket_notification.staging[0].queue).filter_prefix == "landing/mysql/" && one(aws_s3_bucket_notification.staging[0].queue).filter_suffix == ".csv"
    error_message = "objects ring that end as DMS names them by default"
  }
  assert {
    condition     = output.replication == null && output.table_mappings == null && output.source_database == null && output.source_sql == null && output.first_steps == null && output.commands.start_replication == null && output.commands.replication_status == null && output.commands.sweep != null
    error_message = "outputs tell of nothing that is not there"
  }
}

run "endpoint_of_parquet" {
  variables {
    s3_settings = {
      data_format            = "parquet"
      timestamp_column_name  = "ts"
      change_seq_column      = "seq"
      date_partition_enabled = true
      cdc_max_batch_interval = 30
    }
  }
  assert {
    condition     = strcontains(aws_s3_object.config.content, "\n[dms]\ncdc_max_batch_interval = 30\nchange_seq_column = \"seq\"\ndata_format = \"parquet\"\ndate_partition_enabled = true\ntimestamp_column_name = \"ts\"\n")
    error_message = "the settings are those of [dms], and no others"
  }
  assert {
    condition     = one(aws_s3_bucket_notification.staging[0].queue).filter_suffix == ".parquet" && output.notification.QueueConfigurations[0].Filter.Key.FilterRules[1].Value == ".parquet"
    error_message = "Parquet objects ring"
  }
  assert {
    condition     = output.s3_settings == { cdc_max_batch_interval = 30, change_seq_column = "seq", data_format = "parquet", date_partition_enabled = true, timestamp_column_name = "ts" }
    error_message = "the output is what was given"
  }
}

run "endpoint_of_compressed_csv" {
  variables {
    s3_settings = { compression_type = "GZIP", csv_delimiter = "|", csv_null_value = "\\N" }
  }
  assert {
    condition     = one(aws_s3_bucket_notification.staging[0].queue).filter_suffix == ".csv.gz" && strcontains(aws_s3_object.config.content, "csv_delimiter = \"|\"\ncsv_null_value = \"\\\\N\"\n")
    error_message = "compressed objects have another suffix"
  }
}

run "objects_with_a_key_of_their_own" {
  variables {
    staging = { create = false, bucket = "my-dms", prefix = "landing/mysql", kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/theirs" }
  }
  assert {
    condition     = anytrue([for statement in jsondecode(aws_iam_role_policy.function.policy).Statement : statement.Sid == "KeyOfStaging" && statement.Resource == "arn:aws:kms:eu-west-1:123456789012:key/theirs"])
    error_message = "the function may decrypt the objects that DMS encrypted with another key"
  }
}

run "redshift_has_a_network" {
  variables {
    redshift = { enabled = true }
    tables   = { "shop.orders" = { keys = ["id"], redshift_manifest = true } }
  }
  assert {
    condition     = length(aws_subnet.private) == 3 && length(aws_vpc_endpoint.secrets) == 0 && length(aws_security_group.dms) == 0
    error_message = "a network for Redshift, without what DMS needs"
  }
}

run "with_a_key" {
  variables {
    kms = { create = true }
  }
  assert {
    condition     = !strcontains(aws_kms_key.this[0].policy, "dms-tasks-") && !strcontains(aws_kms_key.this[0].policy, "/aws/rds/")
    error_message = "the key is for no logs that are not there"
  }
}

run "settings_of_an_endpoint_that_is_created" {
  command = plan
  variables {
    dms         = { create = true }
    s3_settings = { data_format = "csv" }
  }
  expect_failures = [var.s3_settings, var.source_database]
}

run "settings_that_no_endpoint_has" {
  command = plan
  variables {
    s3_settings = { csv_delimeter = "|" }
  }
  expect_failures = [var.s3_settings]
}

run "settings_of_another_type" {
  command = plan
  variables {
    s3_settings = { rfc_4180 = "yes" }
  }
  expect_failures = [var.s3_settings]
}

run "settings_that_are_not_read" {
  command = plan
  variables {
    s3_settings = { preserve_transactions = true }
  }
  expect_failures = [var.s3_settings]
}

run "a_key_for_a_created_bucket" {
  command = plan
  variables {
    staging = { kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/theirs" }
  }
  expect_failures = [var.staging]
}
