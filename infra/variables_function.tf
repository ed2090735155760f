variable "function" {
  description = <<-TEXT
    The Lambda function.
      architecture         = "arm64" or "x86_64"; must match the package
      memory_mb            = memory; also determines its share of CPU: 1769 MB is one vCPU
      timeout              = seconds of an invocation; unfinished work continues in the next one
      tmp_mb               = size of /tmp, which compaction uses for temporary files
      log_level            = RUST_LOG; default: the program's default
      log_days             = retention of its logs and those of DMS, RDS and the Glue job
      reserved_concurrency = reserved from the account's concurrency; -1: none
      pinned_version       = the version to use, such as "7", for a rollback; default: the newest. While
                             it is set, no other setting here takes effect
  TEXT
  type = object({
    architecture         = optional(string, "arm64")
    memory_mb            = optional(number, 1769)
    timeout              = optional(number, 300)
    tmp_mb               = optional(number, 2048)
    log_level            = optional(string)
    log_days             = optional(number, 30)
    reserved_concurrency = optional(number, -1)
    pinned_version       = optional(string)
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["arm64", "x86_64"], var.function.architecture)
    error_message = "function.architecture: \"arm64\" or \"x86_64\"."
  }
  validation {
    condition     = var.function.memory_mb >= 256 && var.function.memory_mb <= 10240 && floor(var.function.memory_mb) == var.function.memory_mb
    error_message = "function.memory_mb: a whole number from 256 to 10240."
  }
  validation {
    condition     = var.function.timeout >= 30 && var.function.timeout <= 900 && floor(var.function.timeout) == var.function.timeout
    error_message = "function.timeout: a whole number of seconds from 30 to 900."
  }
  validation {
    condition     = var.function.tmp_mb >= 512 && var.function.tmp_mb <= 10240 && floor(var.function.tmp_mb) == var.function.tmp_mb
    error_message = "function.tmp_mb: a whole number from 512 to 10240."
  }
  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.function.log_days)
    error_message = "function.log_days: a retention that CloudWatch Logs supports, such as 7, 30 or 365."
  }
  validation {
    condition     = var.function.reserved_concurrency == -1 || (var.function.reserved_concurrency >= var.doorbell.max_concurrency + 1 && floor(var.function.reserved_concurrency) == var.function.reserved_concurrency)
    error_message = "function.reserved_concurrency: -1, or a whole number above doorbell.max_concurrency, to leave room for a sweep."
  }
  validation {
    condition     = var.function.log_level == null || can(regex("^[A-Za-z0-9_=,:-]+$", var.function.log_level))
    error_message = "function.log_level: a level such as \"info\", or levels by module such as \"warn,dmslake=debug\"."
  }
  validation {
    condition     = var.function.pinned_version == null || can(regex("^[1-9][0-9]*$", var.function.pinned_version))
    error_message = "function.pinned_version: the number of a published version, such as \"7\"."
  }
}

