# The single definition of what DMS stages and dmslake reads. The S3 endpoint, the table mappings
# and dmslake.toml are all generated from these locals, so they cannot disagree.

locals {
  # Named as in aws_dms_s3_endpoint, and as in [dms] of dmslake.toml. DESIGN.md explains each value.
  s3_settings = {
    bucket_folder                               = var.staging.prefix
    data_format                                 = "parquet"
    parquet_version                             = "parquet-2-0"
    parquet_timestamp_in_millisecond            = false
    compression_type                            = var.staged_format.compression
    enable_statistics                           = true
    timestamp_column_name                       = var.staged_format.timestamp_column
    use_task_start_time_for_full_load_timestamp = true
    include_op_for_full_load                    = true
    cdc_max_batch_interval                      = var.staged_format.batch_interval
    cdc_min_file_size                           = var.staged_format.batch_size_kb
    cdc_inserts_only                            = false
    cdc_inserts_and_updates                     = false
    date_partition_enabled                      = false
    preserve_transactions                       = false
    add_column_name                             = false
    glue_catalog_generation                     = false
  }

  # Columns that rules of the task add, which are not settings of the endpoint.
  rule_settings = {
    change_seq_column   = var.staged_format.change_seq_column
    before_image_prefix = var.staged_format.before_image_prefix
  }

  # A table's own settings override the defaults. The schema is the part before the first dot.
  tables = {
    for source, table in var.tables : source => merge(table, {
      schema            = split(".", source)[0]
      table             = join(".", slice(split(".", source), 1, length(split(".", source))))
      keys              = coalesce(table.keys, [])
      append_only       = coalesce(table.append_only, false)
      merge             = coalesce(table.merge, var.table_defaults.merge)
      on_bad_row        = coalesce(table.on_bad_row, var.table_defaults.on_bad_row)
      redshift_manifest = coalesce(table.redshift_manifest, false)
    })
  }
  schemas   = toset([for table in local.tables : table.schema])
  manifests = { for source, table in local.tables : source => table if table.redshift_manifest }

  # In rules, an underscore matches any character unless it is in brackets.
  selection_rules = [
    for index, source in sort(keys(local.tables)) : {
      rule-type   = "selection"
      rule-id     = tostring(index + 1)
      rule-name   = "take-${index + 1}"
      rule-action = "include"
      object-locator = {
        schema-name = replace(local.tables[source].schema, "_", "[_]")
        table-name  = replace(local.tables[source].table, "_", "[_]")
      }
    }
  ]

  table_mappings = {
    rules = concat(local.selection_rules, [
      {
        rule-type   = "transformation"
        rule-id     = "1001"
        rule-name   = "key-before-images"
        rule-target = "column"
        rule-action = "add-before-image-columns"
        object-locator = {
          schema-name = "%"
          table-name  = "%"
        }
        before-image-def = {
          column-prefix = local.rule_settings.before_image_prefix
          column-suffix = ""
          column-filter = "pk-only"
        }
      },
      {
        rule-type   = "transformation"
        rule-id     = "1002"
        rule-name   = "change-sequence"
        rule-target = "column"
        rule-action = "add-column"
        object-locator = {
          schema-name = "%"
          table-name  = "%"
        }
        value      = local.rule_settings.change_seq_column
        expression = "$AR_H_CHANGE_SEQ"
        data-type = {
          type   = "string"
          length = 50
        }
      },
    ])
  }

  dmslake_toml = templatefile("${path.module}/templates/dmslake.toml.tftpl", {
    staging         = "s3://${local.staging_bucket}/${var.staging.prefix}"
    lake            = "s3://${local.lake_bucket}/${var.lake.prefix}"
    dms             = merge(local.s3_settings, local.rule_settings)
    maintain_delete = var.maintain_delete
    catalog         = var.catalog
    tables          = [for source in sort(keys(local.tables)) : local.tables[source]]
  })

  # Only settings that differ from DMS's defaults. Comments say what they prevent.
  task_settings = {
    TargetMetadata = {
      BatchApplyEnabled  = false # with an S3 target it may lose changes
      SupportLobs        = true
      FullLobMode        = false # S3 targets know the limited mode only
      LimitedSizeLobMode = true
      LobMaxSize         = var.dms.max_lob_kb
    }
    FullLoadSettings = {
      # A reload that left old objects in place would mix two loads of one table.
      TargetTablePrepMode = "DROP_AND_CREATE"
    }
    ChangeProcessingDdlHandlingPolicy = {
      HandleSourceTableDropped   = false # would delete staged objects that are not applied yet
      HandleSourceTableTruncated = false # the same
      HandleSourceTableAltered   = true
    }
    ErrorBehavior = {
      DataErrorPolicy           = var.dms.on_data_error # by default a row is dropped in silence
      DataTruncationErrorPolicy = var.dms.on_data_error
      TableErrorPolicy          = "STOP_TASK" # a suspended table merely stops producing objects
    }
    Logging = {
      EnableLogging = true
    }
    ValidationSettings = {
      EnableValidation = false # S3 targets need date folders for it
    }
  }
}
