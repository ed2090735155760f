# Without these, DMS and RDS would create the groups themselves and keep logs forever.

locals {
  # The last part of a serverless replication's ARN. It would be random if it were not set.
  replication_resource = var.name
  dms_log              = var.dms.serverless ? "dms-serverless-replication-${local.replication_resource}" : "dms-tasks-${local.replication_id}"
  database_log         = "/aws/rds/instance/${var.name}/error"
}

resource "aws_cloudwatch_log_group" "dms" {
  count             = local.dms_on ? 1 : 0
  name              = local.dms_log
  retention_in_days = var.function.log_days
  kms_key_id        = local.kms_key_arn
  tags              = local.tags
}

resource "aws_cloudwatch_log_group" "database" {
  count             = local.source_on ? 1 : 0
  name              = local.database_log
  retention_in_days = var.function.log_days
  kms_key_id        = local.kms_key_arn
  tags              = local.tags
}
