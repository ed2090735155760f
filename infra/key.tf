resource "aws_kms_key" "this" {
  count                   = var.kms.create ? 1 : 0
  description             = "Data of ${var.name}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = jsonencode(local.key_policy)
  tags                    = local.tags
}

resource "aws_kms_alias" "this" {
  count         = var.kms.create ? 1 : 0
  name          = "alias/${var.name}"
  target_key_id = aws_kms_key.this[0].key_id
}

locals {
  key_use = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo"]

  # The account's statement delegates to its IAM policies, so each role gets its permissions from
  # its own policy. The other statements are for services that act without a role.
  key_policy = {
    Version = "2012-10-17"
    Statement = concat([
      {
        Sid       = "Account"
        Effect    = "Allow"
        Principal = { AWS = "arn:${local.partition}:iam::${local.account}:root" }
        Action = concat(local.key_use, [
          "kms:CancelKeyDeletion", "kms:CreateAlias", "kms:CreateGrant", "kms:DeleteAlias", "kms:DisableKey",
          "kms:DisableKeyRotation", "kms:EnableKey", "kms:EnableKeyRotation", "kms:GetKeyPolicy",
          "kms:GetKeyRotationStatus", "kms:ListGrants", "kms:ListKeyPolicies", "kms:ListResourceTags",
          "kms:PutKeyPolicy", "kms:RetireGrant", "kms:RevokeGrant", "kms:ScheduleKeyDeletion", "kms:TagResource",
          "kms:UntagResource", "kms:UpdateAlias", "kms:UpdateKeyDescription",
        ])
        Resource = "*" # in a key policy: this key
      },
      {
        Sid       = "NotificationsIntoQueue"
        Effect    = "Allow"
        Principal = { Service = "s3.amazonaws.com" }
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = "*"
        Condition = {
          ArnEquals    = { "aws:SourceArn" = "arn:${local.partition}:s3:::${local.staging_name}" }
          StringEquals = { "aws:SourceAccount" = local.account }
        }
      },
      {
        Sid       = "AlarmsIntoTopic"
        Effect    = "Allow"
        Principal = { Service = ["cloudwatch.amazonaws.com", "events.rds.amazonaws.com", "dms.amazonaws.com"] }
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = "*"
        Condition = { StringEquals = { "aws:SourceAccount" = local.account } }
      },
      {
        Sid       = "Logs"
        Effect    = "Allow"
        Principal = { Service = "logs.${local.region}.amazonaws.com" }
        Action    = local.key_use
        Resource  = "*"
        Condition = {
          ArnEquals = {
            "kms:EncryptionContext:aws:logs:arn" = [
              for group in concat([local.function_log], local.dms_on ? [local.dms_log] : [], local.job_on ? [local.job_log] : [], local.source_on ? [local.database_log] : []) :
              "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:${group}"
            ]
          }
        }
      },
      ],
      # EventBridge reports neither its account nor its rule when it publishes to an encrypted
      # topic.
      local.dms_on && var.dms.serverless ? [{
        Sid       = "EventsIntoTopic"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = "*"
        Condition = {
          StringEquals = {
            "kms:EncryptionContext:aws:sns:topicArn" = coalesce(
              var.monitoring.topic_arn, "arn:${local.partition}:sns:${local.region}:${local.account}:${local.topic_name}"
            )
          }
        }
      }] : [],
    )
  }

  # By name and not by reference, because the bucket is encrypted with this key.
  staging_name = coalesce(var.staging.bucket, "${var.name}-staging-${local.account}-${local.region}")
}
