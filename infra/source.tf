locals {
  # DMS cannot use the master user's secret that RDS keeps, which lacks host and port; nor should
  # it be the master user. So it gets a user of its own, whose secret stands here without a value:
  # the output first_steps makes both, and no password ever passes through Terraform.
  secret_arn     = var.source_database.create ? aws_secretsmanager_secret.dms[0].arn : var.source_database.secret_arn
  secret_kms_arn = var.source_database.create ? local.kms_key_arn : var.source_database.secret_kms_key_arn
  database_group = var.source_database.create ? aws_security_group.database[0].id : var.source_database.security_group_id
  dms_user       = "dmslake"
}

resource "aws_db_subnet_group" "this" {
  count      = var.source_database.create ? 1 : 0
  name       = var.name
  subnet_ids = local.subnet_ids
  tags       = local.tags
}

resource "aws_security_group" "database" {
  count       = var.source_database.create ? 1 : 0
  name        = "${var.name}-database"
  description = "The source database"
  vpc_id      = local.vpc_id
  tags        = merge(local.tags, { Name = "${var.name}-database" })
}

resource "aws_vpc_security_group_ingress_rule" "database" {
  count                        = local.lets_dms_in ? 1 : 0
  security_group_id            = local.database_group
  description                  = "DMS"
  referenced_security_group_id = aws_security_group.dms.id
  ip_protocol                  = "tcp"
  from_port                    = var.source_database.port
  to_port                      = var.source_database.port
  tags                         = local.tags
}

locals {
  lets_dms_in = var.source_database.create || var.source_database.security_group_id != null
}

# What DMS asks of a MySQL source. The retention of the binary log is no parameter in RDS: it is set
# by a procedure, see the output first_steps.
resource "aws_db_parameter_group" "this" {
  count       = var.source_database.create ? 1 : 0
  name        = "${var.name}-mysql"
  family      = "mysql${join(".", slice(split(".", var.source_database.version), 0, 2))}"
  description = "Binary log for DMS"
  tags        = local.tags

  parameter {
    name  = "binlog_format"
    value = "ROW"
  }
  parameter {
    name  = "binlog_row_image"
    value = "FULL"
  }
  parameter {
    name  = "binlog_checksum"
    value = "NONE"
  }
  parameter {
    name  = "require_secure_transport"
    value = var.source_database.ca_file == null ? "OFF" : "ON"
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_db_instance" "this" {
  count                           = var.source_database.create ? 1 : 0
  identifier                      = var.name
  engine                          = "mysql"
  engine_version                  = var.source_database.version
  instance_class                  = var.source_database.instance_class
  allocated_storage               = var.source_database.storage_gb
  max_allocated_storage           = 4 * var.source_database.storage_gb
  storage_type                    = "gp3"
  storage_encrypted               = true
  kms_key_id                      = local.kms_key_arn
  db_name                         = var.source_database.database
  port                            = var.source_database.port
  username                        = "admin"
  manage_master_user_password     = true
  master_user_secret_kms_key_id   = local.kms_key_arn
  db_subnet_group_name            = aws_db_subnet_group.this[0].name
  vpc_security_group_ids          = [aws_security_group.database[0].id]
  parameter_group_name            = aws_db_parameter_group.this[0].name
  publicly_accessible             = false
  multi_az                        = var.source_database.multi_az
  backup_retention_period         = var.source_database.backup_days
  copy_tags_to_snapshot           = true
  auto_minor_version_upgrade      = true
  deletion_protection             = var.source_database.deletion_protection
  skip_final_snapshot             = var.source_database.skip_final_snapshot
  final_snapshot_identifier       = "${var.name}-final"
  enabled_cloudwatch_logs_exports = ["error"]
  tags                            = local.tags
}

resource "aws_secretsmanager_secret" "dms" {
  count                   = var.source_database.create ? 1 : 0
  name                    = "${var.name}/dms-user"
  description             = "Host, port, username and password with which DMS reads the source"
  kms_key_id              = local.kms_key_arn
  recovery_window_in_days = 7
  tags                    = local.tags
}
