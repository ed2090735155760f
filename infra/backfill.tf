# Rewrites that are too large for the function, which skips them and says so in its report. The job
# costs nothing until it is started. It refuses to run unless queue and sweep are paused, because
# Spark's commits to S3 are not safe against concurrent commits of the function.

resource "aws_s3_object" "backfill" {
  count                  = var.backfill.enabled ? 1 : 0
  bucket                 = local.lake_bucket
  key                    = "${local.script_prefix}/rewrite_table.py"
  source                 = "${path.module}/backfill/rewrite_table.py"
  source_hash            = filemd5("${path.module}/backfill/rewrite_table.py")
  server_side_encryption = local.kms_on ? "aws:kms" : "AES256"
  kms_key_id             = local.kms_key_arn
  tags                   = local.tags

  depends_on = [aws_s3_bucket_versioning.this, aws_s3_bucket_server_side_encryption_configuration.this]
}

# The names that Glue 5 uses. With a security configuration that encrypts logs, they also contain
# its name and the role.
locals {
  backfill_group  = local.kms_on ? "${local.backfill_prefix}/${local.backfill_name}-role/${local.backfill_name}" : local.backfill_prefix
  backfill_groups = var.backfill.enabled ? toset([for name in ["error", "output"] : "${local.backfill_group}/${name}"]) : toset([])
}

resource "aws_cloudwatch_log_group" "backfill" {
  for_each          = local.backfill_groups
  name              = each.value
  retention_in_days = var.function.log_days
  kms_key_id        = local.kms_key_arn
  tags              = local.tags
}

resource "aws_glue_job" "backfill" {
  count             = var.backfill.enabled ? 1 : 0
  name              = local.backfill_name
  description       = "OPTIMIZE, purge or VACUUM of one table while the doorbell is paused"
  role_arn          = aws_iam_role.backfill[0].arn
  glue_version      = var.backfill.glue_version
  worker_type       = var.backfill.worker_type
  number_of_workers = var.backfill.workers
  timeout           = var.backfill.timeout
  max_retries       = 0
  tags              = local.tags

  security_configuration = local.kms_on ? aws_glue_security_configuration.backfill[0].name : null

  command {
    name            = "glueetl"
    python_version  = "3"
    script_location = "s3://${local.lake_bucket}/${aws_s3_object.backfill[0].key}"
  }

  execution_property {
    max_concurrent_runs = 1
  }

  default_arguments = {
    "--datalake-formats"       = "delta"
    "--conf"                   = "spark.sql.extensions=io.delta.sql.DeltaSparkSessionExtension --conf spark.sql.catalog.spark_catalog=org.apache.spark.sql.delta.catalog.DeltaCatalog"
    "--custom-logGroup-prefix" = local.backfill_prefix
    "--lake"                   = "s3://${local.lake_bucket}/${var.lake.prefix}"
    "--doorbell"               = aws_lambda_event_source_mapping.doorbell.uuid
    "--sweep"                  = local.sweep_name
    "--action"                 = "optimize"
  }
}

# Takes effect because the script calls Job.init. The job keeps no bookmarks.
resource "aws_glue_security_configuration" "backfill" {
  count = var.backfill.enabled && local.kms_on ? 1 : 0
  name  = local.backfill_name
  encryption_configuration {
    cloudwatch_encryption {
      cloudwatch_encryption_mode = "SSE-KMS"
      kms_key_arn                = local.kms_key_arn
    }
    job_bookmarks_encryption {
      job_bookmarks_encryption_mode = "CSE-KMS"
      kms_key_arn                   = local.kms_key_arn
    }
    s3_encryption {
      s3_encryption_mode = "SSE-KMS"
      kms_key_arn        = local.kms_key_arn
    }
  }
}

locals {
  backfill_log_arn = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:${local.backfill_log}"
  backfill_policy = {
    Version = "2012-10-17"
    Statement = concat([
      local.list_tables,
      {
        Sid      = "RewriteTables"
        Effect   = "Allow"
        Action   = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
        Resource = "${local.lake_arn}/${var.lake.prefix}/*"
      },
      {
        Sid      = "ReadScript"
        Effect   = "Allow"
        Action   = ["s3:GetObject"]
        Resource = "${local.lake_arn}/${local.script_prefix}/*"
      },
      {
        Sid      = "SeeWhetherPaused"
        Effect   = "Allow"
        Action   = ["lambda:GetEventSourceMapping"]
        Resource = aws_lambda_event_source_mapping.doorbell.arn
      },
      {
        # Listed even if there is no sweep, because asking for a missing schedule needs the
        # permission too.
        Sid      = "SeeWhetherSwept"
        Effect   = "Allow"
        Action   = ["scheduler:GetSchedule"]
        Resource = "arn:${local.partition}:scheduler:${local.region}:${local.account}:schedule/default/${local.sweep_name}"
      },
      {
        Sid      = "WriteLogs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "${local.backfill_log_arn}:*"
      },
      ],
      # Glue associates its log groups with the key under this role, and does not log without
      # permission.
      local.kms_on ? [{
        Sid      = "EncryptLogs"
        Effect   = "Allow"
        Action   = ["logs:AssociateKmsKey"]
        Resource = [local.backfill_log_arn, "${local.backfill_log_arn}:*"]
      }] : [],
      local.kms_read,
      local.kms_write,
    )
  }
}

resource "aws_iam_role" "backfill" {
  count              = var.backfill.enabled ? 1 : 0
  name               = local.backfill_name
  description        = "Rewrites tables in Glue"
  assume_role_policy = jsonencode(local.trust.glue)
  tags               = local.tags
}

resource "aws_iam_role_policy" "backfill" {
  count  = var.backfill.enabled ? 1 : 0
  name   = "backfill"
  role   = aws_iam_role.backfill[0].id
  policy = jsonencode(local.backfill_policy)
}
