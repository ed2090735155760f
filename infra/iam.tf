# One role for each component, with the permissions it needs and no others. No action has a
# wildcard. AWS-managed policies are used only for the two roles that DMS requires by name
# (iam_dms.tf).

locals {
  # Services that report the account they act for must act for this one. Lambda and Redshift do not
  # report it, but only the role's own account can pass a role to them.
  trust = {
    for name, role in {
      function  = { services = ["lambda.amazonaws.com"], says_account = false }
      scheduler = { services = ["scheduler.amazonaws.com"], says_account = true }
      glue      = { services = ["glue.amazonaws.com"], says_account = true }
      redshift  = { services = ["redshift.amazonaws.com", "redshift-serverless.amazonaws.com"], says_account = false }
      } : name => {
      Version = "2012-10-17"
      Statement = [merge(
        {
          Effect    = "Allow"
          Principal = { Service = role.services }
          Action    = "sts:AssumeRole"
        },
        role.says_account ? { Condition = { StringEquals = { "aws:SourceAccount" = local.account } } } : {},
      )]
    }
  }

  # Use of the key through S3 and SQS, for roles that read and roles that write.
  kms_read = local.kms_on ? [{
    Sid       = "KeyToRead"
    Effect    = "Allow"
    Action    = ["kms:Decrypt"]
    Resource  = local.kms_key_arn
    Condition = { StringEquals = { "kms:ViaService" = ["s3.${local.region}.amazonaws.com", "sqs.${local.region}.amazonaws.com"] } }
  }] : []
  kms_write = local.kms_on ? [{
    Sid       = "KeyToWrite"
    Effect    = "Allow"
    Action    = ["kms:GenerateDataKey"]
    Resource  = local.kms_key_arn
    Condition = { StringEquals = { "kms:ViaService" = "s3.${local.region}.amazonaws.com" } }
  }] : []

  catalog_arns = var.catalog.enabled ? concat(
    ["arn:${local.partition}:glue:${local.region}:${local.account}:catalog"],
    flatten([for database in values(local.databases) : [
      "arn:${local.partition}:glue:${local.region}:${local.account}:database/${database}",
      "arn:${local.partition}:glue:${local.region}:${local.account}:table/${database}/*",
    ]]),
  ) : []

  # S3 answers 404 for a missing object only to those who may list its key, and 403 to others. A
  # table's first commit depends on the difference, so every key that may be missing is listed here.
  list_tables = {
    Sid       = "ListTables"
    Effect    = "Allow"
    Action    = ["s3:ListBucket"]
    Resource  = local.lake_arn
    Condition = { StringLike = { "s3:prefix" = ["${var.lake.prefix}/*"] } }
  }
  read_tables = {
    Sid      = "ReadTables"
    Effect   = "Allow"
    Action   = ["s3:GetObject"]
    Resource = "${local.lake_arn}/${var.lake.prefix}/*"
  }

  # Of whoever applies tables: the function and the job.
  apply_tables = concat(
    [
      {
        Sid       = "ListStaging"
        Effect    = "Allow"
        Action    = ["s3:ListBucket"]
        Resource  = local.staging_arn
        Condition = { StringLike = { "s3:prefix" = ["${var.staging.prefix}/*"] } }
      },
      {
        Sid      = "ReadStaging"
        Effect   = "Allow"
        Action   = ["s3:GetObject"]
        Resource = "${local.staging_arn}/${var.staging.prefix}/*"
      },
      {
        Sid      = "ReadConfiguration"
        Effect   = "Allow"
        Action   = ["s3:GetObject"]
        Resource = [for key in [local.config_key, local.lock_key] : "${local.lake_arn}/${key}"]
      },
      {
        Sid       = "ListLake"
        Effect    = "Allow"
        Action    = ["s3:ListBucket"]
        Resource  = local.lake_arn
        Condition = { StringLike = { "s3:prefix" = ["${var.lake.prefix}/*", local.config_key, local.lock_key] } }
      },
      {
        Sid      = "WriteTables"
        Effect   = "Allow"
        Action   = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"]
        Resource = "${local.lake_arn}/${var.lake.prefix}/*"
      },
    ],
    var.staging.kms_key_arn == null ? [] : [{
      Sid       = "KeyOfStaging"
      Effect    = "Allow"
      Action    = ["kms:Decrypt"]
      Resource  = var.staging.kms_key_arn
      Condition = { StringEquals = { "kms:ViaService" = "s3.${local.region}.amazonaws.com" } }
    }],
    var.maintain_delete ? [{
      Sid      = "DeleteWhatExpired"
      Effect   = "Allow"
      Action   = ["s3:DeleteObject"]
      Resource = "${local.lake_arn}/${var.lake.prefix}/*"
    }] : [],
    var.catalog.enabled ? [{
      Sid      = "KeepCatalog"
      Effect   = "Allow"
      Action   = ["glue:CreateTable", "glue:GetTable", "glue:UpdateTable"]
      Resource = local.catalog_arns
    }] : [],
  )

  function_policy = {
    Version = "2012-10-17"
    Statement = concat(local.apply_tables, [
      {
        Sid      = "TakeMessages"
        Effect   = "Allow"
        Action   = ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
        Resource = aws_sqs_queue.doorbell.arn
      },
      {
        Sid      = "WriteLogs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:${local.function_log}:*"
      },
      ],
      local.job_on && local.hand_over == "glue" ? [{
        Sid      = "HandOver"
        Effect   = "Allow"
        Action   = ["glue:GetJobRun", "glue:StartJobRun"]
        Resource = local.job_arn
      }] : [],
      local.kms_read,
      local.kms_write,
      # The function's environment is decrypted under the function's role.
      local.kms_on ? [{
        Sid       = "KeyOfEnvironment"
        Effect    = "Allow"
        Action    = ["kms:Decrypt"]
        Resource  = local.kms_key_arn
        Condition = { StringEquals = { "kms:EncryptionContext:aws:lambda:FunctionArn" = local.function_arn } }
      }] : [],
    )
  }

  scheduler_policy = {
    Version = "2012-10-17"
    Statement = [{
      Sid      = "Invoke"
      Effect   = "Allow"
      Action   = ["lambda:InvokeFunction"]
      Resource = aws_lambda_alias.live.arn
    }]
  }
}

resource "aws_iam_role" "function" {
  name               = "${var.name}-function"
  description        = "Reads staging, writes tables"
  assume_role_policy = jsonencode(local.trust.function)
  tags               = local.tags
}

resource "aws_iam_role_policy" "function" {
  name   = "function"
  role   = aws_iam_role.function.id
  policy = jsonencode(local.function_policy)
}

resource "aws_iam_role" "scheduler" {
  name               = "${var.name}-scheduler"
  description        = "Invokes the function by its schedules"
  assume_role_policy = jsonencode(local.trust.scheduler)
  tags               = local.tags
}

resource "aws_iam_role_policy" "scheduler" {
  name   = "scheduler"
  role   = aws_iam_role.scheduler.id
  policy = jsonencode(local.scheduler_policy)
}
