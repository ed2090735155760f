variable "network" {
  description = <<-TEXT
    Where the source, DMS and Redshift stand.
      create             = false: bring `vpc_id` and `subnet_ids`
      cidr               = address range of a created VPC
      vpc_id, subnet_ids = private subnets in at least two zones (three for Redshift) that reach S3 and
                           Secrets Manager, by endpoints or otherwise
  TEXT
  type = object({
    create     = optional(bool, true)
    cidr       = optional(string, "10.42.0.0/20")
    vpc_id     = optional(string)
    subnet_ids = optional(list(string), [])
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.network.create || (var.network.vpc_id != null && length(var.network.subnet_ids) >= 2)
    error_message = "network: with create = false, vpc_id and at least two subnet_ids are needed."
  }
  validation {
    condition     = can(cidrsubnet(var.network.cidr, 4, 0))
    error_message = "network.cidr: an IPv4 range with room for 16 subnets, such as 10.42.0.0/20."
  }
}

variable "source_database" {
  description = <<-TEXT
    The MySQL database to replicate.
      create     = false: bring a database with `engine` and `secret_arn`
      engine     = "mysql", "mariadb" or "aurora" (MySQL), as DMS calls it
      secret_arn = secret with host, port, username and password of a user that DMS may use; its
                   value is never read here
      secret_kms_key_arn = the customer key of that secret, if it has one
      security_group_id  = of the brought database; DMS is let in there. Without it you do that
      port       = of the database
      ca_file    = PEM file with the authorities of its certificate: DMS then connects by TLS and verifies
                   the server, and a created database refuses everything else
    and of a created RDS instance: version, instance_class, storage_gb, multi_az, database,
    deletion_protection, backup_days (0 would turn the binary log off), skip_final_snapshot.
  TEXT
  type = object({
    create              = optional(bool, true)
    engine              = optional(string, "mysql")
    secret_arn          = optional(string)
    secret_kms_key_arn  = optional(string)
    security_group_id   = optional(string)
    port                = optional(number, 3306)
    ca_file             = optional(string)
    version             = optional(string, "8.4")
    instance_class      = optional(string, "db.t4g.medium")
    storage_gb          = optional(number, 50)
    multi_az            = optional(bool, false)
    database            = optional(string, "shop")
    deletion_protection = optional(bool, true)
    backup_days         = optional(number, 7)
    skip_final_snapshot = optional(bool, false)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.source_database.create || var.source_database.secret_arn != null
    error_message = "source_database: with create = false, secret_arn must name a secret with host, port, username and password."
  }
  validation {
    condition     = var.source_database.secret_arn == null || can(regex("^arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:.+$", var.source_database.secret_arn))
    error_message = "source_database.secret_arn: the full ARN of a secret."
  }
  validation {
    condition     = contains(["mysql", "mariadb", "aurora"], var.source_database.engine) && (!var.source_database.create || var.source_database.engine == "mysql")
    error_message = "source_database.engine: \"mysql\", \"mariadb\" or \"aurora\"; a created one is \"mysql\"."
  }
  validation {
    condition     = var.source_database.backup_days >= 1 && var.source_database.backup_days <= 35
    error_message = "source_database.backup_days: 1 to 35. Without backups RDS keeps no binary log, and DMS has nothing to read."
  }
  validation {
    condition     = can(regex("^8\\.[04](\\.|$)", var.source_database.version))
    error_message = "source_database.version: a version of RDS for MySQL 8.0 or 8.4."
  }
}

variable "binlog_retention_hours" {
  description = "Hours for which the source keeps its binary log: the longest time for which DMS may stand still."
  type        = number
  default     = 72
  nullable    = false

  validation {
    condition     = var.binlog_retention_hours >= 24 && var.binlog_retention_hours <= 168
    error_message = "binlog_retention_hours: 24 to 168, RDS's maximum."
  }
}

variable "dms" {
  description = <<-TEXT
    The replication.
      serverless           = false: an instance of `instance_class` with `storage_gb`
                             true: DMS Serverless with at most `max_capacity_units`
      engine_version       = of the instance; default: the newest
      start                = start the replication with the apply; only useful where the secret has its
                             value already
      max_lob_kb           = longer values are cut off by DMS
      on_data_error        = what DMS does with a row that it cannot handle: "STOP_TASK",
                             "SUSPEND_TABLE", "LOG_ERROR" or "IGNORE_RECORD"; the last two lose rows
      create_account_roles = dms-vpc-role and dms-cloudwatch-logs-role, which exist once an account;
                             false where they exist
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
    error_message = "dms: capacity units are 1, 2, 4, 8, 16, 32, 64, 128, 192, 256 or 384, the minimum not above the maximum."
  }
  validation {
    condition     = var.dms.max_lob_kb >= 1 && var.dms.max_lob_kb <= 102400
    error_message = "dms.max_lob_kb: 1 to 102400."
  }
}
