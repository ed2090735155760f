# Those of type any are objects of the root module, which has their types, defaults and validation.

variable "name" {
  description = "Prefix of all names; unique within an account and region."
  type        = string
  default     = null
}

variable "package" {
  description = "The function's zip: a release by version, a file, or an object in S3."
  type        = any
  nullable    = false
}

variable "staging" {
  description = <<-TEXT
    The bucket into which DMS writes objects.
      bucket              = its name
      prefix              = the bucket folder of DMS's endpoint, without slashes at its ends
      expiry_days         = your lifecycle rule deletes objects after this many days: an alarm warns of
                            those that wait for a third of it
      manage_notification = a bucket has a single notification configuration. false: you manage it and
                            add the output `notification` to it
      kms_key_arn         = the customer key of the objects, if it is not that of `kms`; its policy must
                            let the account's roles decrypt
  TEXT
  type = object({
    bucket              = string
    prefix              = optional(string, "dms")
    expiry_days         = optional(number, 30)
    manage_notification = optional(bool, true)
    kms_key_arn         = optional(string)
  })
  nullable = false
}

variable "lake" {
  description = "The bucket of the Delta tables; a created one by default."
  type        = any
  default     = null
}

variable "tables" {
  description = "The tables to replicate, by \"schema.table\" as spelled at the source, with their keys."
  type        = any
  nullable    = false
}

variable "lock_file" {
  description = "Path of the lock file, for sources with * in `tables`."
  type        = string
  default     = null
}

variable "table_defaults" {
  description = "Defaults for all tables."
  type        = any
  default     = null
}

variable "s3_settings" {
  description = "The settings of DMS's endpoint, and the columns that rules of its task add."
  type        = any
  default     = null
}

variable "maintain_delete" {
  description = "Whether the function may delete expired files of tables from the lake. false also removes the permission."
  type        = bool
  default     = null
}

variable "function" {
  description = "The Lambda function: architecture, memory, timeout, logs, pinned version."
  type        = any
  default     = null
}

variable "doorbell" {
  description = "How new objects invoke the function, and how often it sweeps."
  type        = any
  default     = null
}

variable "monitoring" {
  description = "Alarms and who gets them, metrics, the dashboard."
  type        = any
  default     = null
}

variable "catalog" {
  description = "The Glue databases, in which the function maintains a table for each."
  type        = any
  default     = null
}

variable "athena" {
  description = "The workgroup of Athena."
  type        = any
  default     = null
}

variable "job" {
  description = "The Glue job for tables that are too much for the function; by default there is none."
  type        = any
  default     = null
}

variable "kms" {
  description = "Encryption with your own key."
  type        = any
  default     = null
}

variable "tags" {
  description = "Tags of all resources that support tags, in addition to Application = name."
  type        = map(string)
  default     = null
}
