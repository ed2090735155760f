terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

# No provider block: region and credentials come from the environment, or from the configuration
# that uses this one as a module.
