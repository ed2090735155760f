output "staging" {
  description = "Where DMS stages objects"
  value       = "s3://${local.staging_bucket}/${var.staging.prefix}"
}

output "lake" {
  description = "Folder of the tables, each at <lake>/<schema>/<table>"
  value       = "s3://${local.lake_bucket}/${var.lake.prefix}"
}

output "tables" {
  description = "Root folder of each table, by its name at the source"
  value       = { for source, table in local.named : source => "s3://${local.lake_bucket}/${var.lake.prefix}/${table.schema}/${table.table}" }
}

output "configuration" {
  description = "The configuration that the function reads"
  value       = "s3://${local.lake_bucket}/${aws_s3_object.config.key}"
}

output "dmslake_toml" {
  description = "The function's configuration as text, for the command line"
  value       = local.dmslake_toml
}

output "dmslake_lock" {
  description = "The lock file beside it as text; null without patterns"
  value       = var.lock_file == null ? null : file(var.lock_file)
}

output "table_mappings" {
  description = "The rules of the DMS task; null if that is not created here"
  value       = local.dms_on ? jsonencode(local.table_mappings) : null
}

output "s3_settings" {
  description = "The settings of the DMS target endpoint that the staged format depends on, as in [dms] of dmslake.toml"
  value       = local.endpoint_settings
}

output "function" {
  description = "Name and alias of the function"
  value       = { name = aws_lambda_function.this.function_name, alias = aws_lambda_alias.live.name, version = aws_lambda_alias.live.function_version, log_group = aws_cloudwatch_log_group.function.name }
}

output "doorbell" {
  description = "The queues"
  value       = { queue_url = aws_sqs_queue.doorbell.id, dead_letter_url = aws_sqs_queue.dead.id, visibility_timeout = local.visibility_timeout }
}

output "notification" {
  description = "What to add to the notification configuration of your own staging bucket"
  value = {
    QueueConfigurations = [{
      Id       = "doorbell"
      QueueArn = aws_sqs_queue.doorbell.arn
      Events   = ["s3:ObjectCreated:*"]
      Filter   = { Key = { FilterRules = [{ Name = "prefix", Value = "${var.staging.prefix}/" }, { Name = "suffix", Value = local.staged_suffix }] } }
    }]
  }
}

output "replication" {
  description = "ARN of the DMS task, or of the serverless replication; null if neither is created here"
  value       = local.dms_on ? local.replication_arn : null
}

output "source_database" {
  description = "Address of a created database, its master user's secret, the secret that DMS reads, and the name of its final snapshot"
  value = local.dms_on ? {
    address        = one(aws_db_instance.this[*].address)
    port           = var.source_database.port
    database       = local.source_on ? var.source_database.database : null
    master_secret  = try(aws_db_instance.this[0].master_user_secret[0].secret_arn, null)
    dms_secret     = local.secret_arn
    final_snapshot = var.source_database.skip_final_snapshot ? null : one(aws_db_instance.this[*].final_snapshot_identifier)
  } : null
}

output "databases" {
  description = "Glue database of each schema"
  value       = var.catalog.enabled ? local.databases : {}
}

output "athena_workgroup" {
  description = "Workgroup to query with"
  value       = one(aws_athena_workgroup.this[*].name)
}

output "reader_policy_arn" {
  description = "Policy to attach to the roles of users who run queries"
  value       = one(aws_iam_policy.reader[*].arn)
}

output "redshift_sql" {
  description = "Statements to run once in Redshift, before those that the command `redshift` of the output `commands` prints"
  value       = local.redshift_schema_sql
}

output "alarm_topic_arn" {
  description = "Topic that alarms go to"
  value       = local.alarm_topic_arn
}
