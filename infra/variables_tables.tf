# What is replicated. The DMS task, its endpoint and dmslake.toml are all generated from this.

variable "tables" {
  description = <<-TEXT
    The tables to replicate, by "schema.table" as spelled at the source. In the table's name each *
    stands for any text: "shop.*" is all tables of a schema, and lock_file names them. A table that is
    named exactly overrides the pattern it matches, and a more specific pattern a more general one.
    The settings are those of a [[table]] in dmslake.toml:
      except            = sources that a pattern leaves out, such as ["shop.audit_*"]
      keys              = names of the key columns; required unless append_only, or where a pattern
                          matches: then lock_file has them
      append_only       = each insert is a new row; there are no keys
      name              = the table's name in Glue, if the source's name is not suitable
      merge             = "copy-on-write", "deletion-vectors" or "auto"
      redshift_manifest = keep a manifest for Redshift; only with merge = "copy-on-write"
      columns           = MySQL types that Parquet does not reveal
      rename            = source column = column in the lake
      renamed           = source column = its later name at the source
      store             = control and before-image columns to keep
    and the members that table_defaults describes.
  TEXT
  type = map(object({
    except            = optional(list(string), [])
    keys              = optional(list(string))
    append_only       = optional(bool)
    name              = optional(string)
    merge             = optional(string)
    redshift_manifest = optional(bool)
    columns = optional(list(object({
      name     = string
      type     = string
      nullable = optional(bool)
      boolean  = optional(bool)
      hex      = optional(bool)
    })))
    rename  = optional(map(string))
    renamed = optional(map(string))
    store   = optional(list(string))

    on_bad_row               = optional(string)
    max_bad_rows             = optional(object({ count = optional(number), share = optional(number) }))
    max_change_fraction      = optional(object({ deleted = optional(number), updated = optional(number), min_rows = optional(number) }))
    on_foreign_commit        = optional(string)
    on_reload                = optional(string)
    on_column_gone           = optional(string)
    on_column_added          = optional(string)
    on_objects_vanished      = optional(string)
    guard                    = optional(string)
    tombstone_retention_days = optional(number)
    freshness                = optional(string)
    retention                = optional(string)
    log_retention            = optional(string)
    cdc_only                 = optional(bool)
  }))
  nullable = false

  validation {
    condition     = length(var.tables) > 0
    error_message = "tables: name at least one table."
  }
  validation {
    condition     = alltrue([for source in concat(keys(var.tables), flatten(values(var.tables)[*].except)) : can(regex("^[^.*%\\[\\]]+\\.[^%\\[\\]]+$", source))])
    error_message = "tables: each, and each in except, must be named \"schema.table\", with * in the table's name only and without DMS's wildcards %, [ and ] (schema names with a dot are not supported here)."
  }
  validation {
    condition     = alltrue([for table in values(var.tables) : !coalesce(table.append_only, false) || length(coalesce(table.keys, [])) == 0])
    error_message = "tables: each has either keys or append_only = true."
  }
  validation {
    # What a pattern matches has its keys in lock_file.
    condition = alltrue([
      for source, table in var.tables :
      coalesce(table.append_only, false) || length(coalesce(table.keys, [])) > 0 || anytrue([
        for pattern in keys(var.tables) : strcontains(pattern, "*") && can(regex("^${join(".*", [for part in split("*", pattern) : replace(part, "/([.+?^$(){}|\\\\])/", "\\$1")])}$", source))
      ])
    ])
    error_message = "tables: each that no pattern matches needs either keys or append_only = true."
  }
  validation {
    condition     = alltrue([for source, table in var.tables : strcontains(source, "*") || length(table.except) == 0])
    error_message = "tables: except belongs to a pattern, a source with *."
  }
  validation {
    condition     = alltrue([for source, table in var.tables : !strcontains(source, "*") || table.name == null])
    error_message = "tables: name belongs to one table, not to a pattern; name the table exactly as well."
  }
  validation {
    # DMS leaves out what any rule excludes, whatever another rule includes.
    condition = alltrue([
      for except in flatten(values(var.tables)[*].except) : alltrue([
        for source in keys(var.tables) : !can(regex("^${join(".*", [for part in split("*", except) : replace(part, "/([.+?^$(){}|\\\\])/", "\\$1")])}$", source))
      ])
    ])
    error_message = "tables: except of a pattern leaves out a table that is named elsewhere; DMS would not replicate it. Make except more specific."
  }
  validation {
    condition     = alltrue([for table in values(var.tables) : length(distinct(coalesce(table.keys, []))) == length(coalesce(table.keys, [])) && !contains(coalesce(table.keys, []), "")])
    error_message = "tables: key columns must be distinct and not empty."
  }
  validation {
    condition     = alltrue([for table in values(var.tables) : contains(["copy-on-write", "deletion-vectors", "auto"], coalesce(table.merge, var.table_defaults.merge))])
    error_message = "tables: merge must be \"copy-on-write\", \"deletion-vectors\" or \"auto\"."
  }
  validation {
    condition = alltrue(flatten([
      for table in values(var.tables) : [
        for name, allowed in local.policies : table[name] == null || contains(allowed, coalesce(table[name], "-"))
      ]
    ]))
    error_message = "tables: ${local.policies_told}."
  }
  validation {
    condition     = alltrue([for table in values(var.tables) : contains(local.retention_days, coalesce(table.tombstone_retention_days, 1))])
    error_message = "tables: tombstone_retention_days must be a whole number from 1 to 365."
  }
  validation {
    condition = alltrue(flatten([
      for table in values(var.tables) : [
        for limit in [table.max_bad_rows, table.max_change_fraction] : limit == null ? [true] : [
          for name, value in limit : value == null ? true : (
            contains(["count", "min_rows"], name) ? value >= 0 && floor(value) == value : value >= 0 && value <= 1
          )
        ]
      ]
    ]))
    error_message = "tables: in max_bad_rows and max_change_fraction, shares are from 0 to 1 and counts whole numbers."
  }
  validation {
    condition = alltrue([
      for text in [for table in concat(values(var.tables), [var.table_defaults]) : coalesce(table.freshness, "0s")] : can(regex(local.duration, text)) && anytrue([
        for seconds in [sum(concat([0], [for part in regexall("([0-9]+) ?([smhdw])", text) : part[0] * local.seconds_of[part[1]]]))] : seconds == 0 || seconds >= 60 && seconds <= 86400
      ])
    ])
    error_message = "tables, table_defaults: freshness must be a duration from \"1m\" to \"24h\", such as \"90s\" or \"5m\"; or \"0s\", for each object at once."
  }
  validation {
    condition = alltrue([
      for text in compact(flatten([for table in concat(values(var.tables), [var.table_defaults]) : [table.retention, table.log_retention]])) : can(regex(local.duration, text)) && anytrue([
        for seconds in [sum(concat([0], [for part in regexall("([0-9]+) ?([smhdw])", text) : part[0] * local.seconds_of[part[1]]]))] : seconds >= 3600 && seconds <= 3650 * 86400
      ])
    ])
    error_message = "tables, table_defaults: retention and log_retention must be durations from \"1 hour\" to \"3650 days\", such as \"7 days\"."
  }
  validation {
    condition     = alltrue([for table in concat(values(var.tables), [var.table_defaults]) : table.log_retention == null || table.retention != null])
    error_message = "tables, table_defaults: log_retention needs retention, which is then that of files."
  }
  validation {
    condition = alltrue([
      for table in values(var.tables) :
      !coalesce(table.redshift_manifest, false) || coalesce(table.merge, var.table_defaults.merge) == "copy-on-write"
    ])
    error_message = "tables: redshift_manifest needs merge = \"copy-on-write\"; a manifest does not support deletion vectors, so deleted rows would reappear."
  }
  validation {
    condition = !var.catalog.enabled || (
      length(distinct([for source in keys(var.tables) : replace(lower(split(".", source)[0]), "/[^a-z0-9]/", "_")])) ==
      length(distinct([for source in keys(var.tables) : split(".", source)[0]]))
    )
    error_message = "tables: the names of two schemas differ only in characters that are not allowed in a Glue database's name."
  }
  validation {
    condition     = alltrue([for table in values(var.tables) : table.name == null || can(regex("^[a-z0-9_]{1,255}$", table.name))])
    error_message = "tables: name must be lower-case letters, digits and '_', without a database (the database is that of the schema)."
  }
  validation {
    condition = !var.catalog.enabled || length(distinct([
      for source, table in var.tables :
      "${split(".", source)[0]} ${table.name == null ? replace(lower(join(".", slice(split(".", source), 1, length(split(".", source))))), "/[^a-z0-9]/", "_") : table.name}"
    ])) == length(var.tables)
    error_message = "tables: the names of two tables of a schema differ only in characters that are not allowed in Glue; set name for one of them."
  }
}

