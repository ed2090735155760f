# Tables whose changes wait: what is configured for them, the schedule that looks at them, and what follows.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "some_tables_wait" {
  variables {
    tables = {
      "shop.orders" = { keys = ["id"], freshness = "15m", retention = "3 days", log_retention = "30 days" }
      "shop.views"  = { append_only = true, retention = "1h 30m", cdc_only = true }
    }
  }
  assert {
    condition = strcontains(aws_s3_object.config.content, <<-TEXT
      [[table]]
      source = { schema = "shop", table = "orders" }
      freshness = "15m"
      keys = ["id"]
      retention = { files = "3 days", log = "30 days" }

      [[table]]
      source = { schema = "shop", table = "views" }
      append_only = true
      cdc_only = true
      retention = "1h 30m"
    TEXT
    )
    error_message = "dmslake.toml has what is set: ${aws_s3_object.config.content}"
  }
  assert {
    condition     = strcontains(aws_s3_object.config.content, "\nlook_every = \"3m\"\n") && aws_scheduler_schedule.this["due"].schedule_expression == "rate(3 minutes)"
    error_message = "the schedule looks as often as the configuration says, in a fifth of the freshness"
  }
  assert {
    condition     = jsondecode(one(aws_scheduler_schedule.this["due"].target).input) == { sweep = "due" } && one(aws_scheduler_schedule.this["due"].target).arn == aws_lambda_alias.live.arn && aws_scheduler_schedule.this["due"].state == "ENABLED"
    error_message = "the schedule asks for what is due"
  }
  assert {
    condition     = one(one(aws_scheduler_schedule.this["due"].target).retry_policy).maximum_event_age_in_seconds == 180 && one(one(aws_scheduler_schedule.this["sweep"].target).retry_policy).maximum_event_age_in_seconds == 3600
    error_message = "a look that fails is replaced by the next"
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.scheduler.policy).Statement[0].Resource == aws_lambda_alias.live.arn && toset([for schedule in values(aws_scheduler_schedule.this) : one(schedule.target).role_arn]) == toset([aws_iam_role.scheduler.arn])
    error_message = "one role invokes the function for both schedules"
  }
  assert {
    condition     = aws_lambda_event_source_mapping.doorbell.maximum_batching_window_in_seconds == 20
    error_message = "doorbells of tables that do not wait are not held back"
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["lag"].threshold == 900 + 3600 && strcontains(aws_cloudwatch_metric_alarm.this["lag"].alarm_description, "75 minutes")
    error_message = "no alarm is raised because a table waits"
  }
}

run "all_tables_wait" {
  variables {
    table_defaults = { freshness = "2 minutes", retention = "2w" }
    tables = {
      "shop.orders" = { keys = ["id"] }
      "shop.views"  = { append_only = true, freshness = "1h" }
    }
  }
  assert {
    condition     = strcontains(aws_s3_object.config.content, "\n[defaults]\nfreshness = \"2 minutes\"\nmerge = \"copy-on-write\"\nretention = \"2w\"\n")
    error_message = "dmslake.toml has the defaults: ${aws_s3_object.config.content}"
  }
  assert {
    condition     = strcontains(aws_s3_object.config.content, "\nlook_every = \"1m\"\n") && aws_scheduler_schedule.this["due"].schedule_expression == "rate(1 minute)"
    error_message = "no schedule is faster than once a minute"
  }
  assert {
    condition     = aws_lambda_event_source_mapping.doorbell.maximum_batching_window_in_seconds == 120 && aws_sqs_queue.doorbell.visibility_timeout_seconds == 6 * 300 + 120
    error_message = "doorbells are collected for the shortest freshness"
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["lag"].threshold == 3600 + 3600
    error_message = "the longest freshness counts for alarms"
  }
}

run "one_table_does_not_wait" {
  variables {
    table_defaults = { freshness = "24h" }
    tables = {
      "shop.orders" = { keys = ["id"], freshness = "0s" }
      "shop.views"  = { append_only = true }
    }
  }
  assert {
    condition     = aws_scheduler_schedule.this["due"].schedule_expression == "rate(288 minutes)" && one(one(aws_scheduler_schedule.this["due"].target).retry_policy).maximum_event_age_in_seconds == 3600
    error_message = "the longest freshness has a schedule too"
  }
  assert {
    condition     = aws_lambda_event_source_mapping.doorbell.maximum_batching_window_in_seconds == 20
    error_message = "one table without a freshness needs its doorbells"
  }
}

