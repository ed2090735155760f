locals {
  # DMS cannot use the master user's secret that RDS keeps, because it has no host and port, and DMS
  # should not be the master user. It gets its own user, which the output first_steps creates.
  secret_arn     = local.source_on ? aws_secretsmanager_secret.dms[0].arn : var.source_database.secret_arn
  secret_kms_arn = local.source_on ? local.kms_key_arn : var.source_database.secret_kms_key_arn
  database_group = local.source_on ? aws_security_group.database[0].id : var.source_database.security_group_id
  source_tls     = local.dms_on && var.source_database.ca_file != null
}

resource "aws_db_subnet_group" "this" {
  count      = local.source_on ? 1 : 0
  name       = var.name
  subnet_ids = local.subnet_ids
  tags       = local.tags
}

resource "aws_security_group" "database" {
  count       = local.source_on ? 1 : 0
  name        = "${var.name}-database"
  description = "The source database"
  vpc_id      = local.vpc_id
  tags        = merge(local.tags, { Name = "${var.name}-database" })
}

resource "aws_vpc_security_group_ingress_rule" "database" {
  count                        = local.lets_dms_in ? 1 : 0
  security_group_id            = local.database_group
  description                  = "DMS"
  referenced_security_group_id = aws_security_group.dms[0].id
  ip_protocol                  = "tcp"
  from_port                    = var.source_database.port
  to_port                      = var.source_database.port
  tags                         = local.tags
}

resource "aws_vpc_security_group_ingress_rule" "client" {
  count                        = local.source_on ? length(var.source_database.client_security_group_ids) : 0
  security_group_id            = aws_security_group.database[0].id
  description                  = "Client"
  referenced_security_group_id = var.source_database.client_security_group_ids[count.index]
  ip_protocol                  = "tcp"
  from_port                    = var.source_database.port
  to_port                      = var.source_database.port
  tags                         = local.tags
}

locals {
  lets_dms_in = local.source_on || (local.dms_on && var.source_database.security_group_id != null)
}

# What DMS requires of a MySQL source. In RDS the retention of the binary log is not a parameter:
# the output first_steps sets it by a procedure.
resource "aws_db_parameter_group" "this" {
  count       = local.source_on ? 1 : 0
  name_prefix = "${var.name}-mysql-" # a change of family makes a second one before the first goes
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
    value = local.source_tls ? "ON" : "OFF"
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_db_instance" "this" {
  count                           = local.source_on ? 1 : 0
  identifier                      = var.name
  engine                          = "mysql"
  engine_version                  = var.source_database.version
  allow_major_version_upgrade     = var.source_database.allow_major_version_upgrade
  apply_immediately               = var.source_database.allow_major_version_upgrade # else the old parameter group stays in use
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
  final_snapshot_identifier       = "${var.name}-final-${formatdate("YYYYMMDDhhmmss", plantimestamp())}"
  enabled_cloudwatch_logs_exports = ["error"]
  tags                            = local.tags

  depends_on = [aws_cloudwatch_log_group.database]

  lifecycle {
    # Set once, when the instance is created: each instance leaves its own snapshot.
    ignore_changes = [final_snapshot_identifier]
  }
}

# By prefix, because a deleted secret keeps its name during its recovery window.
resource "aws_secretsmanager_secret" "dms" {
  count                   = local.source_on ? 1 : 0
  name_prefix             = "${var.name}/dms-user-"
  description             = "Host, port, username and password with which DMS reads the source"
  kms_key_id              = local.kms_key_arn
  recovery_window_in_days = 7
  tags                    = local.tags
}

# A write-only argument is in neither plan nor state, and its value takes effect only when the
# version changes. uuid() generates its digits from the system's random numbers. The ephemeral
# aws_secretsmanager_random_password would work too, but Terraform 1.11 cannot mock ephemeral
# resources.
resource "aws_secretsmanager_secret_version" "dms" {
  count                    = local.source_on ? 1 : 0
  secret_id                = aws_secretsmanager_secret.dms[0].id
  secret_string_wo_version = var.source_database.password_version
  secret_string_wo = jsonencode({
    host     = aws_db_instance.this[0].address
    port     = var.source_database.port
    username = local.dms_user
    password = substr(replace("${uuid()}${uuid()}", "-", ""), 0, 48)
  })
}
