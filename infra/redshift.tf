# Redshift Spectrum does not read the Delta log. It reads the data files listed in a manifest, which
# the function updates with each commit if redshift_manifest is set. Its tables are in separate
# databases, because in Glue a table over manifests differs from the Delta table of the same name.

locals {
  # Named as by `dmslake ddl redshift`.
  spectrum_databases = var.redshift.enabled ? {
    for schema in toset([for table in values(local.manifests) : table.schema]) : schema => "${local.databases[schema]}_spectrum"
  } : {}

  redshift_schema_sql = [
    for schema, database in local.spectrum_databases :
    "CREATE EXTERNAL SCHEMA IF NOT EXISTS \"${local.databases[schema]}\" FROM DATA CATALOG DATABASE '${database}' IAM_ROLE '${one(aws_iam_role.redshift[*].arn)}';"
  ]

  redshift_policy = {
    Version = "2012-10-17"
    Statement = concat([
      local.list_tables,
      local.read_tables,
      {
        Sid    = "KeepExternalTables"
        Effect = "Allow"
        Action = [
          "glue:CreateTable", "glue:DeleteTable", "glue:GetDatabase", "glue:GetDatabases", "glue:GetPartition",
          "glue:GetPartitions", "glue:GetTable", "glue:GetTables", "glue:UpdateTable",
        ]
        Resource = concat(
          ["arn:${local.partition}:glue:${local.region}:${local.account}:catalog"],
          flatten([for database in values(local.spectrum_databases) : [
            "arn:${local.partition}:glue:${local.region}:${local.account}:database/${database}",
            "arn:${local.partition}:glue:${local.region}:${local.account}:table/${database}/*",
          ]]),
        )
      },
      ],
      local.kms_read,
    )
  }
}

resource "aws_glue_catalog_database" "spectrum" {
  for_each    = local.spectrum_databases
  name        = each.value
  description = "Manifests of ${each.key} for Redshift, maintained by ${var.name}"
  tags        = local.tags
}

resource "aws_iam_role" "redshift" {
  count              = var.redshift.enabled ? 1 : 0
  name               = "${var.name}-redshift"
  description        = "Reads tables and their manifests for Redshift Spectrum"
  assume_role_policy = jsonencode(local.trust.redshift)
  tags               = local.tags
}

resource "aws_iam_role_policy" "redshift" {
  count  = var.redshift.enabled ? 1 : 0
  name   = "redshift"
  role   = aws_iam_role.redshift[0].id
  policy = jsonencode(local.redshift_policy)
}

resource "aws_security_group" "redshift" {
  count       = var.redshift.enabled ? 1 : 0
  name        = "${var.name}-redshift"
  description = "Redshift Serverless"
  vpc_id      = local.vpc_id
  tags        = merge(local.tags, { Name = "${var.name}-redshift" })
}

resource "aws_redshiftserverless_namespace" "this" {
  count                 = var.redshift.enabled ? 1 : 0
  namespace_name        = var.name
  db_name               = var.redshift.database
  iam_roles             = [aws_iam_role.redshift[0].arn]
  default_iam_role_arn  = aws_iam_role.redshift[0].arn
  manage_admin_password = true
  kms_key_id            = local.kms_key_arn
  log_exports           = ["userlog", "connectionlog"]
  tags                  = local.tags
}

resource "aws_redshiftserverless_workgroup" "this" {
  count               = var.redshift.enabled ? 1 : 0
  namespace_name      = aws_redshiftserverless_namespace.this[0].namespace_name
  workgroup_name      = var.name
  base_capacity       = var.redshift.base_capacity
  max_capacity        = var.redshift.max_capacity
  publicly_accessible = false
  subnet_ids          = local.subnet_ids
  security_group_ids  = [aws_security_group.redshift[0].id]
  tags                = local.tags
}
