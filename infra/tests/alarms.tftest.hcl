# Alarms: metrics, periods and recipients.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "hourly_sweep" {
  assert {
    condition = toset([
      for name in ["held", "failed", "failed-jobs", "expiring", "lag", "unconfigured", "readers-behind"] : aws_cloudwatch_metric_alarm.this[name].period
    ]) == toset([7500])
    error_message = "an alarm on what the function tells looks back over two sweeps and an invocation, so that it does not end between sweeps"
  }
  assert {
    condition     = toset([for alarm in values(aws_cloudwatch_metric_alarm.this) : alarm.period if alarm.namespace == "shop"]) == toset([7500])
    error_message = "no other alarm depends on what the function tells"
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["silent"].period == 21600 && aws_cloudwatch_metric_alarm.this["silent"].treat_missing_data == "breaching"
    error_message = "silence means six missing sweeps"
  }
  assert {
    condition = length(setsubtract(
      [for alarm in values(aws_cloudwatch_metric_alarm.this) : alarm.metric_name if alarm.namespace == "shop"],
      concat(keys(local.function_metrics), keys(aws_cloudwatch_log_metric_filter.this)),
    )) == 0
    error_message = "every alarm on a custom metric uses one that the function or a filter makes"
  }
  assert {
    condition     = strcontains(aws_cloudwatch_log_metric_filter.this["ReadersBehind"].pattern, "not registered in Glue*") && strcontains(aws_cloudwatch_log_metric_filter.this["ReadersBehind"].pattern, "manifest not written*")
    error_message = "either of two lines means that readers are behind"
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["failed-jobs"].threshold == 0 && aws_cloudwatch_log_metric_filter.this["FailedJobs"].pattern == "{ $.message = \"a job has failed\" }"
    error_message = "a single failed run raises an alarm"
  }
  assert {
    condition = alltrue([
      for metric in concat(keys(local.function_metrics), keys(aws_cloudwatch_log_metric_filter.this)) : strcontains(aws_cloudwatch_dashboard.this[0].dashboard_body, "\"shop\",\"${metric}\"")
    ])
    error_message = "the dashboard shows every custom metric"
  }
  assert {
    condition = length(setintersection(keys(local.function_metrics), keys(aws_cloudwatch_log_metric_filter.this))) == 0 && strcontains(aws_s3_object.config.content, <<-TEXT

      [metrics]
      emf = "total"
      namespace = "shop"
    TEXT
    )
    error_message = "the function tells each metric once, in the namespace of alarms and dashboard: ${aws_s3_object.config.content}"
  }
  assert {
    condition     = !contains(keys(aws_lambda_function.this.environment[0].variables), "OTEL_EXPORTER_OTLP_HEADERS")
    error_message = "no headers without a collector"
  }
  assert {
    condition     = [for statement in jsondecode(aws_sns_topic_policy.alarms[0].policy).Statement : statement.Sid] == ["Alarms"]
    error_message = "only services that need it may publish"
  }
  assert {
    condition     = aws_sns_topic_subscription.email["data@example.com"].protocol == "email"
    error_message = "alarms have a recipient"
  }
}

run "metrics_of_each_table_and_a_collector" {
  variables {
    monitoring = { emails = ["data@example.com"], metrics = "per-table", otlp = "https://otlp.example.com", otlp_headers = "api-key=secret" }
  }
  assert {
    condition = strcontains(aws_s3_object.config.content, <<-TEXT

      [metrics]
      emf = "per-table"
      namespace = "shop"
      otlp = "https://otlp.example.com"
    TEXT
    )
    error_message = "the configuration names the collector: ${aws_s3_object.config.content}"
  }
  assert {
    condition     = aws_lambda_function.this.environment[0].variables["OTEL_EXPORTER_OTLP_HEADERS"] == "api-key=secret"
    error_message = "the function has the headers, and the configuration does not"
  }
  assert {
    condition     = !strcontains(aws_s3_object.config.content, "secret")
    error_message = "headers are not in the configuration"
  }
}

run "sweep_every_five_minutes" {
  variables {
    doorbell = { sweep = "rate(5 minutes)" }
    function = { timeout = 305 }
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["lag"].period == 960 && aws_cloudwatch_metric_alarm.this["silent"].period == 1800
    error_message = "periods follow the sweep and the timeout, in whole minutes"
  }
}

run "sweep_every_minute" {
  variables {
    doorbell = { sweep = "rate(1 minute)" }
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["held"].period == 420 && aws_cloudwatch_metric_alarm.this["silent"].period == 360
    error_message = "periods follow even the shortest sweep"
  }
}

run "sweep_in_sixty_minutes" {
  variables {
    doorbell = { sweep = "rate(60 minutes)" }
    function = { timeout = 900 }
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["held"].period == 8100 && aws_cloudwatch_metric_alarm.this["silent"].period == 21600
    error_message = "sixty minutes equal one hour"
  }
  assert {
    # CloudWatch: multiples of a minute, at most a day in all below an hour, and seven days above.
    condition     = alltrue([for alarm in values(aws_cloudwatch_metric_alarm.this) : alarm.period % 60 == 0 && alarm.period * alarm.evaluation_periods <= (alarm.period < 3600 ? 86400 : 604800)])
    error_message = "CloudWatch accepts every period"
  }
}

run "no_sweep" {
  variables {
    doorbell = { sweep = "" }
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["held"].period == 86400 && !contains(keys(aws_cloudwatch_metric_alarm.this), "silent")
    error_message = "without a sweep, a line counts for a day"
  }
}

run "alarms_to_nobody" {
  command = plan
  variables {
    monitoring = {}
  }
  expect_failures = [check.alarms_reach_somebody]
}

run "alarms_to_a_topic" {
  command = plan
  variables {
    monitoring = { topic_arn = "arn:aws:sns:eu-west-1:123456789012:mine" }
  }
  assert {
    condition     = length(aws_sns_topic.alarms) == 0 && length(aws_sns_topic_subscription.email) == 0
    error_message = "an existing topic has its own subscribers"
  }
}

run "serverless" {
  variables {
    dms = { serverless = true }
  }
  assert {
    condition = [for statement in jsondecode(aws_sns_topic_policy.alarms[0].policy).Statement : statement if statement.Sid == "ReplicationEvents"] == [{
      Sid       = "ReplicationEvents"
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = ["sns:Publish"]
      Resource  = aws_sns_topic.alarms[0].arn
      Condition = { ArnEquals = { "aws:SourceArn" = "arn:aws:events:eu-west-1:123456789012:rule/shop-replication" } }
    }]
    error_message = "DMS Serverless reports through one EventBridge rule"
  }
}
