# Creates only what is new: the database, its network, the buckets and the key already exist.

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
  package = { s3_bucket = "my-artifacts", s3_key = "dmslake/bootstrap.zip" }
  job     = { s3_uri = "s3://my-artifacts/dmslake/dmslake", sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" }
  kms     = { key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab" }

  tables = {
    "shop.orders" = { keys = ["id"] }
  }

  network = {
    create     = false
    vpc_id     = "vpc-0123456789abcdef0"
    subnet_ids = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
  }

  source_database = {
    create            = false
    engine            = "aurora"
    secret_arn        = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop/dms-AbCdEf"
    security_group_id = "sg-0123456789abcdef0"
    ca_file           = var.ca_file
  }

  # A bucket has a single notification configuration. If yours already has one, add the output
  # `notification` to it and do not manage it here.
  staging = { create = false, bucket = "my-dms-staging", prefix = "dms/shop", manage_notification = false }
  lake    = { create = false, bucket = "my-lake", prefix = "shop" }

  # The roles that DMS finds by name exist if DMS was used in this account before.
  dms = { create_account_roles = false, start = true }

  monitoring = { topic_arn = "arn:aws:sns:eu-west-1:123456789012:my-alarms" }
}

variable "ca_file" {
  description = "The certificate authorities of the database; those of RDS are at https://truststore.pki.rds.amazonaws.com/eu-west-1/eu-west-1-bundle.pem"
  type        = string
}

output "notification" {
  description = "To add to the staging bucket's notification configuration"
  value       = module.lake.notification
}
