locals {
  expiry_seconds    = var.staging.expiry_days * 86400
  on_function       = { FunctionName = local.function_name }
  on_queue          = { QueueName = aws_sqs_queue.doorbell.name }
  on_dead           = { QueueName = aws_sqs_queue.dead.name }
  dms_dimensions    = { for instance in aws_dms_replication_instance.this : "instance" => { ReplicationInstanceIdentifier = instance.replication_instance_id } }
  task_dimensions   = { for task in aws_dms_replication_task.this : "task" => { ReplicationInstanceIdentifier = local.replication_id, ReplicationTaskIdentifier = element(split(":", task.replication_task_arn), 6) } }
  source_dimensions = { for database in aws_db_instance.this : "database" => { DBInstanceIdentifier = database.identifier } }

  # What a log line tells is told again by every sweep while it is so. Two sweeps and one invocation
  # hold at least one line of each table, so that no alarm ends while its condition still holds, and
  # it ends at most so much later. Without a sweep nobody may look again; then a line counts for a day.
  # CloudWatch takes multiples of a minute.
  told_again = local.sweep_seconds == 0 ? 86400 : 60 * ceil((2 * local.sweep_seconds + var.function.timeout) / 60)

  # Every alarm fires after one period above (or below) its threshold.
  alarm_defaults = {
    namespace  = var.name
    dimensions = {}
    statistic  = "Sum"
    operator   = "GreaterThanThreshold"
    threshold  = 0
    period     = 300
    missing    = "notBreaching"
  }

  alarms = { for name, alarm in merge(local.pipeline_alarms, local.replication_alarms) : name => merge(local.alarm_defaults, alarm) }

  pipeline_alarms = merge(
    {
      held = {
        description = "A table is held: nothing is lost, but a person must look. Its log line says why and what to do"
        metric      = "HeldTables"
        period      = local.told_again
      }
      failed = {
        description = "A table failed three times or more in ${local.told_again / 60} minutes; its log line says why"
        metric      = "FailedTables"
        threshold   = 2
        period      = local.told_again
      }
      expiring = {
        description = "An object that is not applied has a third of its life in staging behind it: look before it expires"
        metric      = "OldestPending"
        statistic   = "Maximum"
        threshold   = local.expiry_seconds / 3
        period      = local.told_again
      }
      lag = {
        description = "An object waits for longer than ${var.monitoring.lag_minutes} minutes"
        metric      = "OldestPending"
        statistic   = "Maximum"
        threshold   = var.monitoring.lag_minutes * 60
        period      = local.told_again
      }
      unconfigured = {
        description = "Tables are staged that are not configured"
        metric      = "Unconfigured"
        period      = local.told_again
      }
      readers-behind = {
        description = "Glue refused a table's entry, or a manifest could not be written: readers see the table as it was. It is tried again"
        metric      = "ReadersBehind"
        period      = local.told_again
      }
      errors = {
        description = "Invocations of the function failed"
        namespace   = "AWS/Lambda"
        metric      = "Errors"
        dimensions  = local.on_function
      }
      throttles = {
        description = "Invocations of the function were refused: not enough concurrency is free"
        namespace   = "AWS/Lambda"
        metric      = "Throttles"
        dimensions  = local.on_function
        threshold   = 10
      }
      dead-letters = {
        description = "Doorbells were given up. What they rang for is applied by the next sweep; look why they failed"
        namespace   = "AWS/SQS"
        metric      = "ApproximateNumberOfMessagesVisible"
        dimensions  = local.on_dead
        statistic   = "Maximum"
      }
      queue-age = {
        description = "A doorbell waits for longer than two visibility timeouts"
        namespace   = "AWS/SQS"
        metric      = "ApproximateAgeOfOldestMessage"
        dimensions  = local.on_queue
        statistic   = "Maximum"
        threshold   = 2 * local.visibility_timeout
      }
    },
    var.doorbell.sweep == "" ? {} : {
      silent = {
        description = "The function was not invoked for ${local.sweep_seconds / 10} minutes, not even by the sweep"
        namespace   = "AWS/Lambda"
        metric      = "Invocations"
        dimensions  = local.on_function
        operator    = "LessThanThreshold"
        threshold   = 1
        period      = 6 * local.sweep_seconds
        missing     = "breaching"
      }
    },
  )

  replication_alarms = merge(
    { for key, dimensions in local.task_dimensions : "replication-source-latency" => {
      description = "DMS reads the source's binary log late by more than 15 minutes"
      namespace   = "AWS/DMS"
      metric      = "CDCLatencySource"
      dimensions  = dimensions
      statistic   = "Maximum"
      threshold   = 900
    } },
    { for key, dimensions in local.task_dimensions : "replication-target-latency" => {
      description = "DMS stages changes late by more than 15 minutes and a batch interval"
      namespace   = "AWS/DMS"
      metric      = "CDCLatencyTarget"
      dimensions  = dimensions
      statistic   = "Maximum"
      threshold   = 900 + var.staged_format.batch_interval
    } },
    { for key, dimensions in local.dms_dimensions : "replication-storage" => {
      description = "The replication instance has less than 5 GB of storage left"
      namespace   = "AWS/DMS"
      metric      = "FreeStorageSpace"
      dimensions  = dimensions
      statistic   = "Minimum"
      operator    = "LessThanThreshold"
      threshold   = 5000000000
    } },
    { for key, dimensions in local.source_dimensions : "source-storage" => {
      description = "The source has less than 5 GB of storage left, which its binary log needs"
      namespace   = "AWS/RDS"
      metric      = "FreeStorageSpace"
      dimensions  = dimensions
      statistic   = "Minimum"
      operator    = "LessThanThreshold"
      threshold   = 5000000000
    } },
  )
}
