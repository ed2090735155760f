# What is too much for the function: it starts a run of this job for the table and waits for it. One
# run applies one table, on its own workers. The job costs nothing while none runs.

locals {
  job_on    = var.job.program != null || var.job.s3_uri != null
  hand_over = var.job.hand_over != null ? var.job.hand_over : local.job_on ? "glue" : "report"

  program_sha256 = var.job.program == null ? var.job.sha256 : filesha256(var.job.program)
  program_uri    = var.job.program == null ? var.job.s3_uri : "s3://${local.lake_bucket}/${one(aws_s3_object.program[*].key)}"
}

resource "aws_s3_object" "job" {
  count                  = local.job_on ? 1 : 0
  bucket                 = local.lake_bucket
  key                    = "${local.script_prefix}/apply_table.py"
  source                 = "${path.module}/glue/apply_table.py"
  source_hash            = filemd5("${path.module}/glue/apply_table.py")
  server_side_encryption = local.kms_on ? "aws:kms" : "AES256"
  kms_key_id             = local.kms_key_arn
  tags                   = local.tags

  depends_on = [aws_s3_bucket_versioning.this, aws_s3_bucket_server_side_encryption_configuration.this]
}

# Under a name that says what it is: machines keep it under that name.
resource "aws_s3_object" "program" {
  count                  = var.job.program == null ? 0 : 1
  bucket                 = local.lake_bucket
  key                    = "${local.script_prefix}/dmslake-${substr(local.program_sha256, 0, 16)}"
  source                 = var.job.program
  server_side_encryption = local.kms_on ? "aws:kms" : "AES256"
  kms_key_id             = local.kms_key_arn
  tags                   = local.tags

  depends_on = [aws_s3_bucket_versioning.this, aws_s3_bucket_server_side_encryption_configuration.this]
}

# The names that Glue 5 uses. With a security configuration that encrypts logs, they also contain
# its name and the role.
locals {
  job_group  = local.kms_on ? "${local.job_logs}/${local.job_name}-role/${local.job_name}" : local.job_logs
  job_groups = local.job_on ? toset([for name in ["error", "output"] : "${local.job_group}/${name}"]) : toset([])
}

resource "aws_cloudwatch_log_group" "job" {
  for_each          = local.job_groups
  name              = each.value
  retention_in_days = var.function.log_days
  kms_key_id        = local.kms_key_arn
  tags              = local.tags
}

resource "aws_glue_job" "job" {
  count             = local.job_on ? 1 : 0
  name              = local.job_name
  description       = "Applies one table: what is too much for the function"
  role_arn          = aws_iam_role.job[0].arn
  glue_version      = var.job.glue_version
  worker_type       = var.job.worker_type
  number_of_workers = var.job.workers
  timeout           = var.job.timeout
  tags              = local.tags

  # The function starts another run after one that failed.
  max_retries = 0
  # A run beyond the maximum, or beyond a quota of the account, waits instead of failing.
  job_run_queuing_enabled = true

  security_configuration = local.kms_on ? aws_glue_security_configuration.job[0].name : null

  command {
    name            = "glueetl"
    python_version  = "3"
    script_location = "s3://${local.lake_bucket}/${aws_s3_object.job[0].key}"
  }

  execution_property {
    max_concurrent_runs = var.job.max_runs
  }

  # The function adds --table and --claim. Extra files are copied into the working directory when a
  # run begins. They are named without a reference to their objects, because dmslake.toml is uploaded
  # only when there is the job that it names.
  default_arguments = {
    "--binary"                 = local.program_uri
    "--sha256"                 = local.program_sha256
    "--config"                 = basename(local.config_key)
    "--extra-files"            = join(",", [for key in concat([local.config_key], var.lock_file == null ? [] : [local.lock_key]) : "s3://${local.lake_bucket}/${key}"])
    "--custom-logGroup-prefix" = local.job_logs
  }

  depends_on = [aws_iam_role_policy.job, aws_cloudwatch_log_group.job]
}

# Takes effect because the script calls Job.init. The job keeps no bookmarks.
resource "aws_glue_security_configuration" "job" {
  count = local.job_on && local.kms_on ? 1 : 0
  name  = local.job_name
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
  job_log_arn = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:${local.job_log}"
  job_policy = {
    Version = "2012-10-17"
    Statement = concat(
      local.apply_tables,
      var.maintain_delete ? [] : [{
        Sid      = "DeleteScratch"
        Effect   = "Allow"
        Action   = ["s3:DeleteObject"]
        Resource = "${local.lake_arn}/${var.lake.prefix}/_dmslake/scratch/*"
      }],
      [
        {
          Sid    = "ReadProgram"
          Effect = "Allow"
          Action = ["s3:GetObject"]
          Resource = concat(
            ["${local.lake_arn}/${local.script_prefix}/*"],
            var.job.s3_uri == null ? [] : ["arn:${local.partition}:s3:::${trimprefix(var.job.s3_uri, "s3://")}"],
          )
        },
        {
          Sid      = "WriteLogs"
          Effect   = "Allow"
          Action   = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
          Resource = "${local.job_log_arn}:*"
        },
      ],
      # Glue associates its log groups with the key under this role, and does not log without
      # permission.
      local.kms_on ? [{
        Sid      = "EncryptLogs"
        Effect   = "Allow"
        Action   = ["logs:AssociateKmsKey"]
        Resource = [local.job_log_arn, "${local.job_log_arn}:*"]
      }] : [],
      local.kms_read,
      local.kms_write,
    )
  }
}

resource "aws_iam_role" "job" {
  count              = local.job_on ? 1 : 0
  name               = local.job_name
  description        = "Applies tables in Glue"
  assume_role_policy = jsonencode(local.trust.glue)
  tags               = local.tags
}

resource "aws_iam_role_policy" "job" {
  count  = local.job_on ? 1 : 0
  name   = "job"
  role   = aws_iam_role.job[0].id
  policy = jsonencode(local.job_policy)
}
