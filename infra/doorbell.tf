# Each object from DMS notifies the function: S3 -> queue -> function. DESIGN.md explains why.

resource "aws_sqs_queue" "doorbell" {
  name                              = "${var.name}-doorbell"
  visibility_timeout_seconds        = local.visibility_timeout
  message_retention_seconds         = 1209600
  receive_wait_time_seconds         = 20
  sqs_managed_sse_enabled           = local.kms_on ? null : true
  kms_master_key_id                 = local.kms_key_arn
  kms_data_key_reuse_period_seconds = local.kms_on ? 3600 : null
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead.arn
    maxReceiveCount     = var.doorbell.max_receives
  })
  tags = local.tags
}

resource "aws_sqs_queue" "dead" {
  name                              = "${var.name}-doorbell-dead"
  message_retention_seconds         = 1209600
  sqs_managed_sse_enabled           = local.kms_on ? null : true
  kms_master_key_id                 = local.kms_key_arn
  kms_data_key_reuse_period_seconds = local.kms_on ? 3600 : null
  tags                              = local.tags
}

resource "aws_sqs_queue_redrive_allow_policy" "dead" {
  queue_url = aws_sqs_queue.dead.id
  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.doorbell.arn]
  })
}

resource "aws_sqs_queue_policy" "doorbell" {
  queue_url = aws_sqs_queue.doorbell.id
  policy    = jsonencode(local.queue_policies.doorbell)
}

resource "aws_sqs_queue_policy" "dead" {
  queue_url = aws_sqs_queue.dead.id
  policy    = jsonencode(local.queue_policies.dead)
}

locals {
  tls_only = {
    for name, arn in { doorbell = aws_sqs_queue.doorbell.arn, dead = aws_sqs_queue.dead.arn } : name => {
      Sid                       = "TlsOnly"
      Effect                    = "Deny"
      Principal                 = { AWS = "*" }
      Action                    = ["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage"]
      Resource                  = arn
      Condition                 = { Bool = { "aws:SecureTransport" = "false" } }
    }
  }
  queue_policies = {
    doorbell = {
      Version = "2012-10-17"
      Statement = [
        {
          Sid       = "Staging"
          Effect    = "Allow"
          Principal = { Service = "s3.amazonaws.com" }
          Action    = ["sqs:SendMessage"]
          Resource  = aws_sqs_queue.doorbell.arn
          Condition = {
            ArnEquals    = { "aws:SourceArn" = local.staging_arn }
            StringEquals = { "aws:SourceAccount" = local.account }
          }
        },
        local.tls_only.doorbell,
      ]
    }
    dead = {
      Version   = "2012-10-17"
      Statement = [local.tls_only.dead]
    }
  }
}

resource "aws_s3_bucket_notification" "staging" {
  count  = var.staging.manage_notification ? 1 : 0
  bucket = local.staging_bucket

  queue {
    id            = "doorbell"
    queue_arn     = aws_sqs_queue.doorbell.arn
    events        = ["s3:ObjectCreated:*"]
    filter_prefix = "${var.staging.prefix}/"
    filter_suffix = local.staged_suffix
  }

  # S3 tests the queue before it accepts the configuration.
  depends_on = [aws_sqs_queue_policy.doorbell]
}

resource "aws_lambda_event_source_mapping" "doorbell" {
  event_source_arn                   = aws_sqs_queue.doorbell.arn
  function_name                      = aws_lambda_alias.live.arn
  enabled                            = !var.doorbell.paused
  batch_size                         = var.doorbell.batch_size
  maximum_batching_window_in_seconds = local.batching_window
  function_response_types            = ["ReportBatchItemFailures"]
  tags                               = local.tags

  scaling_config {
    maximum_concurrency = var.doorbell.max_concurrency
  }

  depends_on = [aws_iam_role_policy.function]
}

locals {
  # Seconds that changes of each table may wait for more: its own, that of a pattern, or the default.
  freshness = [
    for source, table in var.tables : sum([
      for part in regexall("([0-9]+) ?([smhdw])", coalesce(concat(
        [table.freshness], [for pattern in try(local.claims[source], []) : var.tables[pattern].freshness], [var.table_defaults.freshness, "0s"],
      )...)) : part[0] * local.seconds_of[part[1]]
    ])
  ]
  waits        = [for seconds in local.freshness : seconds if seconds > 0]
  longest_wait = max(0, local.waits...)

  # 0 if no table waits. With a fifth of the freshness few changes are applied before they are due.
  look_minutes    = length(local.waits) == 0 ? 0 : coalesce(var.doorbell.look_minutes, max(1, floor(min(local.waits...) / 300)))
  batching_window = coalesce(var.doorbell.batching_window, length(local.waits) < length(local.freshness) ? 20 : min(300, local.waits...))

  schedules = merge(
    # Events may be lost. The sweep finds objects without a doorbell, and maintains the tables.
    var.doorbell.sweep == "" ? {} : { sweep = {
      description = "Invokes dmslake for every table"
      rate        = var.doorbell.sweep
      event       = jsonencode({ sweep = true })
      patience    = 3600
    } },
    # No doorbell announces that changes have waited for long enough.
    local.look_minutes == 0 ? {} : { due = {
      description = "Invokes dmslake for the tables whose changes wait"
      rate        = "rate(${local.look_minutes} minute${local.look_minutes == 1 ? "" : "s"})"
      event       = jsonencode({ sweep = "due" })
      patience    = min(3600, 60 * local.look_minutes)
    } },
  )
}

resource "aws_scheduler_schedule" "this" {
  for_each            = local.schedules
  name                = "${var.name}-${each.key}"
  description         = each.value.description
  schedule_expression = each.value.rate
  state               = var.doorbell.paused ? "DISABLED" : "ENABLED"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_lambda_alias.live.arn
    role_arn = aws_iam_role.scheduler.arn
    input    = each.value.event

    retry_policy {
      maximum_event_age_in_seconds = each.value.patience
      maximum_retry_attempts       = 3
    }
  }

  depends_on = [aws_iam_role_policy.scheduler]
}
