variable "package" {
  description = <<-TEXT
    The function's zip with the executable `bootstrap`: a release by version, downloaded or from a
    bucket; or a file; or any object in S3. Buckets are in the region of the function.
      version    = number of a release, such as "0.1.0"; needs sha256
      sha256     = SHA-256 of the zip, in hex, as in the release's SHA256SUMS: bootstrap-arm64.zip or
                   bootstrap-x86_64.zip, by function.architecture. Another one is not put into use
      url        = address of a mirror, in which {version} and {arch} are replaced; default: the
                   project's releases
      s3_bucket  = with version: the bucket with <s3_prefix>/<version>/bootstrap-<arch>.zip
      s3_prefix  = folder in that bucket; default: "dmslake"
      file       = instead of version: path of a file
      s3_key     = instead of version: key of an object in s3_bucket. A new object under the same key is
                   noticed only if sha256 or s3_version changes
      s3_version = version of this object
  TEXT
  type = object({
    version    = optional(string)
    sha256     = optional(string)
    url        = optional(string)
    s3_bucket  = optional(string)
    s3_prefix  = optional(string)
    file       = optional(string)
    s3_key     = optional(string)
    s3_version = optional(string)
  })
  nullable = false

  validation {
    condition     = 1 == length([for place in [var.package.version, var.package.file, var.package.s3_key] : place if place != null])
    error_message = "package: one of version (with sha256), file, and s3_key (with s3_bucket)."
  }
  validation {
    condition     = var.package.s3_bucket == null ? var.package.s3_key == null : var.package.file == null
    error_message = "package.s3_bucket: s3_key needs the bucket of the object; a file is in none."
  }
  validation {
    condition     = var.package.s3_version == null || var.package.s3_key != null
    error_message = "package.s3_version: a version of the object in s3_key; name a release by version alone."
  }
  validation {
    condition     = alltrue([for path in [var.package.file, var.package.s3_key] : path == null || endswith(coalesce(path, "-"), ".zip")])
    error_message = "package: must be a .zip file."
  }
  validation {
    condition     = var.package.version == null || can(regex("^[0-9]+\\.[0-9]+\\.[0-9]+(-[0-9A-Za-z.-]+)?$", var.package.version))
    error_message = "package.version: the number of a release, such as \"0.1.0\", without v."
  }
  validation {
    condition     = var.package.version == null || var.package.sha256 != null
    error_message = "package.sha256: a release is used only if its checksum is known; take that of bootstrap-${var.function.architecture}.zip from https://github.com/dmslake/dmslake/releases/download/v${coalesce(var.package.version, "…")}/SHA256SUMS."
  }
  validation {
    condition     = var.package.sha256 == null || (var.package.file == null && can(regex("^[0-9a-f]{64}$", var.package.sha256)))
    error_message = "package.sha256: the SHA-256 of the zip in hex (64 lower-case digits), as sha256sum prints it; for a file it is computed."
  }
  validation {
    condition     = var.package.url == null || (var.package.version != null && var.package.s3_bucket == null && can(regex("^https?://[^@[:space:]]+$", var.package.url)))
    error_message = "package.url: for a version that is not in s3_bucket, an http:// or https:// address without a user, such as https://mirror.example.com/{version}/bootstrap-{arch}.zip."
  }
  validation {
    condition     = var.package.s3_prefix == null || (var.package.version != null && var.package.s3_bucket != null && can(regex("^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$", var.package.s3_prefix)))
    error_message = "package.s3_prefix: for a version in s3_bucket, a folder of letters, digits, '_', '.', '-' and single '/', without a slash at either end."
  }
}
