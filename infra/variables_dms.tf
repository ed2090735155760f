variable "dms" {
  description = <<-TEXT
    The replication.
      create               = false: DMS runs already, and neither it nor the source, nor a network for
                             them, is created. `staging` names its bucket and prefix, and s3_settings
                             says how its endpoint writes
      serverless           = false: an instance of `instance_class` with `storage_gb`;
                             true: DMS Serverless with at most `max_capacity_units`
      engine_version       = version of the instance; default: the newest
      start                = start the replication with the apply; only useful if the user of the
                             secret already exists in the database
      max_lob_kb           = DMS truncates longer values
      on_data_error        = what DMS does with a row that it cannot handle: "STOP_TASK",
                             "SUSPEND_TABLE", "LOG_ERROR" or "IGNORE_RECORD"; the last two lose rows
      create_account_roles = create dms-vpc-role and dms-cloudwatch-logs-role, which exist once per
                             account; false if they exist. true also deletes them with this deployment
  TEXT
  type = object({
    create               = optional(bool, true)
    serverless           = optional(bool, false)
    instance_class       = optional(string, "dms.t3.medium")
    storage_gb           = optional(number, 50)
    multi_az             = optional(bool, false)
    engine_version       = optional(string)
    min_capacity_units   = optional(number, 1)
    max_capacity_units   = optional(number, 4)
    start                = optional(bool, false)
    max_lob_kb           = optional(number, 64)
    on_data_error        = optional(string, "STOP_TASK")
    create_account_roles = optional(bool, true)
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["STOP_TASK", "SUSPEND_TABLE", "LOG_ERROR", "IGNORE_RECORD"], var.dms.on_data_error)
    error_message = "dms.on_data_error: \"STOP_TASK\", \"SUSPEND_TABLE\", \"LOG_ERROR\" or \"IGNORE_RECORD\"."
  }
  validation {
    condition     = alltrue([for units in [var.dms.min_capacity_units, var.dms.max_capacity_units] : contains([1, 2, 4, 8, 16, 32, 64, 128, 192, 256, 384], units)]) && var.dms.min_capacity_units <= var.dms.max_capacity_units
    error_message = "dms: capacity units must be 1, 2, 4, 8, 16, 32, 64, 128, 192, 256 or 384, and the minimum must not exceed the maximum."
  }
  validation {
    condition     = can(regex("^dms\\.[a-z0-9-]+\\.[a-z0-9]+$", var.dms.instance_class))
    error_message = "dms.instance_class: an instance class of DMS, such as dms.t3.medium."
  }
  validation {
    condition     = var.dms.storage_gb >= 5 && var.dms.storage_gb <= 6144 && floor(var.dms.storage_gb) == var.dms.storage_gb
    error_message = "dms.storage_gb: 5 to 6144."
  }
  validation {
    condition     = var.dms.engine_version == null || can(regex("^3\\.[0-9]+\\.[0-9]+$", var.dms.engine_version))
    error_message = "dms.engine_version: a version with all three parts, such as 3.5.4."
  }
  validation {
    condition     = var.dms.max_lob_kb >= 1 && var.dms.max_lob_kb <= 102400 && floor(var.dms.max_lob_kb) == var.dms.max_lob_kb
    error_message = "dms.max_lob_kb: 1 to 102400."
  }
}

variable "s3_settings" {
  description = <<-TEXT
    With dms.create = false: the settings of the existing endpoint, by their names in Terraform's
    aws_dms_s3_endpoint, and the columns that rules of its task add. As in [dms] of dmslake.toml, those
    that are not given have DMS's defaults, CSV among them. For example:
      { data_format = "parquet", timestamp_column_name = "dms_ts", change_seq_column = "cdc_seq" }
  TEXT
  type        = any
  default     = {}
  nullable    = false

  validation {
    condition     = can(keys(var.s3_settings)) && (length(var.s3_settings) == 0 || !var.dms.create)
    error_message = "s3_settings: an object with the settings of an endpoint that exists, for dms.create = false; what is created here is set by staged_format."
  }
  validation {
    condition     = alltrue([for name in keys(var.s3_settings) : contains(flatten(values(local.s3_members)), name)])
    error_message = "s3_settings: names are those of aws_dms_s3_endpoint, such as csv_delimiter, and change_seq_column and before_image_prefix for what rules of the task add."
  }
  validation {
    condition = alltrue([
      for name, value in var.s3_settings : (
        contains(local.s3_members.flag, name) ? contains(["true", "false"], jsonencode(value)) :
        contains(local.s3_members.number, name) ? can(regex("^[0-9]+$", jsonencode(value))) : startswith(jsonencode(value), "\"")
      )
    ])
    error_message = "s3_settings: a value has another type than in aws_dms_s3_endpoint: true or false, a whole number, or a text in quotes."
  }
  validation {
    condition     = contains(["csv", "parquet"], lower(try(var.s3_settings.data_format, "csv")))
    error_message = "s3_settings.data_format: \"csv\", which is DMS's default, or \"parquet\"."
  }
  validation {
    condition     = !try(tobool(var.s3_settings.preserve_transactions), false)
    error_message = "s3_settings.preserve_transactions: objects in the order of transactions are not read; set PreserveTransactions = false at the endpoint and load the tables again."
  }
}
