# Commands to run next.

locals {
  replication_arn      = one(concat(aws_dms_replication_config.this[*].arn, aws_dms_replication_task.this[*].replication_task_arn))
  replication_argument = "${var.dms.serverless ? "--replication-config-arn" : "--replication-task-arn"} ${coalesce(local.replication_arn, "-")}"
  start_replication = {
    for type in ["start-replication", "resume-processing"] : type => (
      var.dms.serverless
      ? "aws dms start-replication --start-replication-type ${type} ${local.replication_argument}"
      : "aws dms start-replication-task --start-replication-task-type ${type} ${local.replication_argument}"
    )
  }
  stop_replication = (
    var.dms.serverless
    ? "aws dms stop-replication ${local.replication_argument}"
    : "aws dms stop-replication-task ${local.replication_argument} && aws dms wait replication-task-stopped --filters Name=replication-task-arn,Values=${coalesce(local.replication_arn, "-")}"
  )
}

# It does not depend on DMS, so it can be run if an apply failed before that.
output "first_steps" {
  description = "A shell script to run once, and after each new password_version, from where a created database is reachable: creates the user of DMS and sets the retention of the binary log"
  value = local.source_on ? templatefile("${path.module}/templates/first_steps.sh.tftpl", {
    region        = local.region
    address       = aws_db_instance.this[0].address
    port          = var.source_database.port
    master_secret = try(aws_db_instance.this[0].master_user_secret[0].secret_arn, "")
    dms_secret    = aws_secretsmanager_secret.dms[0].arn
    account       = local.dms_account
    require       = local.dms_require
    grants        = local.source_grants
    tls           = local.source_tls
    authorities   = local.source_tls ? file(var.source_database.ca_file) : ""
  }) : null
}

output "source_sql" {
  description = "The SQL of first_steps, to be run by the administrator of an existing database; null if DMS is not created here"
  value       = local.dms_on ? local.source_sql : null
}

output "commands" {
  description = "Commands for daily operation"
  value = {
    start_replication  = local.dms_on ? local.start_replication["start-replication"] : null
    stop_replication   = local.dms_on ? local.stop_replication : null
    resume_replication = local.dms_on ? local.start_replication["resume-processing"] : null
    watch              = "aws logs tail ${aws_cloudwatch_log_group.function.name} --follow --format short"
    sweep              = "aws lambda invoke --function-name ${local.function_name}:${aws_lambda_alias.live.name} --cli-binary-format raw-in-base64-out --payload '{\"sweep\": true}' /dev/stdout"
    held_tables        = "aws logs filter-log-events --log-group-name ${aws_cloudwatch_log_group.function.name} --filter-pattern '{ $.message = \"table is held\" }' --query 'events[].message' --output text"
    redrive            = "aws sqs start-message-move-task --source-arn ${aws_sqs_queue.dead.arn}"
    roll_back          = "aws lambda update-alias --function-name ${local.function_name} --name ${aws_lambda_alias.live.name} --function-version VERSION"
    configuration      = "aws s3 cp s3://${local.lake_bucket}/${local.config_key} dmslake.toml"
    athena             = var.athena.enabled ? "aws athena start-query-execution --work-group ${var.name} --query-string 'SELECT count(*) FROM ${local.example_table}'" : null
    redshift           = var.redshift.enabled ? "dmslake ddl redshift --config dmslake.toml --iam-role ${aws_iam_role.redshift[0].arn} ${join(" ", sort(keys(local.manifests)))}" : null
    job                = local.job_on ? "dmslake job start --config dmslake.toml TABLE" : null
    job_runs           = local.job_on ? "aws glue get-job-runs --job-name ${aws_glue_job.job[0].name}" : null
    replication_status = !local.dms_on ? null : var.dms.serverless ? "aws dms describe-replications --filters Name=replication-config-arn,Values=${local.replication_arn}" : "aws dms describe-table-statistics --replication-task-arn ${local.replication_arn}"
  }
}