variable "lock_file" {
  description = <<-TEXT
    The lock file that `dmslake discover` or `dmslake init --lock` wrote, as a path: it names the tables
    that patterns in `tables` stand for, with their keys and columns. Required if there are patterns.
  TEXT
  type        = string
  default     = null

  validation {
    condition     = !anytrue([for source in keys(var.tables) : strcontains(source, "*")]) || var.lock_file != null
    error_message = "lock_file: a source with * in `tables` needs the lock file that `dmslake discover` writes."
  }
  validation {
    condition     = var.lock_file == null || can(jsondecode(file(var.lock_file)).tables)
    error_message = "lock_file: there is no lock file of dmslake at this path; `dmslake discover` writes it."
  }
  validation {
    condition = var.lock_file == null || alltrue([
      for pattern in keys(var.tables) : !strcontains(pattern, "*") || anytrue([
        for table in try(jsondecode(file(var.lock_file)).tables, []) :
        can(regex("^${join(".*", [for part in split("*", pattern) : replace(part, "/([.+?^$(){}|\\\\])/", "\\$1")])}$", table.source))
      ])
    ])
    error_message = "lock_file: it has no table that a source with * in `tables` matches; run `dmslake discover`, or correct the source."
  }
}

variable "table_defaults" {
  description = <<-TEXT
    Defaults for all tables; without one, that of dmslake.
      merge                    = "copy-on-write", "deletion-vectors" or "auto"
      on_bad_row               = "stop" or "quarantine"
      max_bad_rows             = { count, share } of an object's rows, beyond which the table is held
      max_change_fraction      = { deleted, updated, min_rows }: changes that touch more hold the table
      on_foreign_commit        = "report" or "hold", if another writer has changed rows
      on_reload                = "apply" or "hold", if DMS loads the table again
      on_column_gone           = "keep", "drop" or "hold"
      on_column_added          = "add" or "hold"
      on_objects_vanished      = "hold", "truncate" or "ignore", if all that is staged was deleted
      guard                    = "sequence" or "off": late changes are placed by change sequences
      tombstone_retention_days = so long deletes are remembered for that
      freshness                = "5m": changes wait until they are that old and become one commit, from
                                 "1m" to "24h"; "0s", the default: each object is applied at once
      retention                = "7 days": for how long replaced files and the log are kept, from
                                 "1 hour" to "3650 days"; default: as the table says
      log_retention            = the same of the log alone, if it differs; retention is that of files
      cdc_only                 = true: the task loads nothing, tables begin with their changes
  TEXT
  type = object({
    merge                    = optional(string, "copy-on-write")
    on_bad_row               = optional(string)
    max_bad_rows             = optional(object({ count = optional(number), share = optional(number) }))
    max_change_fraction      = optional(object({ deleted = optional(number), updated = optional(number), min_rows = optional(number) }))
    on_foreign_commit        = optional(string)
    on_reload                = optional(string)
    on_column_gone           = optional(string)
    on_column_added          = optional(string)
    on_objects_vanished      = optional(string)
    guard                    = optional(string)
    tombstone_retention_days = optional(number)
    freshness                = optional(string)
    retention                = optional(string)
    log_retention            = optional(string)
    cdc_only                 = optional(bool)
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["copy-on-write", "deletion-vectors", "auto"], var.table_defaults.merge)
    error_message = "table_defaults.merge: \"copy-on-write\", \"deletion-vectors\" or \"auto\"."
  }
  validation {
    condition     = alltrue([for name, allowed in local.policies : var.table_defaults[name] == null || contains(allowed, coalesce(var.table_defaults[name], "-"))])
    error_message = "table_defaults: ${local.policies_told}."
  }
  validation {
    condition     = contains(local.retention_days, coalesce(var.table_defaults.tombstone_retention_days, 1))
    error_message = "table_defaults.tombstone_retention_days: a whole number from 1 to 365."
  }
  validation {
    condition = alltrue(flatten([
      for limit in [var.table_defaults.max_bad_rows, var.table_defaults.max_change_fraction] : limit == null ? [true] : [
        for name, value in limit : value == null ? true : (
          contains(["count", "min_rows"], name) ? value >= 0 && floor(value) == value : value >= 0 && value <= 1
        )
      ]
    ]))
    error_message = "table_defaults: in max_bad_rows and max_change_fraction, shares are from 0 to 1 and counts whole numbers."
  }
}

