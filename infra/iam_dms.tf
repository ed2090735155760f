locals {
  # DMS reads a secret under its regional service name and writes to S3 under its global one.
  dms_trust = {
    for name, service in { secret = "dms.${local.region}.amazonaws.com", target = "dms.amazonaws.com" } : name => {
      Version                     = "2012-10-17"
      Statement = [{
        Effect    = "Allow"
        Principal = { Service = service }
        Action    = "sts:AssumeRole"
        Condition = {
          StringEquals = { "aws:SourceAccount" = local.account }
          ArnLike      = { "aws:SourceArn" = "arn:${local.partition}:dms:${local.region}:${local.account}:*" }
        }
      }]
    }
  }

  dms_secret_policy = {
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid      = "ReadSecret"
        Effect   = "Allow"
        Action   = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"]
        Resource = local.secret_arn
      }],
      local.secret_has_key ? [{
        Sid       = "KeyOfSecret"
        Effect    = "Allow"
        Action    = ["kms:Decrypt", "kms:DescribeKey"]
        Resource  = local.secret_kms_arn
        Condition = { StringEquals = { "kms:ViaService" = "secretsmanager.${local.region}.amazonaws.com" } }
      }] : [],
    )
  }
  secret_has_key = local.source_on ? local.kms_on : var.source_database.secret_kms_key_arn != null

  dms_target_policy = {
    Version = "2012-10-17"
    Statement = concat([
      {
        Sid       = "ListStaging"
        Effect    = "Allow"
        Action    = ["s3:ListBucket"]
        Resource  = local.staging_arn
        Condition = { StringLike = { "s3:prefix" = ["${var.staging.prefix}", "${var.staging.prefix}/*"] } }
      },
      {
        # DMS deletes a table's objects before it reloads the table.
        Sid      = "WriteStaging"
        Effect   = "Allow"
        Action   = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject", "s3:PutObjectTagging"]
        Resource = "${local.staging_arn}/${var.staging.prefix}/*"
      },
      ],
      local.kms_read,
      local.kms_write,
    )
  }
}

resource "aws_iam_role" "dms_secret" {
  count              = local.dms_on ? 1 : 0
  name               = "${var.name}-dms-secret"
  description        = "Reads the source's secret for DMS"
  assume_role_policy = jsonencode(local.dms_trust.secret)
  tags               = local.tags
}

resource "aws_iam_role_policy" "dms_secret" {
  count  = local.dms_on ? 1 : 0
  name   = "dms-secret"
  role   = aws_iam_role.dms_secret[0].id
  policy = jsonencode(local.dms_secret_policy)
}

resource "aws_iam_role" "dms_target" {
  count              = local.dms_on ? 1 : 0
  name               = "${var.name}-dms-target"
  description        = "Writes staged objects for DMS"
  assume_role_policy = jsonencode(local.dms_trust.target)
  tags               = local.tags
}

resource "aws_iam_role_policy" "dms_target" {
  count  = local.dms_on ? 1 : 0
  name   = "dms-target"
  role   = aws_iam_role.dms_target[0].id
  policy = jsonencode(local.dms_target_policy)
}

# DMS finds these two roles by name. They exist once per account, and AWS defines their permissions.

locals {
  dms_account_trust = {
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "dms.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  }
}

resource "aws_iam_role" "dms_vpc" {
  count              = local.dms_on && var.dms.create_account_roles ? 1 : 0
  name               = "dms-vpc-role"
  description        = "Network interfaces of DMS"
  assume_role_policy = jsonencode(local.dms_account_trust)
  tags               = local.tags
}

resource "aws_iam_role_policy_attachment" "dms_vpc" {
  count      = local.dms_on && var.dms.create_account_roles ? 1 : 0
  role       = aws_iam_role.dms_vpc[0].name
  policy_arn = "arn:${local.partition}:iam::aws:policy/service-role/AmazonDMSVPCManagementRole"
}

resource "aws_iam_role" "dms_logs" {
  count              = local.dms_on && var.dms.create_account_roles ? 1 : 0
  name               = "dms-cloudwatch-logs-role"
  description        = "Logs of DMS tasks"
  assume_role_policy = jsonencode(local.dms_account_trust)
  tags               = local.tags
}

resource "aws_iam_role_policy_attachment" "dms_logs" {
  count      = local.dms_on && var.dms.create_account_roles ? 1 : 0
  role       = aws_iam_role.dms_logs[0].name
  policy_arn = "arn:${local.partition}:iam::aws:policy/service-role/AmazonDMSCloudWatchLogsRole"
}
