# One role for each component, each with what it does and nothing else. No action has a wildcard,
# and AWS's own policies are used only for the two roles that DMS asks for by name (iam_dms.tf).

locals {
  # Services that say whom they act for must act for this account. Lambda and Redshift do not say
  # it; a role can be handed to them by its own account only.
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

  # Uses of the key by way of S3 and SQS, for roles that read, and that write.
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

  # For an object that is not there S3 answers 404 only to who may list under its key, and else 403;
  # a table's first commit depends on the difference. So every key that may be missing is named.
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

  function_policy = {
    Version = "2012-10-17"
    Statement = concat([
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
        Resource = "${local.lake_arn}/${local.config_key}"
      },
      {
        Sid       = "ListLake"
        Effect    = "Allow"
        Action    = ["s3:ListBucket"]
        Resource  = local.lake_arn
        Condition = { StringLike = { "s3:prefix" = ["${var.lake.prefix}/*", local.config_key] } }
      },
      {
        Sid      = "WriteTables"
        Effect   = "Allow"
        Action   = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"]
        Resource = "${local.lake_arn}/${var.lake.prefix}/*"
      },
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
      local.kms_read,
      local.kms_write,
      # The environment of the function is decrypted in its own name.
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
  description        = "Invokes the function for a sweep"
  assume_role_policy = jsonencode(local.trust.scheduler)
  tags               = local.tags
}

resource "aws_iam_role_policy" "scheduler" {
  name   = "scheduler"
  role   = aws_iam_role.scheduler.id
  policy = jsonencode(local.scheduler_policy)
}
