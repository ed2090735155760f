locals {
  # Derived like dmslake does from [catalog]: lower-case letters, digits and _ only.
  databases = { for schema in local.schemas : schema => "${var.catalog.database_prefix}${replace(lower(schema), "/[^a-z0-9]/", "_")}" }

  # The example queries use the first table.
  example       = local.named[sort(keys(local.named))[0]]
  example_table = "\"${local.databases[local.example.schema]}\".\"${coalesce(local.example.name, replace(lower(local.example.table), "/[^a-z0-9]/", "_"))}\""
}

# The function creates the tables in them, because it knows their columns.
resource "aws_glue_catalog_database" "this" {
  for_each     = var.catalog.enabled ? local.databases : {}
  name         = each.value
  description  = "Tables of ${each.key}, maintained by ${var.name}"
  location_uri = "s3://${local.lake_bucket}/${var.lake.prefix}/${each.key}"
  tags         = local.tags
}

resource "aws_athena_workgroup" "this" {
  count         = var.athena.enabled ? 1 : 0
  name          = var.name
  description   = "Queries on the tables of ${var.name}"
  force_destroy = true
  tags          = local.tags

  configuration {
    enforce_workgroup_configuration    = true
    publish_cloudwatch_metrics_enabled = true
    bytes_scanned_cutoff_per_query     = floor(var.athena.max_scan_gb * 1000 * 1000 * 1000)

    engine_version {
      selected_engine_version = "Athena engine version 3"
    }

    result_configuration {
      output_location       = "s3://${local.lake_bucket}/${local.athena_prefix}/"
      expected_bucket_owner = local.account
      encryption_configuration {
        encryption_option = local.kms_on ? "SSE_KMS" : "SSE_S3"
        kms_key_arn       = local.kms_key_arn
      }
    }
  }
}

locals {
  named_queries = {
    count = {
      description = "Current rows of a table"
      query       = "SELECT count(*) FROM ${local.example_table};"
    }
    columns = {
      description = "Columns of a table"
      query       = "DESCRIBE ${replace(local.example_table, "\"", "`")};"
    }
    objects = {
      description = "Data files of the current version of a table, and their rows"
      query       = "SELECT \"$path\", count(*) AS row_count FROM ${local.example_table} GROUP BY 1 ORDER BY 2 DESC;"
    }
  }
}

resource "aws_athena_named_query" "this" {
  for_each    = var.athena.enabled && var.athena.named_queries ? local.named_queries : {}
  name        = "${var.name}-${each.key}"
  description = each.value.description
  workgroup   = aws_athena_workgroup.this[0].id
  database    = aws_glue_catalog_database.this[local.example.schema].name
  query       = each.value.query
}

# For users and programs that run queries: attach it to their roles.
resource "aws_iam_policy" "reader" {
  count       = var.athena.enabled ? 1 : 0
  name        = "${var.name}-reader"
  description = "Query the tables of ${var.name} in Athena"
  policy      = jsonencode(local.reader_policy)
  tags        = local.tags
}

locals {
  reader_policy = {
    Version = "2012-10-17"
    Statement = concat([
      local.list_tables,
      local.read_tables,
      {
        Sid    = "ReadCatalog"
        Effect = "Allow"
        Action = [
          "glue:GetDatabase", "glue:GetDatabases", "glue:GetPartition", "glue:GetPartitions", "glue:GetTable",
          "glue:GetTables",
        ]
        Resource = local.catalog_arns
      },
      {
        # Athena needs it for every query, whichever database is queried.
        Sid      = "SeeDefaultDatabase"
        Effect   = "Allow"
        Action   = ["glue:GetDatabase"]
        Resource = "arn:${local.partition}:glue:${local.region}:${local.account}:database/default"
      },
      {
        Sid    = "Query"
        Effect = "Allow"
        Action = [
          "athena:GetNamedQuery", "athena:GetQueryExecution", "athena:GetQueryResults", "athena:GetWorkGroup",
          "athena:ListNamedQueries", "athena:StartQueryExecution", "athena:StopQueryExecution",
        ]
        Resource = "arn:${local.partition}:athena:${local.region}:${local.account}:workgroup/${var.name}"
      },
      {
        Sid      = "Results"
        Effect   = "Allow"
        Action   = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject"]
        Resource = "${local.lake_arn}/${local.athena_prefix}/*"
      },
      {
        Sid       = "ListResults"
        Effect    = "Allow"
        Action    = ["s3:ListBucket"]
        Resource  = local.lake_arn
        Condition = { StringLike = { "s3:prefix" = ["${local.athena_prefix}/*"] } }
      },
      {
        Sid      = "ResultsLocation"
        Effect   = "Allow"
        Action   = ["s3:GetBucketLocation"]
        Resource = local.lake_arn
      },
      ],
      local.kms_read,
      local.kms_write,
    )
  }
}
