# DMS's event subscriptions cover only instances and tasks. A serverless replication reports to
# EventBridge. Its start, stop and failure are sent to the alarm topic.

resource "aws_cloudwatch_event_rule" "replication" {
  count       = local.dms_on && var.dms.serverless ? 1 : 0
  name        = local.replication_rule
  description = "State changes of the serverless replication"
  tags        = local.tags

  event_pattern = jsonencode({
    source      = ["aws.dms"]
    detail-type = ["DMS Replication State Change"]
    resources   = [aws_dms_replication_config.this[0].arn]
  })
}

resource "aws_cloudwatch_event_target" "replication" {
  count = local.dms_on && var.dms.serverless ? 1 : 0
  rule  = aws_cloudwatch_event_rule.replication[0].name
  arn   = local.alarm_topic_arn
}

locals {
  replication_rule = "${var.name}-replication"
  # By name, because the topic's policy is created before the rule.
  replication_rule_arn = "arn:${local.partition}:events:${local.region}:${local.account}:rule/${local.replication_rule}"
}
