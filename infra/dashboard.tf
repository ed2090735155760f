locals {
  # One row per question: do objects arrive, are they applied, what does it cost.
  panels = concat(
    [
      { title = "How late (s)", stat = "Maximum", metrics = [for metric in ["BehindSeconds", "SourceToObjectSeconds", "ObjectToCommitSeconds", "OldestPendingSeconds"] : [var.name, metric]] },
      { title = "Changes applied", stat = "Sum", metrics = [for metric in ["RowsInserted", "RowsUpdated", "RowsDeleted", "RowsSuperseded", "RowsIgnored", "RowsQuarantined"] : [var.name, metric]] },
      { title = "Tables that need attention", stat = "Maximum", metrics = [for metric in ["HeldTables", "FailedTables", "LateObjects"] : [var.name, metric]] },
      { title = "Told in the log", stat = "Sum", metrics = [for metric in ["FailedJobs", "Unconfigured", "NotUnderstood", "ReadersBehind"] : [var.name, metric]] },
      { title = "Objects applied and pending", stat = "Sum", metrics = [[var.name, "Objects"], [var.name, "PendingObjects", { stat = "Maximum" }]] },
      { title = "Bytes pending", stat = "Maximum", metrics = [[var.name, "PendingBytes"]] },
      { title = "Held for (s), rows in quarantine", stat = "Maximum", metrics = [[var.name, "HeldSeconds"], [var.name, "InQuarantineRows", { yAxis = "right" }]] },
      { title = "Commits, lost races, retries", stat = "Sum", metrics = [for metric in ["Commits", "Conflicts", "Retries"] : [var.name, metric]] },
      { title = "Time taken (s), estimated cost (USD)", stat = "Sum", metrics = [[var.name, "RunSeconds"], [var.name, "EstimatedUsd", { yAxis = "right" }]] },
      { title = "Peak memory (bytes)", stat = "Maximum", metrics = [[var.name, "PeakMemoryBytes"]] },
      { title = "Doorbells waiting, dead-lettered", stat = "Maximum", metrics = [
        ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", aws_sqs_queue.doorbell.name],
        ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", aws_sqs_queue.dead.name],
      ] },
      { title = "Oldest doorbell (s)", stat = "Maximum", metrics = [["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", aws_sqs_queue.doorbell.name]] },
      { title = "Invocations, errors, throttles", stat = "Sum", metrics = [for metric in ["Invocations", "Errors", "Throttles"] : ["AWS/Lambda", metric, "FunctionName", local.function_name]] },
      { title = "Duration (ms)", stat = "p99", metrics = [
        ["AWS/Lambda", "Duration", "FunctionName", local.function_name],
        ["AWS/Lambda", "Duration", "FunctionName", local.function_name, { stat = "Average" }],
      ] },
    ],
    [for key, dimensions in local.task_dimensions : {
      title = "DMS latency (s)"
      stat  = "Maximum"
      metrics = [for metric in ["CDCLatencySource", "CDCLatencyTarget"] :
      concat(["AWS/DMS", metric], flatten([for name, value in dimensions : [name, value]]))]
    }],
  )
}

resource "aws_cloudwatch_dashboard" "this" {
  count          = var.monitoring.dashboard ? 1 : 0
  dashboard_name = var.name
  dashboard_body = jsonencode({
    widgets = [for index, panel in local.panels : {
      type   = "metric"
      x      = 8 * (index % 3)
      y      = 6 * floor(index / 3)
      width  = 8
      height = 6
      properties = {
        title   = panel.title
        stat    = panel.stat
        metrics = panel.metrics
        period  = 300
        region  = local.region
        view    = "timeSeries"
      }
    }]
  })
}