variable "maintain_delete" {
  description = "Whether the function may delete expired files of tables from the lake. false also removes the permission."
  type        = bool
  default     = true
  nullable    = false
}

variable "staged_format" {
  description = <<-TEXT
    The format of staged objects.
      timestamp_column   = column with the commit timestamp
      change_seq_column  = column with the change sequence
      before_image_prefix = prefix of the columns with the key before an update
      batch_interval     = seconds for which DMS collects changes for one object
      batch_size_kb      = kilobytes after which an object is written earlier
      compression        = "GZIP" or "NONE", of pages inside the Parquet objects
  TEXT
  type = object({
    timestamp_column    = optional(string, "dms_ts")
    change_seq_column   = optional(string, "cdc_seq")
    before_image_prefix = optional(string, "BI_")
    batch_interval      = optional(number, 60)
    batch_size_kb       = optional(number, 32000)
    compression         = optional(string, "GZIP")
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for name in [var.staged_format.timestamp_column, var.staged_format.change_seq_column] : can(regex("^[A-Za-z_][A-Za-z0-9_]*$", name))])
    error_message = "staged_format: names of columns are letters, digits and '_', not starting with a digit."
  }
  validation {
    condition     = var.staged_format.timestamp_column != var.staged_format.change_seq_column
    error_message = "staged_format: timestamp_column and change_seq_column must differ."
  }
  validation {
    condition     = can(regex("^[A-Za-z_][A-Za-z0-9_]*$", var.staged_format.before_image_prefix))
    error_message = "staged_format.before_image_prefix: letters, digits and '_', not empty: without before images an update of a key leaves the old row behind."
  }
  validation {
    condition     = var.staged_format.batch_interval >= 1 && var.staged_format.batch_interval <= 3600 && floor(var.staged_format.batch_interval) == var.staged_format.batch_interval
    error_message = "staged_format.batch_interval: a whole number of seconds from 1 to 3600."
  }
  validation {
    condition     = var.staged_format.batch_size_kb >= 1 && var.staged_format.batch_size_kb <= 1048576 && floor(var.staged_format.batch_size_kb) == var.staged_format.batch_size_kb
    error_message = "staged_format.batch_size_kb: a whole number from 1 to 1048576."
  }
  validation {
    condition     = contains(["GZIP", "NONE"], var.staged_format.compression)
    error_message = "staged_format.compression: \"GZIP\" or \"NONE\"."
  }
}
