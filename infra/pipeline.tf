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

  # Of the endpoint that is created here, or that exists. Not by a conditional, whose sides would need
  # the same members.
  endpoint_settings = [local.s3_settings, var.s3_settings][local.dms_on ? 0 : 1]

  # [dms] of dmslake.toml, each value as TOML. Settings that are given tell the rules' columns too.
  dms_section = {
    for name, value in merge({ for name, value in local.rule_settings : name => value if local.dms_on }, local.endpoint_settings) : name => jsonencode(value)
  }

  # How the names of staged objects end. DMS's own default is CSV.
  staged_suffix = (
    lower(try(local.endpoint_settings.data_format, "csv")) == "parquet" ? ".parquet" :
    lower(try(local.endpoint_settings.compression_type, "none")) == "gzip" ? ".csv.gz" : ".csv"
  )

  # The members of an endpoint's settings that [dms] takes, by their type. tests/terraform.rs
  # compares them with those that the program knows.
  s3_members = {
    flag = [
      "add_column_name", "add_trailing_padding_character", "cdc_inserts_and_updates", "cdc_inserts_only", "date_partition_enabled",
      "detach_target_on_lob_lookup_failure_parquet", "enable_statistics", "glue_catalog_generation", "include_op_for_full_load",
      "parquet_timestamp_in_millisecond", "preserve_transactions", "rfc_4180", "use_csv_no_sup_value",
      "use_task_start_time_for_full_load_timestamp",
    ]
    number = [
      "cdc_max_batch_interval", "cdc_min_file_size", "data_page_size", "dict_page_size_limit", "ignore_header_rows", "max_file_size",
      "row_group_length",
    ]
    text = [
      "before_image_prefix", "bucket_folder", "bucket_name", "canned_acl_for_objects", "cdc_path", "change_seq_column", "compression_type",
      "csv_delimiter", "csv_no_sup_value", "csv_null_value", "csv_row_delimiter", "data_format", "date_partition_delimiter",
      "date_partition_sequence", "date_partition_timezone", "encoding_type", "encryption_mode", "expected_bucket_owner",
      "external_table_definition", "parquet_version", "server_side_encryption_kms_key_id", "service_access_role_arn",
      "timestamp_column_name",
    ]
  }

  # What a policy of a table may be.
  policies = {
    on_bad_row          = ["stop", "quarantine"]
    on_foreign_commit   = ["report", "hold"]
    on_reload           = ["apply", "hold"]
    on_column_gone      = ["keep", "drop", "hold"]
    on_column_added     = ["add", "hold"]
    on_objects_vanished = ["hold", "truncate", "ignore"]
    guard               = ["sequence", "off"]
  }
  policies_told  = join("; ", [for name, allowed in local.policies : "${name} must be one of ${join(", ", [for it in allowed : "\"${it}\""])}"])
  retention_days = range(1, 366)

  # Durations as the program reads them, in whole seconds.
  duration_part = "[0-9]+ ?(s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|wks?|weeks?)"
  duration      = "^${local.duration_part}( ?${local.duration_part})*$"
  seconds_of    = { s = 1, m = 60, h = 3600, d = 86400, w = 604800 }

  # What is set of every table and (as "") of all, each value as dmslake.toml spells it.
  settings = {
    for source, table in merge({ "" = var.table_defaults }, var.tables) : source => {
      for name, value in merge(table, { retention = local.retentions[source] }) : name => (
        can(keys(value)) ? "{ ${join(", ", [for part, it in value : "${replace(jsonencode(part), "/^\"([A-Za-z0-9_-]+)\"$/", "$1")} = ${jsonencode(it)}" if it != null])} }" : jsonencode(value)
      ) if !contains(["columns", "log_retention"], name) && value != null && try(length(value) > 0, true)
    }
  }
  # Of files and log, or of each. Not by a conditional, whose sides would need the same type.
  retentions = {
    for source, table in merge({ "" = var.table_defaults }, var.tables) :
    source => [table.retention, { files = table.retention, log = table.log_retention }][table.log_retention == null ? 0 : 1]
  }

  # The schema is the part before the first dot.
  tables = {
    for source, table in var.tables : source => merge(table, {
      schema = split(".", source)[0]
      table  = join(".", slice(split(".", source), 1, length(split(".", source))))
    })
  }
  schemas = toset([for table in local.tables : table.schema])

  # The tables that patterns stand for. What each is like follows from dmslake.toml and the lock file,
  # which the program reads; here only their names are needed.
  locked = var.lock_file == null ? [] : [
    for table in jsondecode(file(var.lock_file)).tables : table.source if can(regex("", table.source))
  ]
  patterns = {
    for source, table in local.tables : source => {
      source = "^${join(".*", [for part in split("*", source) : replace(part, "/([.+?^$(){}|\\\\])/", "\\$1")])}$"
      except = [for except in table.except : "^${join(".*", [for part in split("*", except) : replace(part, "/([.+?^$(){}|\\\\])/", "\\$1")])}$"]
    } if strcontains(source, "*")
  }
  claims = {
    for name in local.locked : name => [
      for source, pattern in local.patterns : source
      if can(regex(pattern.source, name)) && !anytrue([for except in pattern.except : can(regex(except, name))])
    ]
  }
  # Every table by its name: those of patterns, and those that are named exactly.
  named = merge(
    {
      for name, sources in local.claims : name => {
        schema            = split(".", name)[0]
        table             = join(".", slice(split(".", name), 1, length(split(".", name))))
        name              = null
        redshift_manifest = anytrue([for source in sources : coalesce(local.tables[source].redshift_manifest, false)])
      } if length(sources) > 0
    },
    {
      for source, table in local.tables : source => {
        schema = table.schema
        table  = table.table
        name   = table.name
        redshift_manifest = coalesce(
          table.redshift_manifest,
          anytrue([for pattern in try(local.claims[source], []) : coalesce(local.tables[pattern].redshift_manifest, false)]),
        )
      } if !strcontains(source, "*")
    },
  )
  manifests = { for name, table in local.named : name => table if table.redshift_manifest }

  # In rules, an underscore matches any character unless it is in brackets, and % any text.
  selections = concat(
    [for source in sort(keys(local.tables)) : { action = "include", source = source }],
    [for source in sort(distinct(flatten(values(local.tables)[*].except))) : { action = "exclude", source = source }],
  )
  selection_rules = [
    for index, selection in local.selections : {
      rule-type   = "selection"
      rule-id     = tostring(index + 1)
      rule-name   = "${selection.action == "include" ? "take" : "leave"}-${index + 1}"
      rule-action = selection.action
      object-locator = {
        schema-name = replace(split(".", selection.source)[0], "_", "[_]")
        table-name  = replace(replace(join(".", slice(split(".", selection.source), 1, length(split(".", selection.source)))), "_", "[_]"), "*", "%")
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
    staging             = "s3://${local.staging_bucket}/${var.staging.prefix}"
    lake                = "s3://${local.lake_bucket}/${var.lake.prefix}"
    dms                 = local.dms_section
    maintain_delete     = var.maintain_delete
    hand_over           = { to = local.hand_over, job = local.job_on ? local.job_name : null, after_minutes = var.job.after_minutes, attempts = var.job.attempts }
    metrics             = { emf = var.monitoring.metrics, namespace = var.name, otlp = var.monitoring.otlp }
    staging_expiry_days = var.staging.expiry_days
    catalog             = var.catalog
    look_every          = local.look_minutes == 0 ? null : "${local.look_minutes}m"
    defaults            = local.settings[""]
    tables              = [for source in sort(keys(local.tables)) : merge(local.tables[source], { settings = local.settings[source] })]
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
