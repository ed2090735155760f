# The function's zip, if it is not a file: where Lambda takes it from, and its checksum.

locals {
  package_downloaded = var.package.version != null && var.package.s3_bucket == null
  package_url = local.package_downloaded ? replace(replace(
    coalesce(var.package.url, "https://github.com/dmslake/dmslake/releases/download/v{version}/bootstrap-{arch}.zip"),
    "{version}", var.package.version), "{arch}", var.function.architecture
  ) : null

  package_bucket = local.package_downloaded ? one(aws_s3_object.package[*].bucket) : var.package.s3_bucket
  package_key = (
    local.package_downloaded ? one(aws_s3_object.package[*].key) :
    var.package.version != null ? "${coalesce(var.package.s3_prefix, "dmslake")}/${var.package.version}/bootstrap-${var.function.architecture}.zip" :
    var.package.s3_key
  )

  # Lambda writes checksums in base64: two characters for three hex digits, of which there must be 66.
  base64_digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
  package_hash = var.package.sha256 == null ? null : "${substr(join("", flatten([
    for digits in regexall("...", "${var.package.sha256}00") : [
      substr(local.base64_digits, floor(parseint(digits, 16) / 64), 1),
      substr(local.base64_digits, parseint(digits, 16) % 64, 1),
    ]
  ])), 0, 43)}="
}

# Lambda takes it from the lake bucket. So no later plan or apply needs the downloaded file, which the
# next machine does not have.
locals {
  package_target = local.package_downloaded ? {
    bucket = local.lake_bucket
    key    = "${local.zip_prefix}/${var.package.version}/bootstrap-${var.function.architecture}-${substr(var.package.sha256, 0, 16)}.zip"
    kms    = local.kms_key_arn
  } : null
  package_file = local.package_downloaded ? "${path.root}/.terraform/dmslake/${basename(local.package_target.key)}" : null
}

resource "terraform_data" "package" {
  count = local.package_downloaded ? 1 : 0

  # Whatever has the object uploaded again.
  triggers_replace = local.package_target

  provisioner "local-exec" {
    interpreter = ["sh"]
    command     = "${path.module}/package.sh"
    environment = { URL = local.package_url, SHA256 = var.package.sha256, FILE = local.package_file }
  }

  # The upload follows at once, so that hardly anything can fail between the two.
  depends_on = [aws_s3_bucket_versioning.this, aws_s3_bucket_server_side_encryption_configuration.this]

  # A new one that fails leaves the old one where it is.
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_s3_object" "package" {
  count                  = local.package_downloaded ? 1 : 0
  bucket                 = local.package_target.bucket
  key                    = local.package_target.key
  source                 = local.package_file
  server_side_encryption = local.kms_on ? "aws:kms" : "AES256"
  kms_key_id             = local.kms_key_arn
  tags                   = local.tags

  depends_on = [terraform_data.package]

  lifecycle {
    create_before_destroy = true
  }
}
