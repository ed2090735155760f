resource "aws_dms_replication_subnet_group" "this" {
  count                                = local.dms_on ? 1 : 0
  replication_subnet_group_id          = var.name
  replication_subnet_group_description = "Where the replication of ${var.name} runs"
  subnet_ids                           = local.subnet_ids
  tags                                 = local.tags

  # DMS finds the role dms-vpc-role by name.
  depends_on = [aws_iam_role_policy_attachment.dms_vpc]
}

resource "aws_dms_endpoint" "source" {
  count                           = local.dms_on ? 1 : 0
  endpoint_id                     = "${var.name}-source"
  endpoint_type                   = "source"
  engine_name                     = var.source_database.engine
  secrets_manager_arn             = local.secret_arn
  secrets_manager_access_role_arn = aws_iam_role.dms_secret[0].arn
  kms_key_arn                     = local.kms_key_arn
  ssl_mode                        = local.source_tls ? "verify-full" : "none"
  certificate_arn                 = local.source_tls ? aws_dms_certificate.source[0].certificate_arn : null
  tags                            = local.tags

  depends_on = [aws_iam_role_policy.dms_secret, aws_secretsmanager_secret_version.dms]
}

# Named after its content, because a change creates a new certificate, and the endpoint uses the old
# one until it is updated.
resource "aws_dms_certificate" "source" {
  count           = local.source_tls ? 1 : 0
  certificate_id  = "${var.name}-source-${substr(filesha256(var.source_database.ca_file), 0, 8)}"
  certificate_pem = file(var.source_database.ca_file)
  tags            = local.tags

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_dms_s3_endpoint" "target" {
  count                   = local.dms_on ? 1 : 0
  endpoint_id             = "${var.name}-staging"
  endpoint_type           = "target"
  bucket_name             = local.staging_bucket
  expected_bucket_owner   = local.account
  service_access_role_arn = aws_iam_role.dms_target[0].arn

  encryption_mode                   = local.kms_on ? "SSE_KMS" : "SSE_S3"
  server_side_encryption_kms_key_id = local.kms_key_arn
  kms_key_arn                       = local.kms_key_arn

  bucket_folder                               = local.s3_settings.bucket_folder
  data_format                                 = local.s3_settings.data_format
  parquet_version                             = local.s3_settings.parquet_version
  parquet_timestamp_in_millisecond            = local.s3_settings.parquet_timestamp_in_millisecond
  compression_type                            = local.s3_settings.compression_type
  enable_statistics                           = local.s3_settings.enable_statistics
  timestamp_column_name                       = local.s3_settings.timestamp_column_name
  use_task_start_time_for_full_load_timestamp = local.s3_settings.use_task_start_time_for_full_load_timestamp
  include_op_for_full_load                    = local.s3_settings.include_op_for_full_load
  cdc_max_batch_interval                      = local.s3_settings.cdc_max_batch_interval
  cdc_min_file_size                           = local.s3_settings.cdc_min_file_size
  cdc_inserts_only                            = local.s3_settings.cdc_inserts_only
  cdc_inserts_and_updates                     = local.s3_settings.cdc_inserts_and_updates
  date_partition_enabled                      = local.s3_settings.date_partition_enabled
  preserve_transactions                       = local.s3_settings.preserve_transactions
  add_column_name                             = local.s3_settings.add_column_name
  glue_catalog_generation                     = local.s3_settings.glue_catalog_generation
  tags                                        = local.tags

  depends_on = [aws_iam_role_policy.dms_target]
}

# Either an instance with a task or a serverless replication.

resource "aws_dms_replication_instance" "this" {
  count                       = local.dms_on && !var.dms.serverless ? 1 : 0
  replication_instance_id     = local.replication_id
  replication_instance_class  = var.dms.instance_class
  allocated_storage           = var.dms.storage_gb
  engine_version              = var.dms.engine_version
  multi_az                    = var.dms.multi_az
  publicly_accessible         = false
  auto_minor_version_upgrade  = true
  kms_key_arn                 = local.kms_key_arn
  replication_subnet_group_id = aws_dms_replication_subnet_group.this[0].id
  vpc_security_group_ids      = [aws_security_group.dms[0].id]
  tags                        = local.tags

  depends_on = [aws_iam_role_policy_attachment.dms_logs]
}

resource "aws_dms_replication_task" "this" {
  count                     = local.dms_on && !var.dms.serverless ? 1 : 0
  replication_task_id       = local.replication_id
  migration_type            = "full-load-and-cdc"
  replication_instance_arn  = aws_dms_replication_instance.this[0].replication_instance_arn
  source_endpoint_arn       = aws_dms_endpoint.source[0].endpoint_arn
  target_endpoint_arn       = aws_dms_s3_endpoint.target[0].endpoint_arn
  table_mappings            = jsonencode(local.table_mappings)
  replication_task_settings = jsonencode(local.task_settings)
  start_replication_task    = var.dms.start
  tags                      = local.tags

  # The first object must find the notification in place.
  depends_on = [
    aws_s3_bucket_notification.staging,
    aws_lambda_event_source_mapping.doorbell,
    aws_cloudwatch_log_group.dms,
  ]
}

resource "aws_dms_replication_config" "this" {
  count                         = local.dms_on && var.dms.serverless ? 1 : 0
  replication_config_identifier = local.replication_id
  resource_identifier           = local.replication_resource
  replication_type              = "full-load-and-cdc"
  source_endpoint_arn           = aws_dms_endpoint.source[0].endpoint_arn
  target_endpoint_arn           = aws_dms_s3_endpoint.target[0].endpoint_arn
  table_mappings                = jsonencode(local.table_mappings)
  replication_settings          = jsonencode(local.task_settings)
  start_replication             = var.dms.start
  tags                          = local.tags

  compute_config {
    replication_subnet_group_id = aws_dms_replication_subnet_group.this[0].id
    vpc_security_group_ids      = [aws_security_group.dms[0].id]
    min_capacity_units          = var.dms.min_capacity_units
    max_capacity_units          = var.dms.max_capacity_units
    multi_az                    = var.dms.multi_az
    kms_key_id                  = local.kms_key_arn
  }

  depends_on = [
    aws_s3_bucket_notification.staging,
    aws_lambda_event_source_mapping.doorbell,
    aws_iam_role_policy_attachment.dms_logs,
    aws_cloudwatch_log_group.dms,
  ]
}
