variable "catalog" {
  description = <<-TEXT
    The Glue Data Catalog. The function creates and updates the tables in it.
      enabled         = false: no databases and no permissions on the catalog
      database_prefix = the database of a schema is <database_prefix><schema>, in lower case
  TEXT
  type = object({
    enabled         = optional(bool, true)
    database_prefix = optional(string, "lake_")
  })
  default  = {}
  nullable = false

  validation {
    condition     = can(regex("^[a-z0-9_]{0,64}$", var.catalog.database_prefix))
    error_message = "catalog.database_prefix: at most 64 lower-case letters, digits and '_', or nothing."
  }
}

variable "athena" {
  description = <<-TEXT
    An Athena workgroup with a scan limit, and example queries.
      enabled       = false: none
      max_scan_gb   = a query that would read more is stopped (1 GB = 1,000,000,000 bytes)
      results_days  = results are deleted after this many days (in a created lake bucket)
      named_queries = save the example queries
  TEXT
  type = object({
    enabled       = optional(bool, true)
    max_scan_gb   = optional(number, 100)
    results_days  = optional(number, 7)
    named_queries = optional(bool, true)
  })
  default  = {}
  nullable = false

  validation {
    condition     = !var.athena.enabled || var.catalog.enabled
    error_message = "athena: Athena finds tables only through the catalog; set catalog.enabled = true too."
  }
  validation {
    # The provider requires at least 10 MiB.
    condition     = floor(var.athena.max_scan_gb * 1000 * 1000 * 1000) >= 10485760
    error_message = "athena.max_scan_gb: at least 0.0105, which is 10 MiB."
  }
  validation {
    condition     = var.athena.results_days >= 1 && floor(var.athena.results_days) == var.athena.results_days
    error_message = "athena.results_days: a whole number of at least 1."
  }
}

variable "redshift" {
  description = <<-TEXT
    Redshift Serverless, which reads the tables with redshift_manifest = true.
      enabled       = true: create a namespace and a workgroup
      base_capacity = base capacity in RPUs
      max_capacity  = maximum capacity in RPUs
      database      = its first database
  TEXT
  type = object({
    enabled       = optional(bool, false)
    base_capacity = optional(number, 8)
    max_capacity  = optional(number, 16)
    database      = optional(string, "dev")
  })
  default  = {}
  nullable = false

  validation {
    condition     = !var.redshift.enabled || anytrue([for table in values(var.tables) : coalesce(table.redshift_manifest, false)])
    error_message = "redshift: no table has redshift_manifest = true, so there is nothing to read."
  }
  validation {
    condition     = !var.redshift.enabled || var.network.create || (var.network.vpc_id != null && length(var.network.subnet_ids) >= 3)
    error_message = "redshift: Redshift Serverless needs a VPC and subnets in three zones."
  }
  validation {
    condition     = contains(concat([4], range(8, 513, 8), range(544, 1025, 32)), var.redshift.base_capacity)
    error_message = "redshift.base_capacity: 4, 8 to 512 in steps of 8, or 544 to 1024 in steps of 32."
  }
  validation {
    condition     = var.redshift.max_capacity >= var.redshift.base_capacity && floor(var.redshift.max_capacity) == var.redshift.max_capacity
    error_message = "redshift.max_capacity: a whole number, at least base_capacity."
  }
  validation {
    condition     = can(regex("^[a-z_][a-z0-9_]{0,63}$", var.redshift.database))
    error_message = "redshift.database: at most 64 lower-case letters, digits and '_', not starting with a digit."
  }
}
