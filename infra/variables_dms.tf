variable "dms" {
  description = <<-TEXT
    The replication.
      serverless           = false: an instance of `instance_class` with `storage_gb`
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
