# The result of a minimal terraform.tfvars, as sent to AWS. Roles and policies are checked as rendered
# JSON, so the run applies: ARNs are known only then.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  tables = {
    "shop.orders"      = { keys = ["id"] }
    "shop.order_items" = { keys = ["order_id", "line"] }
  }
}

run "plan" {
  command = plan

  assert {
    condition     = length(aws_s3_bucket.staging) == 1 && length(aws_s3_bucket.lake) == 1 && length(aws_vpc.this) == 1 && length(aws_db_instance.this) == 1
    error_message = "by default everything is created"
  }
  assert {
    condition     = length(aws_kms_key.this) == 0 && length(aws_redshiftserverless_workgroup.this) == 0
    error_message = "optional resources with a fixed cost are created only on request"
  }
}

run "source" {
  assert {
    condition = { for parameter in aws_db_parameter_group.this[0].parameter : parameter.name => parameter.value } == {
      binlog_format = "ROW", binlog_row_image = "FULL", binlog_checksum = "NONE", require_secure_transport = "ON"
    }
    error_message = "DMS reads row images from a binary log without checksums"
  }
  assert {
    condition     = aws_db_instance.this[0].manage_master_user_password && aws_db_instance.this[0].storage_encrypted && !aws_db_instance.this[0].publicly_accessible
    error_message = "the source is encrypted and private, its password kept by Secrets Manager"
  }
  assert {
    condition     = aws_db_instance.this[0].backup_retention_period > 0
    error_message = "without backups RDS keeps no binary log"
  }
  assert {
    condition     = aws_dms_endpoint.source[0].secrets_manager_arn == aws_secretsmanager_secret.dms[0].arn && aws_dms_endpoint.source[0].password == null
    error_message = "DMS reads the source's password from a secret"
  }
}

run "replication" {
  assert {
    condition     = aws_dms_replication_task.this[0].migration_type == "full-load-and-cdc" && !aws_dms_replication_instance.this[0].publicly_accessible
    error_message = "a private instance does a full load, then ongoing replication"
  }
  assert {
    condition = (
      aws_dms_s3_endpoint.target[0].data_format == "parquet" && aws_dms_s3_endpoint.target[0].parquet_version == "parquet-2-0" &&
      aws_dms_s3_endpoint.target[0].timestamp_column_name == "dms_ts" && aws_dms_s3_endpoint.target[0].include_op_for_full_load &&
      aws_dms_s3_endpoint.target[0].use_task_start_time_for_full_load_timestamp && !aws_dms_s3_endpoint.target[0].preserve_transactions &&
      !aws_dms_s3_endpoint.target[0].date_partition_enabled && !aws_dms_s3_endpoint.target[0].cdc_inserts_only &&
      aws_dms_s3_endpoint.target[0].cdc_max_batch_interval == 60 && aws_dms_s3_endpoint.target[0].bucket_folder == "dms"
    )
    error_message = "the endpoint writes what dmslake reads best"
  }
  assert {
    condition     = aws_dms_s3_endpoint.target[0].encryption_mode == "SSE_S3" && aws_dms_s3_endpoint.target[0].expected_bucket_owner == "123456789012"
    error_message = "staged objects are encrypted, in a bucket of this account"
  }
  assert {
    condition = alltrue([
      for path in ["HandleSourceTableDropped", "HandleSourceTableTruncated"] :
      !jsondecode(aws_dms_replication_task.this[0].replication_task_settings).ChangeProcessingDdlHandlingPolicy[path]
    ])
    error_message = "DMS must not delete staged objects because a table was dropped or truncated"
  }
  assert {
    condition = (
      !jsondecode(aws_dms_replication_task.this[0].replication_task_settings).TargetMetadata.BatchApplyEnabled &&
      jsondecode(aws_dms_replication_task.this[0].replication_task_settings).ErrorBehavior.DataErrorPolicy == "STOP_TASK" &&
      jsondecode(aws_dms_replication_task.this[0].replication_task_settings).Logging.EnableLogging
    )
    error_message = "no batch apply, no silently dropped rows, and logs"
  }
  assert {
    condition = [
      for rule in jsondecode(aws_dms_replication_task.this[0].table_mappings).rules : "${rule.object-locator.schema-name}.${rule.object-locator.table-name}" if rule.rule-type == "selection"
    ] == ["shop.order[_]items", "shop.orders"]
    error_message = "one selection rule per table, and underscores are no wildcards"
  }
}

run "buckets" {
  assert {
    condition     = alltrue([for block in values(aws_s3_bucket_public_access_block.this) : block.block_public_acls && block.block_public_policy && block.ignore_public_acls && block.restrict_public_buckets]) && length(aws_s3_bucket_public_access_block.this) == 2
    error_message = "both buckets are private"
  }
  assert {
    condition     = alltrue([for bucket in values(aws_s3_bucket_server_side_encryption_configuration.this) : one(one(bucket.rule).apply_server_side_encryption_by_default).sse_algorithm == "AES256"]) && length(aws_s3_bucket_server_side_encryption_configuration.this) == 2
    error_message = "both buckets are encrypted"
  }
  assert {
    condition     = one(aws_s3_bucket_versioning.this["staging"].versioning_configuration).status == "Disabled" && one(aws_s3_bucket_versioning.this["lake"].versioning_configuration).status == "Enabled"
    error_message = "versions in the lake, none in staging"
  }
  assert {
    condition     = aws_s3_bucket_lifecycle_configuration.staging[0].rule[0].expiration[0].days == 30 && aws_s3_bucket_lifecycle_configuration.staging[0].rule[0].filter[0].prefix == "dms/"
    error_message = "staged objects expire after 30 days"
  }
  assert {
    condition     = aws_s3_bucket_lifecycle_configuration.lake[0].rule[0].noncurrent_version_expiration[0].noncurrent_days == 7
    error_message = "old versions in the lake expire"
  }
  assert {
    condition = alltrue([
      for policy in values(aws_s3_bucket_policy.this) : anytrue([
        for statement in jsondecode(policy.policy).Statement :
        statement.Effect == "Deny" && try(statement.Condition.Bool["aws:SecureTransport"], "") == "false" && length(statement.Resource) == 2
      ])
    ])
    error_message = "both buckets refuse requests without TLS"
  }
}

