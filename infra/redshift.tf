# Redshift Spectrum knows no Delta log. It reads the data files that a manifest names, which the
# function renews with each commit where redshift_manifest is set.

locals {
  redshift_schema_sql = [
    for schema in toset([for table in values(local.manifests) : table.schema]) :
    "CREATE EXTERNAL SCHEMA IF NOT EXISTS ${local.databases[schema]} FROM DATA CATALOG DATABASE '${local.databases[schema]}' IAM_ROLE '${one(aws_iam_role.redshift[*].arn)}';"
    if var.redshift.enabled
  ]

  redshift_policy = {
    Version = "2012-10-17"
    Statement = concat([
      local.list_tables,
      local.read_tables,
      {
        Sid      = "ReadCatalog"
        Effect   = "Allow"
        Action   = ["glue:GetDatabase", "glue:GetDatabases", "glue:GetPartition", "glue:GetPartitions", "glue:GetTable", "glue:GetTables"]
        Resource = local.catalog_arns
      },
      ],
      local.kms_read,
    )
  }
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
