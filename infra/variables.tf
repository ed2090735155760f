variable "name" {
  description = "Prefix of all names; unique within an account and region."
  type        = string
  default     = "dmslake"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,19}$", var.name)) && !can(regex("--|-$", var.name))
    error_message = "name: 2 to 20 lower-case letters, digits and single hyphens, starting with a letter and not ending with a hyphen (bucket and DMS names are derived from it)."
  }
}

variable "tags" {
  description = "Tags of all resources that support tags, in addition to Application = name."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    # An object in S3 can have ten tags.
    condition     = length(setunion(keys(var.tags), ["Application"])) <= 10
    error_message = "tags: at most 9, because an object in S3 can have ten."
  }
  validation {
    condition     = alltrue([for key, value in var.tags : can(regex("^[\\pL\\pZ\\pN_.:/=+@-]{1,128}$", key)) && can(regex("^[\\pL\\pZ\\pN_.:/=+@-]{0,256}$", value))])
    error_message = "tags: keys of 1 to 128 and values of at most 256 letters, digits, spaces and _ . : / = + - @."
  }
  validation {
    condition     = alltrue([for key in keys(var.tags) : !startswith(lower(key), "aws:")])
    error_message = "tags: keys that begin with aws: are reserved."
  }
}

variable "kms" {
  description = <<-TEXT
    Encryption with your own key. Without one, each service encrypts with its own keys.
      create  = create a key whose policy names the services that need it
      key_arn = use this key instead; its policy must allow what infra/README.md lists
  TEXT
  type = object({
    create  = optional(bool, false)
    key_arn = optional(string)
  })
  default  = {}
  nullable = false

  validation {
    condition     = !(var.kms.create && var.kms.key_arn != null)
    error_message = "kms: set either create or key_arn, not both."
  }
  validation {
    condition     = var.kms.key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms.key_arn))
    error_message = "kms.key_arn: the ARN of a key (not of an alias)."
  }
}

variable "staging" {
  description = <<-TEXT
    The bucket into which DMS writes objects.
      create              = false: use the existing bucket named in `bucket`
      bucket              = its name; a created one is named after `name`, account and region by default
      prefix              = DMS's bucket folder, without slashes at its ends
      expiry_days         = objects are deleted after this many days, applied or not
      manage_notification = a bucket has a single notification configuration. false: you manage it and
                            add the output `notification` to it
      force_destroy       = destroy a created bucket even if it contains objects
      kms_key_arn         = the customer key of the objects in an existing bucket, if it is not that of
                            `kms`; its policy must let the account's roles decrypt
  TEXT
  type = object({
    create              = optional(bool, true)
    bucket              = optional(string)
    prefix              = optional(string, "dms")
    expiry_days         = optional(number, 30)
    manage_notification = optional(bool, true)
    force_destroy       = optional(bool, false)
    kms_key_arn         = optional(string)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.staging.create || var.staging.bucket != null
    error_message = "staging: with create = false, bucket must name the bucket to use."
  }
  validation {
    condition     = can(regex("^[A-Za-z0-9_][A-Za-z0-9_./-]*[A-Za-z0-9_]$|^[A-Za-z0-9_]$", var.staging.prefix)) && !can(regex("//|\\.\\.", var.staging.prefix))
    error_message = "staging.prefix: letters, digits, '_', '.', '-' and single '/'; not empty, no slash at either end."
  }
  validation {
    condition     = var.staging.expiry_days >= 3 && floor(var.staging.expiry_days) == var.staging.expiry_days
    error_message = "staging.expiry_days: a whole number of at least 3. Objects of tables held for longer are lost."
  }
  validation {
    condition     = var.staging.expiry_days * 86400 / 3 >= local.longest_wait + 3600
    error_message = "staging.expiry_days: a third of it, after which an alarm is raised, must be an hour longer than the longest freshness."
  }
  validation {
    condition     = var.staging.kms_key_arn == null || (!var.staging.create && can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.staging.kms_key_arn)))
    error_message = "staging.kms_key_arn: the ARN of the key (not of an alias) of an existing bucket; a created one is encrypted as kms says."
  }
}

variable "lake" {
  description = <<-TEXT
    The bucket that holds the Delta tables and the configuration of dmslake.
      create          = false: use the existing bucket named in `bucket`
      bucket          = its name; a created one is named after `name`, account and region by default
      prefix          = folder of the tables; a table's root is <prefix>/<schema>/<table>
      noncurrent_days = overwritten or deleted versions of objects are kept for this many days
      force_destroy   = destroy a created bucket even if it contains tables
  TEXT
  type = object({
    create          = optional(bool, true)
    bucket          = optional(string)
    prefix          = optional(string, "tables")
    noncurrent_days = optional(number, 7)
    force_destroy   = optional(bool, false)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.lake.create || var.lake.bucket != null
    error_message = "lake: with create = false, bucket must name the bucket to use."
  }
  validation {
    condition     = can(regex("^[A-Za-z0-9_][A-Za-z0-9_./-]*[A-Za-z0-9_]$|^[A-Za-z0-9_]$", var.lake.prefix)) && !can(regex("//|\\.\\.", var.lake.prefix))
    error_message = "lake.prefix: letters, digits, '_', '.', '-' and single '/'; not empty, no slash at either end."
  }
  validation {
    condition     = !contains(["config", "athena", "function", "job"], split("/", var.lake.prefix)[0])
    error_message = "lake.prefix: config, athena, function and job are already used in the lake bucket."
  }
  validation {
    condition     = var.lake.bucket == null || var.lake.bucket != var.staging.bucket
    error_message = "lake.bucket: must differ from the staging bucket, because the function may write the lake but only read staging."
  }
  validation {
    condition     = var.lake.noncurrent_days >= 1 && floor(var.lake.noncurrent_days) == var.lake.noncurrent_days
    error_message = "lake.noncurrent_days: a whole number of at least 1."
  }
}