run "doorbell" {
  assert {
    condition     = aws_sqs_queue.doorbell.visibility_timeout_seconds >= 6 * aws_lambda_function.this.timeout + aws_lambda_event_source_mapping.doorbell.maximum_batching_window_in_seconds
    error_message = "a message must not become visible while the function may still process it"
  }
  assert {
    condition     = jsondecode(aws_sqs_queue.doorbell.redrive_policy).deadLetterTargetArn == aws_sqs_queue.dead.arn && jsondecode(aws_sqs_queue.doorbell.redrive_policy).maxReceiveCount >= 5
    error_message = "failed messages go to the dead-letter queue, but not too soon"
  }
  assert {
    condition     = one(aws_s3_bucket_notification.staging[0].queue).filter_prefix == "dms/" && one(aws_s3_bucket_notification.staging[0].queue).filter_suffix == ".parquet"
    error_message = "only objects staged by DMS trigger a doorbell"
  }
  assert {
    condition = [for statement in jsondecode(aws_sqs_queue_policy.doorbell.policy).Statement : statement if statement.Effect == "Allow"] == [{
      Sid       = "Staging"
      Effect    = "Allow"
      Principal = { Service = "s3.amazonaws.com" }
      Action    = ["sqs:SendMessage"]
      Resource  = aws_sqs_queue.doorbell.arn
      Condition = {
        ArnEquals    = { "aws:SourceArn" = "arn:aws:s3:::shop-staging-123456789012-eu-west-1" }
        StringEquals = { "aws:SourceAccount" = "123456789012" }
      }
    }]
    error_message = "only the staging bucket of this account may send doorbells"
  }
  assert {
    condition     = aws_lambda_event_source_mapping.doorbell.function_response_types == toset(["ReportBatchItemFailures"]) && one(aws_lambda_event_source_mapping.doorbell.scaling_config).maximum_concurrency == 2 && aws_lambda_event_source_mapping.doorbell.enabled
    error_message = "messages fail one by one, and invocations are capped"
  }
  assert {
    condition     = one(aws_scheduler_schedule.this["sweep"].target).arn == aws_lambda_alias.live.arn && jsondecode(one(aws_scheduler_schedule.this["sweep"].target).input) == { sweep = true }
    error_message = "a schedule runs sweeps"
  }
  assert {
    condition     = keys(aws_scheduler_schedule.this) == ["sweep"] && !strcontains(aws_s3_object.config.content, "look_every") && aws_lambda_event_source_mapping.doorbell.maximum_batching_window_in_seconds == 20
    error_message = "no table waits, and nothing looks at those that do"
  }
}

run "function" {
  assert {
    condition     = aws_lambda_function.this.runtime == "provided.al2023" && aws_lambda_function.this.architectures == tolist(["arm64"]) && one(aws_lambda_function.this.ephemeral_storage).size == 2048
    error_message = "a custom runtime on arm64, with room in /tmp"
  }
  assert {
    condition     = one(aws_lambda_function.this.environment).variables == tomap({ DMSLAKE_CONFIG = "s3://shop-lake-123456789012-eu-west-1/config/dmslake.toml" }) && aws_s3_object.config.key == "config/dmslake.toml"
    error_message = "the function reads the uploaded configuration"
  }
  assert {
    condition     = aws_cloudwatch_log_group.function.name == "/aws/lambda/${aws_lambda_function.this.function_name}" && aws_cloudwatch_log_group.function.retention_in_days == 30
    error_message = "the function's logs expire"
  }
}

run "alarms" {
  assert {
    condition     = length(setsubtract(["held", "failed", "failed-jobs", "expiring", "lag", "unconfigured", "readers-behind", "errors", "throttles", "dead-letters", "queue-age", "silent"], keys(aws_cloudwatch_metric_alarm.this))) == 0
    error_message = "every way in which the pipeline can stop has an alarm"
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["expiring"].threshold == 30 * 86400 / 3
    error_message = "the alarm is raised after a third of the time until expiry"
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["queue-age"].metric_name == "ApproximateAgeOfOldestMessage" && aws_cloudwatch_log_metric_filter.this["Unconfigured"].pattern == "{ $.message = \"staged tables are not configured\" }"
    error_message = "alarms use the queue's age and lines of the log"
  }
  assert {
    condition     = alltrue([for alarm in values(aws_cloudwatch_metric_alarm.this) : length(alarm.alarm_actions) == 1])
    error_message = "every alarm has a recipient"
  }
}
