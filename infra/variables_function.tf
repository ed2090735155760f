variable "package" {
  description = <<-TEXT
    The function's zip, with the executable `bootstrap` in it: a file, or an object in S3 (for the
    same region, where a file is too large or is built elsewhere).
  TEXT
  type = object({
    file       = optional(string)
    s3_bucket  = optional(string)
    s3_key     = optional(string)
    s3_version = optional(string)
  })
  nullable = false

  validation {
    condition     = (var.package.file != null) != (var.package.s3_bucket != null && var.package.s3_key != null)
    error_message = "package: either file, or s3_bucket and s3_key."
  }
  validation {
    condition     = alltrue([for path in [var.package.file, var.package.s3_key] : path == null || endswith(coalesce(path, "-"), ".zip")])
    error_message = "package: a .zip."
  }
}

variable "function" {
  description = <<-TEXT
    The Lambda function.
      architecture         = "arm64" or "x86_64", as the package was built
      memory_mb            = also decides its share of a processor: 1769 MB is one
      timeout              = seconds of an invocation; what is not finished goes on in the next
      tmp_mb               = /tmp, where compactions put temporary files
      log_level            = RUST_LOG; default: the program's own
      log_days             = retention of its logs
      reserved_concurrency = taken out of the account's; -1: none
  TEXT
  type = object({
    architecture         = optional(string, "arm64")
    memory_mb            = optional(number, 1769)
    timeout              = optional(number, 300)
    tmp_mb               = optional(number, 2048)
    log_level            = optional(string)
    log_days             = optional(number, 30)
    reserved_concurrency = optional(number, -1)
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["arm64", "x86_64"], var.function.architecture)
    error_message = "function.architecture: \"arm64\" or \"x86_64\"."
  }
  validation {
    condition     = var.function.memory_mb >= 256 && var.function.memory_mb <= 10240
    error_message = "function.memory_mb: 256 to 10240."
  }
  validation {
    condition     = var.function.timeout >= 30 && var.function.timeout <= 900
    error_message = "function.timeout: 30 to 900 seconds."
  }
  validation {
    condition     = var.function.tmp_mb >= 512 && var.function.tmp_mb <= 10240
    error_message = "function.tmp_mb: 512 to 10240."
  }
  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.function.log_days)
    error_message = "function.log_days: a retention that CloudWatch Logs knows, such as 7, 30 or 365."
  }
  validation {
    condition     = var.function.reserved_concurrency == -1 || var.function.reserved_concurrency >= var.doorbell.max_concurrency + 1
    error_message = "function.reserved_concurrency: -1, or more than doorbell.max_concurrency, so that a sweep finds room."
  }
}

variable "doorbell" {
  description = <<-TEXT
    How objects ring for the function.
      batch_size      = messages of one invocation at most
      batching_window = seconds for which messages are gathered
      max_concurrency = invocations at once at most; two on one table are safe, but one works in vain
      max_receives    = a message goes to the dead-letter queue after so many failures
      sweep           = schedule on which every table is looked at and maintained; "": never
      paused          = true: neither queue nor schedule invoke the function. Messages wait
  TEXT
  type = object({
    batch_size      = optional(number, 1000)
    batching_window = optional(number, 20)
    max_concurrency = optional(number, 2)
    max_receives    = optional(number, 5)
    sweep           = optional(string, "rate(1 hour)")
    paused          = optional(bool, false)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.doorbell.batch_size >= 1 && var.doorbell.batch_size <= 10000 && (var.doorbell.batch_size <= 10 || var.doorbell.batching_window >= 1)
    error_message = "doorbell.batch_size: 1 to 10000; above 10 it needs a batching_window of at least 1."
  }
  validation {
    condition     = var.doorbell.batching_window >= 0 && var.doorbell.batching_window <= 300
    error_message = "doorbell.batching_window: 0 to 300 seconds."
  }
  validation {
    condition     = var.doorbell.max_concurrency >= 2 && var.doorbell.max_concurrency <= 1000
    error_message = "doorbell.max_concurrency: 2 to 1000 (Lambda allows no less)."
  }
  validation {
    condition     = var.doorbell.max_receives >= 5
    error_message = "doorbell.max_receives: at least 5; a throttled invocation counts as a receive too."
  }
  validation {
    condition     = can(regex("^$|^(rate|cron)\\(.+\\)$", var.doorbell.sweep))
    error_message = "doorbell.sweep: rate(…) or cron(…), or \"\"."
  }
}

variable "monitoring" {
  description = <<-TEXT
    Alarms and the dashboard.
      topic_arn   = SNS topic that alarms go to; default: one is made
      emails      = addresses that the made topic writes to, after each has confirmed
      lag_minutes = alarm when the oldest object that is not applied is older
      dashboard   = whether there is one
  TEXT
  type = object({
    topic_arn   = optional(string)
    emails      = optional(list(string), [])
    lag_minutes = optional(number, 60)
    dashboard   = optional(bool, true)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.monitoring.topic_arn == null || length(var.monitoring.emails) == 0
    error_message = "monitoring: emails subscribe to the topic that is made; a brought topic has its own subscribers."
  }
  validation {
    condition     = var.monitoring.lag_minutes >= 5
    error_message = "monitoring.lag_minutes: at least 5."
  }
}
