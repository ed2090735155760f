# Creates everything: VPC, source, replication, lake, job, catalog, Athena and Redshift.

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
  source = "../.."

  name    = "shop"
  package = { file = var.package_file }
  job     = { program = var.program_file, workers = 20 }
  kms     = { create = true }

  tables = {
    "shop.customers"   = { keys = ["id"], on_bad_row = "quarantine" }
    "shop.orders"      = { keys = ["id"], redshift_manifest = true }
    "shop.order_items" = { keys = ["order_id", "line"], merge = "deletion-vectors" }
    "shop.page_views"  = { append_only = true }
  }

  source_database = { ca_file = var.ca_file }

  redshift   = { enabled = true }
  monitoring = { emails = ["data@example.com"] }
}

variable "package_file" {
  description = "The function's zip"
  type        = string
}

variable "program_file" {
  description = "The command line, built for Glue's machines"
  type        = string
}

variable "ca_file" {
  description = "Certificate authorities of RDS: https://truststore.pki.rds.amazonaws.com/eu-west-1/eu-west-1-bundle.pem"
  type        = string
}

output "lake" {
  description = "Everything needed to continue"
  value       = module.lake
}
