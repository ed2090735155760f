# DMS runs already: creates only what turns its objects into tables. `infra/check bring` applies this.

terraform {
  required_version = ">= 1.11"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

provider "aws" {
  region = "eu-west-1"
}

module "lake" {
  source = "../../modules/writer"

  name    = "shop"
  package = var.package
  staging = { bucket = "my-dms-staging", prefix = "dms/mysql" }
  lake    = { create = false, bucket = "my-lake" }

  tables = {
    "shop.orders"      = { keys = ["id"] }
    "shop.order_items" = { keys = ["order_id", "line"] }
  }

  # As the endpoint and the rules of the task have them.
  s3_settings = {
    data_format              = "parquet"
    timestamp_column_name    = "dms_ts"
    include_op_for_full_load = true
    change_seq_column        = "cdc_seq"
    before_image_prefix      = "BI_"
  }

  monitoring = { emails = ["data@example.com"] }
}

variable "package" {
  description = "The function's zip, such as { version = \"0.1.0\", sha256 = \"…\" } or { file = \"bootstrap.zip\" }"
  type        = any
}

output "dmslake_toml" {
  description = "The function's configuration, for the command line"
  value       = module.lake.dmslake_toml
}

output "commands" {
  description = "Commands for daily operation"
  value       = module.lake.commands
}
