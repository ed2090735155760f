variable "job" {
  description = <<-TEXT
    The Glue job for tables that are too much for the function, such as in a first load. It costs
    nothing until it runs. Without program and s3_uri there is none.
      program       = path of the command line `dmslake`, built for Linux on x86_64 with glibc 2.34 or
                      older, or linked statically
      s3_uri        = instead of program: an object with it, in the same region
      sha256        = SHA-256 of that object's content, in hex
      hand_over     = "glue": the function starts the job; "report": it only says that it should be
                      started; "off". Default: "glue" if there is a job, otherwise "report"
      after_minutes = what would take the function longer is too much
      attempts      = a table is held after this many failed runs
      glue_version  = Glue version of the job
      worker_type   = type of the workers
      workers       = number of workers of a run; one is the driver
      timeout       = timeout of a run, in minutes
      max_runs      = most concurrent runs; each applies one table
  TEXT
  type = object({
    program       = optional(string)
    s3_uri        = optional(string)
    sha256        = optional(string)
    hand_over     = optional(string)
    after_minutes = optional(number, 30)
    attempts      = optional(number, 3)
    glue_version  = optional(string, "5.0")
    worker_type   = optional(string, "G.1X")
    workers       = optional(number, 10)
    timeout       = optional(number, 480)
    max_runs      = optional(number, 4)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.job.program == null || var.job.s3_uri == null
    error_message = "job: either program or s3_uri, not both."
  }
  validation {
    condition     = var.job.program == null || fileexists(coalesce(var.job.program, "-"))
    error_message = "job.program: there is no file at this path."
  }
  validation {
    # The other characters are wildcards in a policy, or not understood by every reader of a URI.
    condition     = var.job.s3_uri == null || can(regex("^s3://[a-z0-9.-]{3,63}/[A-Za-z0-9_./=+@-]+$", var.job.s3_uri))
    error_message = "job.s3_uri: the address of an object, such as s3://my-artifacts/dmslake, of letters, digits and _ . / = + @ -."
  }
  validation {
    condition     = (var.job.s3_uri == null) == (var.job.sha256 == null) && (var.job.sha256 == null || can(regex("^[0-9a-f]{64}$", var.job.sha256)))
    error_message = "job.sha256: with s3_uri, the SHA-256 of the object in hex (64 lower-case digits); for a file it is computed."
  }
  validation {
    condition     = var.job.hand_over == null || contains(["glue", "report", "off"], coalesce(var.job.hand_over, "-"))
    error_message = "job.hand_over: \"glue\", \"report\" or \"off\"."
  }
  validation {
    condition     = var.job.hand_over != "glue" || var.job.program != null || var.job.s3_uri != null
    error_message = "job.hand_over: \"glue\" needs the program that the job runs; set program or s3_uri."
  }
  validation {
    condition     = var.job.after_minutes >= 1 && var.job.after_minutes <= 10080 && floor(var.job.after_minutes) == var.job.after_minutes
    error_message = "job.after_minutes: a whole number from 1 to 10080, a week."
  }
  validation {
    condition     = var.job.attempts >= 1 && var.job.attempts <= 20 && floor(var.job.attempts) == var.job.attempts
    error_message = "job.attempts: a whole number from 1 to 20."
  }
  validation {
    condition     = contains(["5.0", "5.1", "6.0"], var.job.glue_version)
    error_message = "job.glue_version: \"5.0\", \"5.1\" or \"6.0\"."
  }
  validation {
    condition     = contains(["G.1X", "G.2X", "G.4X", "G.8X"], var.job.worker_type)
    error_message = "job.worker_type: \"G.1X\", \"G.2X\", \"G.4X\" or \"G.8X\"."
  }
  validation {
    condition     = var.job.workers >= 2 && var.job.workers <= 299 && floor(var.job.workers) == var.job.workers
    error_message = "job.workers: a whole number from 2 to 299; one worker is the driver."
  }
  validation {
    condition     = var.job.timeout >= 1 && var.job.timeout <= 10080 && floor(var.job.timeout) == var.job.timeout
    error_message = "job.timeout: a whole number of minutes from 1 to 10080, Glue's seven days."
  }
  validation {
    condition     = var.job.max_runs >= 1 && var.job.max_runs <= 50 && floor(var.job.max_runs) == var.job.max_runs
    error_message = "job.max_runs: a whole number from 1 to 50."
  }
}
