check "alarms_reach_somebody" {
  assert {
    condition     = var.monitoring.topic_arn != null || length(var.monitoring.emails) > 0
    error_message = "monitoring: neither emails nor topic_arn is set, so alarms reach nobody."
  }
}

resource "aws_sns_topic" "alarms" {
  count             = var.monitoring.topic_arn == null ? 1 : 0
  name              = local.topic_name
  kms_master_key_id = local.kms_key_arn
  tags              = local.tags
}

resource "aws_sns_topic_policy" "alarms" {
  count  = var.monitoring.topic_arn == null ? 1 : 0
  arn    = aws_sns_topic.alarms[0].arn
  policy = jsonencode(local.topic_policy)
}

resource "aws_sns_topic_subscription" "email" {
  for_each  = toset(var.monitoring.emails)
  topic_arn = local.alarm_topic_arn
  protocol  = "email"
  endpoint  = each.value
}

locals {
  topic_policy = {
    Version = "2012-10-17"
    Statement = concat([
      {
        Sid       = "Alarms"
        Effect    = "Allow"
        Principal = { Service = ["cloudwatch.amazonaws.com", "dms.amazonaws.com"] }
        Action    = ["sns:Publish"]
        Resource  = local.alarm_topic_arn
        Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
      },
      ],
      # DMS Serverless reports through EventBridge.
      local.dms_on && var.dms.serverless ? [{
        Sid       = "ReplicationEvents"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = ["sns:Publish"]
        Resource  = local.alarm_topic_arn
        Condition = { ArnEquals = { "aws:SourceArn" = local.replication_rule_arn } }
      }] : [],
    )
  }

  # What the function measures, with the units, in the namespace `name`: it writes each invocation's
  # values to its log in the embedded metric format, from which CloudWatch takes them.
  # tests/metrics.rs compares the names with the list in src/metrics/list.rs.
  function_metrics = {
    SourceToObjectSeconds = "Seconds"
    ObjectToCommitSeconds = "Seconds"
    BehindSeconds         = "Seconds"
    OldestPendingSeconds  = "Seconds"
    PendingObjects        = "Count"
    PendingBytes          = "Bytes"
    LateObjects           = "Count"
    InQuarantineRows      = "Count"
    HeldTables            = "Count"
    HeldSeconds           = "Seconds"
    FailedTables          = "Count"
    Objects               = "Count"
    RowsInserted          = "Count"
    RowsUpdated           = "Count"
    RowsDeleted           = "Count"
    RowsSuperseded        = "Count"
    RowsIgnored           = "Count"
    RowsQuarantined       = "Count"
    Commits               = "Count"
    Conflicts             = "Count"
    Retries               = "Count"
    RunSeconds            = "Seconds"
    EstimatedUsd          = "None"
    PeakMemoryBytes       = "Bytes"
  }

  # What is said in other lines of the log, each a JSON object. Filters turn them into metrics in the
  # same namespace. Lines that match no filter cost nothing.
  log_metrics = {
    FailedJobs    = { pattern = "{ $.message = \"a job has failed\" }", value = "1", unit = "Count" }
    Unconfigured  = { pattern = "{ $.message = \"staged tables are not configured\" }", value = "1", unit = "Count" }
    NotUnderstood = { pattern = "{ $.message = \"event is not understood\" }", value = "1", unit = "Count" }
    ReadersBehind = { pattern = "{ ($.message = \"not registered in Glue*\") || ($.message = \"manifest not written*\") }", value = "1", unit = "Count" }
  }
}

resource "aws_cloudwatch_log_metric_filter" "this" {
  for_each       = local.log_metrics
  name           = "${var.name}-${each.key}"
  log_group_name = aws_cloudwatch_log_group.function.name
  pattern        = each.value.pattern

  metric_transformation {
    name      = each.key
    namespace = var.name
    value     = each.value.value
    unit      = each.value.unit
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each            = local.alarms
  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  comparison_operator = each.value.operator
  threshold           = each.value.threshold
  period              = each.value.period
  evaluation_periods  = 1
  treat_missing_data  = each.value.missing
  alarm_actions       = [local.alarm_topic_arn]
  ok_actions          = [local.alarm_topic_arn]
  tags                = local.tags
}

# A stopped task is not visible in its own metrics.
resource "aws_dms_event_subscription" "this" {
  count            = local.dms_on && !var.dms.serverless ? 1 : 0
  name             = "${var.name}-replication"
  source_type      = "replication-task"
  source_ids       = [aws_dms_replication_task.this[0].replication_task_id]
  event_categories = ["failure", "state change"]
  sns_topic_arn    = local.alarm_topic_arn
  tags             = local.tags

  depends_on = [aws_sns_topic_policy.alarms]
}
