# Values that the source, its network or its replication would refuse later are refused by name.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "created_source_without_authorities" {
  command = plan
  variables {
    source_database = { deletion_protection = false }
  }
  expect_failures = [var.source_database]
}

run "authorities_without_tls" {
  command = plan
  variables {
    source_database = { ca_file = "tests/ca.pem", tls = false }
  }
  expect_failures = [var.source_database]
}

run "authorities_that_are_not_there" {
  command = plan
  variables {
    source_database = { ca_file = "tests/none.pem" }
  }
  expect_failures = [var.source_database]
}

run "authorities_that_are_none" {
  command = plan
  variables {
    source_database = { ca_file = "tests/lint.tfvars" }
  }
  expect_failures = [var.source_database]
}

run "source_of_an_older_major_version" {
  command = plan
  variables {
    source_database = { ca_file = "tests/ca.pem", version = "5.7" }
  }
  expect_failures = [var.source_database]
}

run "password_version_of_zero" {
  command = plan
  variables {
    source_database = { ca_file = "tests/ca.pem", password_version = 0 }
  }
  expect_failures = [var.source_database]
}

run "class_of_another_service" {
  command = plan
  variables {
    source_database = { ca_file = "tests/ca.pem", instance_class = "t4g.medium" }
  }
  expect_failures = [var.source_database]
}

run "storage_below_the_least" {
  command = plan
  variables {
    source_database = { ca_file = "tests/ca.pem", storage_gb = 10 }
  }
  expect_failures = [var.source_database]
}

run "storage_that_cannot_grow_fourfold" {
  command = plan
  variables {
    source_database = { ca_file = "tests/ca.pem", storage_gb = 20000 }
  }
  expect_failures = [var.source_database]
}

run "port_below_the_least" {
  command = plan
  variables {
    source_database = { ca_file = "tests/ca.pem", port = 306 }
  }
  expect_failures = [var.source_database]
}

run "database_with_a_hyphen" {
  command = plan
  variables {
    source_database = { ca_file = "tests/ca.pem", database = "my-shop" }
  }
  expect_failures = [var.source_database]
}

run "backups_of_half_a_day" {
  command = plan
  variables {
    source_database = { ca_file = "tests/ca.pem", backup_days = 1.5 }
  }
  expect_failures = [var.source_database]
}

run "clients_by_name" {
  command = plan
  variables {
    source_database = { ca_file = "tests/ca.pem", client_security_group_ids = ["bastion"] }
  }
  expect_failures = [var.source_database]
}

run "clients_of_a_brought_source" {
  command = plan
  variables {
    source_database = { create = false, secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:mine-AbCdEf", client_security_group_ids = ["sg-1"] }
  }
  expect_failures = [var.source_database]
}

run "key_of_a_brought_secret_by_alias" {
  command = plan
  variables {
    source_database = { create = false, secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:mine-AbCdEf", secret_kms_key_arn = "alias/mine" }
  }
  expect_failures = [var.source_database]
}

run "network_of_ipv6" {
  command = plan
  variables {
    network = { cidr = "2001:db8::/56" }
  }
  expect_failures = [var.network]
}

run "network_that_is_too_small" {
  command = plan
  variables {
    network = { cidr = "10.42.0.0/25" }
  }
  expect_failures = [var.network]
}

run "network_that_is_too_large" {
  command = plan
  variables {
    network = { cidr = "10.0.0.0/8" }
  }
  expect_failures = [var.network]
}

run "network_not_by_its_first_address" {
  command = plan
  variables {
    network = { cidr = "10.42.0.1/20" }
  }
  expect_failures = [var.network]
}

run "brought_vpc_by_name" {
  command = plan
  variables {
    network = { create = false, vpc_id = "main", subnet_ids = ["subnet-1", "subnet-2"] }
  }
  expect_failures = [var.network]
}

run "one_subnet_twice" {
  command = plan
  variables {
    network = { create = false, vpc_id = "vpc-1", subnet_ids = ["subnet-1", "subnet-1"] }
  }
  expect_failures = [var.network]
}

run "retention_of_half_an_hour" {
  command = plan
  variables {
    binlog_retention_hours = 24.5
  }
  expect_failures = [var.binlog_retention_hours]
}

run "class_without_its_prefix" {
  command = plan
  variables {
    dms = { instance_class = "t3.medium" }
  }
  expect_failures = [var.dms]
}

run "storage_of_nothing" {
  command = plan
  variables {
    dms = { storage_gb = 1 }
  }
  expect_failures = [var.dms]
}

run "version_in_two_parts" {
  command = plan
  variables {
    dms = { engine_version = "3.5" }
  }
  expect_failures = [var.dms]
}

run "lob_of_half_a_kilobyte" {
  command = plan
  variables {
    dms = { max_lob_kb = 0.5 }
  }
  expect_failures = [var.dms]
}
