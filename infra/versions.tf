terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

# No provider block: the region and the credentials come from the environment, or from the
# configuration that calls this one as a module.
