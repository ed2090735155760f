# Values just outside the valid range of the variables for tables, readers and tags.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "tag_of_aws" {
  command = plan
  variables {
    tags = { "aws:owner" = "me" }
  }
  expect_failures = [var.tags]
}

run "tag_without_name" {
  command = plan
  variables {
    tags = { "" = "me" }
  }
  expect_failures = [var.tags]
}

run "tag_with_a_star" {
  command = plan
  variables {
    tags = { owner = "m*" }
  }
  expect_failures = [var.tags]
}

run "tag_too_long" {
  command = plan
  variables {
    tags = { owner = join("", [for i in range(257) : "x"]) }
  }
  expect_failures = [var.tags]
}

run "ten_tags" {
  command = plan
  variables {
    tags = { for i in range(10) : "t${i}" => "x" }
  }
  expect_failures = [var.tags]
}

run "long_database_prefix" {
  command = plan
  variables {
    catalog = { database_prefix = join("", [for i in range(65) : "x"]) }
  }
  expect_failures = [var.catalog]
}

run "scan_below_the_floor" {
  command = plan
  variables {
    athena = { max_scan_gb = 0.01 }
  }
  expect_failures = [var.athena]
}

run "half_a_day_of_results" {
  command = plan
  variables {
    athena = { results_days = 1.5 }
  }
  expect_failures = [var.athena]
}

run "capacity_between_steps" {
  command = plan
  variables {
    redshift = { base_capacity = 12 }
  }
  expect_failures = [var.redshift]
}

run "maximum_below_base" {
  command = plan
  variables {
    redshift = { base_capacity = 32 }
  }
  expect_failures = [var.redshift]
}

run "database_with_a_hyphen" {
  command = plan
  variables {
    redshift = { database = "my-data" }
  }
  expect_failures = [var.redshift]
}

run "half_an_interval" {
  command = plan
  variables {
    staged_format = { batch_interval = 0.5 }
  }
  expect_failures = [var.staged_format]
}

run "half_a_kilobyte" {
  command = plan
  variables {
    staged_format = { batch_size_kb = 1.5 }
  }
  expect_failures = [var.staged_format]
}

run "unknown_default_of_merge" {
  command = plan
  variables {
    table_defaults = { merge = "fast" }
  }
  expect_failures = [var.table_defaults]
}

run "unknown_default_on_bad_row" {
  command = plan
  variables {
    table_defaults = { on_bad_row = "skip" }
  }
  expect_failures = [var.table_defaults]
}

run "default_share_below_nothing" {
  command = plan
  variables {
    table_defaults = { max_change_fraction = { deleted = -1 } }
  }
  expect_failures = [var.table_defaults]
}

run "default_retention_of_a_part_of_a_day" {
  command = plan
  variables {
    table_defaults = { tombstone_retention_days = 1.5 }
  }
  expect_failures = [var.table_defaults]
}

run "key_column_twice" {
  command = plan
  variables {
    tables = { "shop.orders" = { keys = ["id", "id"] } }
  }
  expect_failures = [var.tables]
}