run "a_pattern_waits" {
  variables {
    lock_file = "tests/dmslake.lock"
    tables = {
      "shop.*"      = { freshness = "1 hour" }
      "shop.orders" = { merge = "auto" }
    }
  }
  assert {
    condition     = aws_lambda_event_source_mapping.doorbell.maximum_batching_window_in_seconds == 300 && aws_scheduler_schedule.this["due"].schedule_expression == "rate(12 minutes)"
    error_message = "a table that a pattern matches waits as the pattern says; a window is at most 300 s"
  }
}

run "windows_and_looks_of_ones_own" {
  variables {
    table_defaults = { freshness = "1h" }
    doorbell       = { batching_window = 0, batch_size = 10, look_minutes = 61, paused = true }
  }
  assert {
    condition     = aws_lambda_event_source_mapping.doorbell.maximum_batching_window_in_seconds == 0 && strcontains(aws_s3_object.config.content, "\nlook_every = \"61m\"\n") && aws_scheduler_schedule.this["due"].schedule_expression == "rate(61 minutes)"
    error_message = "what is set replaces the defaults"
  }
  assert {
    condition     = toset([for schedule in values(aws_scheduler_schedule.this) : schedule.state]) == toset(["DISABLED"])
    error_message = "neither schedule invokes a paused function"
  }
}

run "freshness_in_words" {
  command = plan
  variables {
    tables = { "shop.orders" = { keys = ["id"], freshness = "hourly" } }
  }
  expect_failures = [var.tables]
}

run "freshness_of_months" {
  command = plan
  variables {
    tables = { "shop.orders" = { keys = ["id"], freshness = "1 month" } }
  }
  expect_failures = [var.tables]
}

run "freshness_without_a_unit" {
  command = plan
  variables {
    tables = { "shop.orders" = { keys = ["id"], freshness = "5" } }
  }
  expect_failures = [var.tables]
}

run "freshness_below_a_minute" {
  command = plan
  variables {
    tables = { "shop.orders" = { keys = ["id"], freshness = "59s" } }
  }
  expect_failures = [var.tables]
}

run "freshness_above_a_day" {
  command = plan
  variables {
    table_defaults = { freshness = "24h 1s" }
  }
  expect_failures = [var.tables]
}

run "freshness_as_long_as_the_alarm_of_expiry" {
  command = plan
  variables {
    staging        = { expiry_days = 3 }
    table_defaults = { freshness = "23h 30m" }
  }
  expect_failures = [var.staging]
}

run "retention_of_minutes" {
  command = plan
  variables {
    tables = { "shop.orders" = { keys = ["id"], retention = "59m" } }
  }
  expect_failures = [var.tables]
}

run "retention_of_eleven_years" {
  command = plan
  variables {
    table_defaults = { retention = "3651 days" }
  }
  expect_failures = [var.tables]
}

run "retention_of_the_log_in_words" {
  command = plan
  variables {
    table_defaults = { retention = "7 days", log_retention = "a month" }
  }
  expect_failures = [var.tables]
}

run "retention_of_the_log_alone" {
  command = plan
  variables {
    tables = { "shop.orders" = { keys = ["id"], log_retention = "30 days" } }
  }
  expect_failures = [var.tables]
}

run "looks_too_rare_for_the_freshness" {
  command = plan
  variables {
    doorbell       = { look_minutes = 7 }
    table_defaults = { freshness = "5m" }
  }
  expect_failures = [var.doorbell]
}

run "half_a_minute_between_looks" {
  command = plan
  variables {
    doorbell       = { look_minutes = 1.5 }
    table_defaults = { freshness = "5m" }
  }
  expect_failures = [var.doorbell]
}

run "no_time_between_looks" {
  command = plan
  variables {
    doorbell = { look_minutes = 0 }
  }
  expect_failures = [var.doorbell]
}
