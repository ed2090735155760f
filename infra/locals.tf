data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.name
  tags      = merge({ Application = var.name }, var.tags)

  staging_bucket = var.staging.create ? aws_s3_bucket.staging[0].bucket : var.staging.bucket
  lake_bucket    = var.lake.create ? aws_s3_bucket.lake[0].bucket : var.lake.bucket
  staging_arn    = "arn:${local.partition}:s3:::${local.staging_bucket}"
  lake_arn       = "arn:${local.partition}:s3:::${local.lake_bucket}"

  # Everything in the lake bucket that is not a table.
  config_key    = "config/dmslake.toml"
  lock_key      = "config/dmslake.lock"
  athena_prefix = "athena"
  script_prefix = "job"
  zip_prefix    = "function"

  # What DMS and the source need is created with them; a network for Redshift too.
  dms_on     = var.dms.create
  source_on  = var.dms.create && var.source_database.create
  network_on = var.network.create && (var.dms.create || var.redshift.enabled)

  vpc_id     = local.network_on ? aws_vpc.this[0].id : var.network.vpc_id
  subnet_ids = local.network_on ? aws_subnet.private[*].id : var.network.subnet_ids

  kms_on      = var.kms.create || var.kms.key_arn != null
  kms_key_arn = var.kms.create ? aws_kms_key.this[0].arn : var.kms.key_arn

  # Names that are needed before, or without, the resource that has them.
  function_name = var.name
  function_arn  = "arn:${local.partition}:lambda:${local.region}:${local.account}:function:${local.function_name}"
  function_log  = "/aws/lambda/${local.function_name}"
  job_name      = "${var.name}-job"
  job_arn       = "arn:${local.partition}:glue:${local.region}:${local.account}:job/${local.job_name}"
  job_logs      = "/aws-glue/jobs/${local.job_name}"
  # A pattern in policies for all log groups below it, because Glue chooses their names.
  job_log         = "${local.job_logs}/*"
  topic_name      = "${var.name}-alarms"
  replication_id  = "${var.name}-replication"
  alarm_topic_arn = var.monitoring.topic_arn == null ? aws_sns_topic.alarms[0].arn : var.monitoring.topic_arn

  # AWS recommends six times the timeout, and a message may first wait for its batch.
  visibility_timeout = 6 * var.function.timeout + local.batching_window

  # 0 if there is no sweep.
  sweep_seconds = var.doorbell.sweep == "" ? 0 : 60 * (
    strcontains(var.doorbell.sweep, "hour") ? 60 : tonumber(regex("[0-9]+", var.doorbell.sweep))
  )
}
