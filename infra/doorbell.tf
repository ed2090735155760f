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
  maximum_batching_window_in_seconds = var.doorbell.batching_window
  function_response_types            = ["ReportBatchItemFailures"]
  tags                               = local.tags

  scaling_config {
    maximum_concurrency = var.doorbell.max_concurrency
  }

  depends_on = [aws_iam_role_policy.function]
}

# Events may be lost. The sweep finds objects without a doorbell, and maintains the tables.
resource "aws_scheduler_schedule" "sweep" {
  count               = var.doorbell.sweep == "" ? 0 : 1
  name                = local.sweep_name
  description         = "Invokes dmslake for every table"
  schedule_expression = var.doorbell.sweep
  state               = var.doorbell.paused ? "DISABLED" : "ENABLED"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_lambda_alias.live.arn
    role_arn = aws_iam_role.scheduler.arn
    input    = jsonencode({ sweep = true })

    retry_policy {
      maximum_event_age_in_seconds = 3600
      maximum_retry_attempts       = 3
    }
  }

  depends_on = [aws_iam_role_policy.scheduler]
}