variable "doorbell" {
  description = <<-TEXT
    The doorbell: how new objects invoke the function.
      batch_size      = most messages in one invocation
      batching_window = seconds for which messages are collected; default: 20, or the shortest freshness,
                        300 at most, if every table has one
      max_concurrency = most concurrent invocations; two on one table are safe, but one works in vain
      max_receives    = a message goes to the dead-letter queue after this many failures
      sweep           = rate at which every table is checked and maintained, at least hourly; the
                        periods of alarms depend on it. "": never, and an alarm then lasts for a day
      look_minutes    = every so many minutes the tables with a freshness are looked at; default: a
                        fifth of the shortest, at least 1
      paused          = true: neither queue nor schedules invoke the function. Messages wait
  TEXT
  type = object({
    batch_size      = optional(number, 1000)
    batching_window = optional(number)
    max_concurrency = optional(number, 2)
    max_receives    = optional(number, 5)
    sweep           = optional(string, "rate(1 hour)")
    look_minutes    = optional(number)
    paused          = optional(bool, false)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.doorbell.batch_size >= 1 && var.doorbell.batch_size <= 10000 && floor(var.doorbell.batch_size) == var.doorbell.batch_size && (var.doorbell.batch_size <= 10 || coalesce(var.doorbell.batching_window, 20) >= 1)
    error_message = "doorbell.batch_size: a whole number from 1 to 10000; above 10 it needs a batching_window of at least 1."
  }
  validation {
    condition     = contains(range(301), coalesce(var.doorbell.batching_window, 20))
    error_message = "doorbell.batching_window: a whole number of seconds from 0 to 300."
  }
  validation {
    condition     = var.doorbell.max_concurrency >= 2 && var.doorbell.max_concurrency <= 1000 && floor(var.doorbell.max_concurrency) == var.doorbell.max_concurrency
    error_message = "doorbell.max_concurrency: a whole number from 2 to 1000 (Lambda allows no less)."
  }
  validation {
    condition     = var.doorbell.max_receives >= 5 && var.doorbell.max_receives <= 1000 && floor(var.doorbell.max_receives) == var.doorbell.max_receives
    error_message = "doorbell.max_receives: a whole number from 5 to 1000; a throttled invocation counts as a receive too."
  }
  validation {
    condition     = can(regex("^$|^rate\\((1 minute|([2-9]|[1-5][0-9]|60) minutes|1 hour)\\)$", var.doorbell.sweep))
    error_message = "doorbell.sweep: \"rate(1 minute)\", \"rate(2 minutes)\" to \"rate(60 minutes)\", \"rate(1 hour)\", or \"\". Alarms depend on the sweep repeating a condition, so it must run at least hourly."
  }
  validation {
    condition = (
      floor(coalesce(var.doorbell.look_minutes, 1)) == coalesce(var.doorbell.look_minutes, 1) &&
      coalesce(var.doorbell.look_minutes, 1) >= 1 && 60 * coalesce(var.doorbell.look_minutes, 1) <= min(86400, local.waits...) + 60
    )
    error_message = "doorbell.look_minutes: a whole number from 1 to the minutes of the shortest freshness and one more: no change is to be applied later than that."
  }
}

variable "monitoring" {
  description = <<-TEXT
    Alarms and the dashboard.
      topic_arn   = SNS topic for alarms; default: one is created
      emails      = addresses subscribed to the created topic; each must confirm
      lag_minutes = raise an alarm when the oldest unapplied object is older than this and the longest
                    freshness of a table
      dashboard   = whether to create the dashboard
      metrics     = "total": metrics of all tables together; "per-table": of each table too, which
                    costs up to 24 metrics more for each; "alarms": only what alarms look at, a fifth
                    of the metrics; most of the dashboard is empty then
      otlp        = collector of OpenTelemetry that gets the metrics too, such as
                    "https://otlp.example.com"; the function must reach it
      otlp_headers = headers for it, as name=value,name=value; they are in the state and in the
                    function's environment
  TEXT
  type = object({
    topic_arn    = optional(string)
    emails       = optional(list(string), [])
    lag_minutes  = optional(number, 60)
    dashboard    = optional(bool, true)
    metrics      = optional(string, "total")
    otlp         = optional(string)
    otlp_headers = optional(string)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.monitoring.topic_arn == null || length(var.monitoring.emails) == 0
    error_message = "monitoring: emails are for the created topic; a topic in topic_arn has its own subscribers."
  }
  validation {
    condition     = contains(["total", "per-table", "alarms"], var.monitoring.metrics)
    error_message = "monitoring.metrics: \"total\", \"per-table\" or \"alarms\"; alarms need what they look at."
  }
  validation {
    condition     = var.monitoring.otlp == null || can(regex("^https?://[^/@?#[:space:]]+(/[^@?#[:space:]]*)?$", var.monitoring.otlp))
    error_message = "monitoring.otlp: an http:// or https:// address without a user, ? or #."
  }
  validation {
    condition     = var.monitoring.otlp_headers == null || (var.monitoring.otlp != null && can(regex("^[^=,[:space:]]+=[^,]*(,[^=,[:space:]]+=[^,]*)*$", var.monitoring.otlp_headers)))
    error_message = "monitoring.otlp_headers: name=value,name=value, for the collector in otlp."
  }
  validation {
    condition     = var.monitoring.lag_minutes >= 5 && floor(var.monitoring.lag_minutes) == var.monitoring.lag_minutes
    error_message = "monitoring.lag_minutes: a whole number of at least 5."
  }
  validation {
    condition     = local.longest_wait + var.monitoring.lag_minutes * 60 < var.staging.expiry_days * 86400
    error_message = "monitoring.lag_minutes: with the longest freshness it must be less than staging.expiry_days, after which objects are deleted."
  }
  validation {
    condition     = var.monitoring.topic_arn == null || can(regex("^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$", var.monitoring.topic_arn))
    error_message = "monitoring.topic_arn: the ARN of a standard SNS topic."
  }
  validation {
    condition     = alltrue([for address in var.monitoring.emails : can(regex("^[^@[:space:]]+@[^@[:space:]]+$", address))]) && length(distinct(var.monitoring.emails)) == length(var.monitoring.emails)
    error_message = "monitoring.emails: distinct addresses such as data@example.com."
  }
}
