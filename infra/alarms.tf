locals {
  expiry_seconds    = var.staging.expiry_days * 86400
  on_function       = { FunctionName = local.function_name }
  on_queue          = { QueueName = aws_sqs_queue.doorbell.name }
  on_dead           = { QueueName = aws_sqs_queue.dead.name }
  dms_dimensions    = { for instance in aws_dms_replication_instance.this : "instance" => { ReplicationInstanceIdentifier = instance.replication_instance_id } }
  task_dimensions   = { for task in aws_dms_replication_task.this : "task" => { ReplicationInstanceIdentifier = local.replication_id, ReplicationTaskIdentifier = element(split(":", task.replication_task_arn), 6) } }
  source_dimensions = { for database in aws_db_instance.this : "database" => { DBInstanceIdentifier = database.identifier } }

  # Every sweep tells of a condition again while it lasts. The time of two sweeps and one invocation
  # contains at least one look at each table, so no alarm ends before its condition does, and each
  # ends at most that much later. Without a sweep, nothing may look again; what was told then counts
  # for a day. CloudWatch accepts multiples of a minute.
  told_again = local.sweep_seconds == 0 ? 86400 : 60 * ceil((2 * local.sweep_seconds + var.function.timeout) / 60)

  # Beyond the freshness for which changes wait on purpose.
  lag_seconds = local.longest_wait + 60 * var.monitoring.lag_minutes

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
        description = "A table is held. Nothing is lost, but an operator must act. Its log line says why and what to do"
        metric      = "HeldTables"
        period      = local.told_again
      }
      failed = {
        description = "A table failed at least three times in ${local.told_again / 60} minutes. Its log line says why"
        metric      = "FailedTables"
        threshold   = 2
        period      = local.told_again
      }
      failed-jobs = {
        description = "A run of the Glue job failed, or Glue refused to start it. Its log line says why, and another run follows; after ${var.job.attempts} the table is held"
        metric      = "FailedJobs"
        period      = local.told_again
      }
      expiring = {
        description = "An unapplied object has reached a third of its lifetime in staging: act before it expires"
        metric      = "OldestPendingSeconds"
        statistic   = "Maximum"
        threshold   = local.expiry_seconds / 3
        period      = local.told_again
      }
      lag = {
        description = "An object has been waiting for more than ${local.lag_seconds / 60} minutes"
        metric      = "OldestPendingSeconds"
        statistic   = "Maximum"
        threshold   = local.lag_seconds
        period      = local.told_again
      }
      unconfigured = {
        description = "Staging contains tables that are not configured"
        metric      = "Unconfigured"
        period      = local.told_again
      }
      readers-behind = {
        description = "Glue refused a table's entry, or a manifest could not be written: readers see an older state. It will be retried"
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
        description = "Invocations of the function were throttled: not enough free concurrency"
        namespace   = "AWS/Lambda"
        metric      = "Throttles"
        dimensions  = local.on_function
        threshold   = 10
      }
      dead-letters = {
        description = "Doorbells went to the dead-letter queue. The next sweep applies their objects; find out why they failed"
        namespace   = "AWS/SQS"
        metric      = "ApproximateNumberOfMessagesVisible"
        dimensions  = local.on_dead
        statistic   = "Maximum"
      }
      queue-age = {
        description = "A doorbell has been waiting for more than two visibility timeouts"
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
      description = "DMS reads the source's binary log with a delay of more than 15 minutes"
      namespace   = "AWS/DMS"
      metric      = "CDCLatencySource"
      dimensions  = dimensions
      statistic   = "Maximum"
      threshold   = 900
    } },
    { for key, dimensions in local.task_dimensions : "replication-target-latency" => {
      description = "DMS stages changes with a delay of more than 15 minutes and a batch interval"
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
      description = "The source has less than 5 GB of storage left for its binary log"
      namespace   = "AWS/RDS"
      metric      = "FreeStorageSpace"
      dimensions  = dimensions
      statistic   = "Minimum"
      operator    = "LessThanThreshold"
      threshold   = 5000000000
    } },
  )
}
