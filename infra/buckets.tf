# Two buckets: the function may write the lake but only read staging, and DMS may write only
# staging.

resource "aws_s3_bucket" "staging" {
  count         = var.staging.create ? 1 : 0
  bucket        = coalesce(var.staging.bucket, "${var.name}-staging-${local.account}-${local.region}")
  force_destroy = var.staging.force_destroy
  tags          = local.tags
}

resource "aws_s3_bucket" "lake" {
  count         = var.lake.create ? 1 : 0
  bucket        = coalesce(var.lake.bucket, "${var.name}-lake-${local.account}-${local.region}")
  force_destroy = var.lake.force_destroy
  tags          = local.tags
}

locals {
  created_buckets = merge(
    var.staging.create ? { staging = aws_s3_bucket.staging[0].id } : {},
    var.lake.create ? { lake = aws_s3_bucket.lake[0].id } : {},
  )
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each                = local.created_buckets
  bucket                  = each.value
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  for_each = local.created_buckets
  bucket   = each.value
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  for_each = local.created_buckets
  bucket   = each.value
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm     = local.kms_on ? "aws:kms" : "AES256"
      kms_master_key_id = local.kms_key_arn
    }
    # One KMS request serves many objects.
    bucket_key_enabled = local.kms_on
  }
}

# DMS asks for a bucket without versioning, because old versions slow down its listings. In the
# lake, old versions allow recovery from mistakes with the bucket.
resource "aws_s3_bucket_versioning" "this" {
  for_each = local.created_buckets
  bucket   = each.value
  versioning_configuration {
    status = each.key == "lake" ? "Enabled" : "Disabled"
  }
}

resource "aws_s3_bucket_policy" "this" {
  for_each = local.created_buckets
  bucket   = each.value
  policy   = jsonencode(local.bucket_policies[each.key])

  depends_on = [aws_s3_bucket_public_access_block.this]
}

locals {
  object_actions = [
    "s3:AbortMultipartUpload", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:GetObject", "s3:GetObjectTagging",
    "s3:GetObjectVersion", "s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:ListBucketVersions",
    "s3:ListMultipartUploadParts", "s3:PutObject", "s3:PutObjectTagging",
  ]
  bucket_policies = {
    for name in ["staging", "lake"] : name => {
      Version = "2012-10-17"
      Statement = [{
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = { AWS = "*" }
        Action    = local.object_actions
        Resource  = name == "staging" ? [local.staging_arn, "${local.staging_arn}/*"] : [local.lake_arn, "${local.lake_arn}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }]
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "staging" {
  count  = var.staging.create ? 1 : 0
  bucket = aws_s3_bucket.staging[0].id

  rule {
    id     = "expire-staged"
    status = "Enabled"
    filter {
      prefix = "${var.staging.prefix}/"
    }
    expiration {
      days = var.staging.expiry_days
    }
  }

  rule {
    id     = "abort-uploads"
    status = "Enabled"
    filter {}
    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "lake" {
  count  = var.lake.create ? 1 : 0
  bucket = aws_s3_bucket.lake[0].id

  rule {
    id     = "expire-noncurrent"
    status = "Enabled"
    filter {}
    noncurrent_version_expiration {
      noncurrent_days = var.lake.noncurrent_days
    }
    expiration {
      expired_object_delete_marker = true
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }

  rule {
    id     = "expire-query-results"
    status = "Enabled"
    filter {
      prefix = "${local.athena_prefix}/"
    }
    expiration {
      days = var.athena.results_days
    }
  }

  # What a job that crashed has left: no commit waits for longer for its tasks.
  rule {
    id     = "expire-scratch"
    status = "Enabled"
    filter {
      prefix = "${var.lake.prefix}/_dmslake/scratch/"
    }
    expiration {
      days = 7
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}

# Beside the configuration, where the function looks for it.
resource "aws_s3_object" "lock" {
  count                  = var.lock_file == null ? 0 : 1
  bucket                 = local.lake_bucket
  key                    = local.lock_key
  content                = file(var.lock_file)
  content_type           = "application/json"
  server_side_encryption = local.kms_on ? "aws:kms" : "AES256"
  kms_key_id             = local.kms_key_arn
  tags                   = local.tags

  depends_on = [
    aws_s3_bucket_versioning.this,
    aws_s3_bucket_server_side_encryption_configuration.this,
  ]
}

# The function reads it again when its ETag changes, so no deployment is needed.
resource "aws_s3_object" "config" {
  bucket                 = local.lake_bucket
  key                    = local.config_key
  content                = local.dmslake_toml
  content_type           = "application/toml"
  server_side_encryption = local.kms_on ? "aws:kms" : "AES256"
  kms_key_id             = local.kms_key_arn
  tags                   = local.tags

  depends_on = [
    aws_s3_object.lock,
    aws_s3_bucket_versioning.this,
    aws_s3_bucket_server_side_encryption_configuration.this,
    # What the function may be told to start, and may.
    aws_glue_job.job,
    aws_iam_role_policy.function,
    # DMS refuses a change while its task runs. The function must then not see the change either.
    aws_dms_s3_endpoint.target,
  ]
}
