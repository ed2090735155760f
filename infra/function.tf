resource "aws_cloudwatch_log_group" "function" {
  name              = local.function_log
  retention_in_days = var.function.log_days
  kms_key_id        = local.kms_key_arn
  tags              = local.tags
}

resource "aws_lambda_function" "this" {
  function_name                  = local.function_name
  description                    = "Applies objects staged by DMS to Delta tables"
  role                           = aws_iam_role.function.arn
  runtime                        = "provided.al2023"
  handler                        = "bootstrap"
  architectures                  = [var.function.architecture]
  memory_size                    = var.function.memory_mb
  timeout                        = var.function.timeout
  reserved_concurrent_executions = var.function.reserved_concurrency
  publish                        = true
  kms_key_arn                    = local.kms_key_arn

  filename          = var.package.file
  source_code_hash  = var.package.file == null ? local.package_hash : filebase64sha256(var.package.file)
  s3_bucket         = local.package_bucket
  s3_key            = local.package_key
  s3_object_version = var.package.s3_version

  ephemeral_storage {
    size = var.function.tmp_mb
  }

  environment {
    variables = merge(
      { DMSLAKE_CONFIG = "s3://${local.lake_bucket}/${local.config_key}" },
      var.monitoring.otlp_headers == null ? {} : { OTEL_EXPORTER_OTLP_HEADERS = var.monitoring.otlp_headers },
      var.function.log_level == null ? {} : { RUST_LOG = var.function.log_level },
    )
  }

  tags = local.tags

  # Otherwise Lambda creates a log group that never expires.
  depends_on = [aws_cloudwatch_log_group.function, aws_iam_role_policy.function]
}

# Everything invokes the alias, so a rollback is one setting.
resource "aws_lambda_alias" "live" {
  name             = "live"
  description      = "The version in use"
  function_name    = aws_lambda_function.this.function_name
  function_version = coalesce(var.function.pinned_version, aws_lambda_function.this.version)

  # Nothing invokes a version that this alias does not point to. The provider plans the old checksum
  # for new code, but no version: with it, this is decided when the function has been changed.
  lifecycle {
    precondition {
      condition     = local.package_hash == null || var.function.pinned_version != null || aws_lambda_function.this.version == "" || aws_lambda_function.this.code_sha256 == local.package_hash
      error_message = "package.sha256: Lambda has taken a zip with another SHA-256 (in base64: ${aws_lambda_function.this.code_sha256}), which is not put into use. Name the SHA-256 of the object in S3, or put the right object there under another key."
    }
  }
}

# A sweep that needs more time fails and is sent again.
resource "aws_lambda_function_event_invoke_config" "live" {
  function_name                = aws_lambda_function.this.function_name
  qualifier                    = aws_lambda_alias.live.name
  maximum_event_age_in_seconds = 3600
  maximum_retry_attempts       = 2
}
