variable "network" {
  description = <<-TEXT
    The network of the source, DMS and Redshift.
      create             = false: use existing `vpc_id` and `subnet_ids`
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
    condition     = var.network.create || !var.dms.create || (var.network.vpc_id != null && length(var.network.subnet_ids) >= 2)
    error_message = "network: with create = false, vpc_id and at least two subnet_ids are needed."
  }
  validation {
    condition     = var.network.vpc_id == null || can(regex("^vpc-[0-9a-z]+$", var.network.vpc_id))
    error_message = "network.vpc_id: the id of a VPC, such as vpc-0123456789abcdef0."
  }
  validation {
    condition     = alltrue([for id in var.network.subnet_ids : can(regex("^subnet-[0-9a-z]+$", id))]) && length(distinct(var.network.subnet_ids)) == length(var.network.subnet_ids)
    error_message = "network.subnet_ids: distinct ids of subnets, such as subnet-0123456789abcdef0."
  }
  validation {
    condition     = can(cidrnetmask(var.network.cidr)) && try(cidrhost(var.network.cidr, 0) == split("/", var.network.cidr)[0], false)
    error_message = "network.cidr: an IPv4 range that starts with its first address, such as 10.42.0.0/20."
  }
  validation {
    condition     = try(tonumber(split("/", var.network.cidr)[1]) >= 16 && tonumber(split("/", var.network.cidr)[1]) <= 24, false)
    error_message = "network.cidr: /16 to /24. A VPC cannot be larger, and its subnets, a sixteenth each, cannot be smaller than /28."
  }
}

variable "source_database" {
  description = <<-TEXT
    The MySQL database to replicate.
      create     = false: use an existing database with `engine` and `secret_arn`
      engine     = "mysql", "mariadb" or "aurora" (MySQL), as DMS calls it
      secret_arn = secret with host, port, username and password of a user that DMS may use; its
                   value is never read here
      secret_kms_key_arn = the customer key of that secret, if it has one
      security_group_id  = group of the existing database, which will admit DMS. Without it, you must
                           admit DMS yourself
      port       = port of the database; for a created one it is also in the secret of DMS, so increase
                   password_version when you change it
      ca_file    = PEM file with the certificate authorities of the server: DMS connects with TLS and
                   verifies the server, and a created database refuses other connections
      tls        = false: connect without TLS. By default a created database needs ca_file, because
                   MySQL 8.4 accepts no new password without TLS
    Only for a created RDS instance:
      client_security_group_ids = groups that may connect, in addition to DMS
      version                   = 8.0 has been out of RDS's standard support since July 2026, and RDS
                                  bills extended support for it
      allow_major_version_upgrade = true while `version` changes to another major version; changes are
                                  then made at once and not in the maintenance window
      password_version          = a higher number creates a new password for DMS
      skip_final_snapshot       = true: leave no snapshot when the instance is destroyed
      backup_days               = 1 or more, because without backups RDS keeps no binary log
      instance_class, storage_gb, multi_az, database, deletion_protection
  TEXT
  type = object({
    create                      = optional(bool, true)
    engine                      = optional(string, "mysql")
    secret_arn                  = optional(string)
    secret_kms_key_arn          = optional(string)
    security_group_id           = optional(string)
    port                        = optional(number, 3306)
    ca_file                     = optional(string)
    tls                         = optional(bool, true)
    client_security_group_ids   = optional(list(string), [])
    version                     = optional(string, "8.4")
    allow_major_version_upgrade = optional(bool, false)
    password_version            = optional(number, 1)
    instance_class              = optional(string, "db.t4g.medium")
    storage_gb                  = optional(number, 50)
    multi_az                    = optional(bool, false)
    database                    = optional(string, "shop")
    deletion_protection         = optional(bool, true)
    backup_days                 = optional(number, 7)
    skip_final_snapshot         = optional(bool, false)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.source_database.create || !var.dms.create || var.source_database.secret_arn != null
    error_message = "source_database: with create = false, secret_arn must name a secret with host, port, username and password."
  }
  validation {
    condition     = var.source_database.secret_arn == null || can(regex("^arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:.+$", var.source_database.secret_arn))
    error_message = "source_database.secret_arn: the full ARN of a secret."
  }
  validation {
    condition     = var.source_database.secret_kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.source_database.secret_kms_key_arn))
    error_message = "source_database.secret_kms_key_arn: the ARN of a key (not of an alias)."
  }
  validation {
    condition     = alltrue([for id in concat(compact([var.source_database.security_group_id]), var.source_database.client_security_group_ids) : can(regex("^sg-[0-9a-z]+$", id))])
    error_message = "source_database: ids of security groups look like sg-0123456789abcdef0."
  }
  validation {
    condition     = var.source_database.create || length(var.source_database.client_security_group_ids) == 0
    error_message = "source_database.client_security_group_ids: only for a created database; you control access to an existing one."
  }
  validation {
    condition     = contains(["mysql", "mariadb", "aurora"], var.source_database.engine) && (!var.source_database.create || var.source_database.engine == "mysql")
    error_message = "source_database.engine: \"mysql\", \"mariadb\" or \"aurora\"; a created database must be \"mysql\"."
  }
  validation {
    condition     = var.source_database.port >= (var.source_database.create ? 1150 : 1) && var.source_database.port <= 65535 && floor(var.source_database.port) == var.source_database.port
    error_message = "source_database.port: 1 to 65535; at least 1150 for a created database."
  }
  validation {
    condition     = !(var.source_database.create && var.dms.create) || !var.source_database.tls || var.source_database.ca_file != null
    error_message = "source_database.ca_file: a created database requires TLS, which needs its certificate authorities. Download https://truststore.pki.rds.amazonaws.com/<region>/<region>-bundle.pem and name the file here, or set tls = false."
  }
  validation {
    condition     = var.source_database.tls || var.source_database.ca_file == null
    error_message = "source_database: either ca_file, or tls = false."
  }
  validation {
    condition     = var.source_database.ca_file == null || try(strcontains(file(var.source_database.ca_file), "-----BEGIN CERTIFICATE-----"), false)
    error_message = "source_database.ca_file: a PEM file with certificates. RDS's are at https://truststore.pki.rds.amazonaws.com/<region>/<region>-bundle.pem."
  }
  validation {
    condition     = can(regex("^8\\.[04](\\..+)?$", var.source_database.version))
    error_message = "source_database.version: a version of RDS for MySQL 8.4 (or of 8.0, for which RDS bills extended support)."
  }
  validation {
    condition     = var.source_database.password_version >= 1 && floor(var.source_database.password_version) == var.source_database.password_version
    error_message = "source_database.password_version: a whole number of at least 1."
  }
  validation {
    condition     = can(regex("^db\\.[a-z0-9-]+\\.[a-z0-9]+$", var.source_database.instance_class))
    error_message = "source_database.instance_class: an instance class of RDS, such as db.t4g.medium."
  }
  validation {
    condition     = var.source_database.storage_gb >= 20 && var.source_database.storage_gb <= 16384 && floor(var.source_database.storage_gb) == var.source_database.storage_gb
    error_message = "source_database.storage_gb: 20 to 16384; it grows automatically up to four times that, and RDS allows at most 65536."
  }
  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9_]{0,63}$", var.source_database.database))
    error_message = "source_database.database: up to 64 letters, digits and '_', starting with a letter."
  }
  validation {
    condition     = var.source_database.backup_days >= 1 && var.source_database.backup_days <= 35 && floor(var.source_database.backup_days) == var.source_database.backup_days
    error_message = "source_database.backup_days: 1 to 35. Without backups RDS keeps no binary log for DMS to read."
  }
}

variable "binlog_retention_hours" {
  description = "Hours for which the source keeps its binary log: the longest time for which DMS may be stopped."
  type        = number
  default     = 72
  nullable    = false

  validation {
    condition     = var.binlog_retention_hours >= 24 && var.binlog_retention_hours <= 168 && floor(var.binlog_retention_hours) == var.binlog_retention_hours
    error_message = "binlog_retention_hours: 24 to 168, RDS's maximum."
  }
}
