# Values that would break the pipeline or lose data are refused, with the variable's name.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "name_of_a_bucket" {
  command = plan
  variables {
    name = "My_Shop"
  }
  expect_failures = [var.name]
}

run "key_made_and_brought" {
  command = plan
  variables {
    kms = { create = true, key_arn = "arn:aws:kms:eu-west-1:123456789012:key/1" }
  }
  expect_failures = [var.kms]
}

run "key_by_alias" {
  command = plan
  variables {
    kms = { key_arn = "arn:aws:kms:eu-west-1:123456789012:alias/a" }
  }
  expect_failures = [var.kms]
}

run "no_tables" {
  command = plan
  variables {
    tables = {}
  }
  expect_failures = [var.tables]
}

run "table_without_schema" {
  command = plan
  variables {
    tables = { orders = { keys = ["id"] } }
  }
  expect_failures = [var.tables]
}

run "table_with_wildcard" {
  command = plan
  variables {
    tables = { "shop.order%" = { keys = ["id"] } }
  }
  expect_failures = [var.tables]
}

run "table_without_keys" {
  command = plan
  variables {
    tables = { "shop.orders" = {} }
  }
  expect_failures = [var.tables]
}

run "append_only_with_keys" {
  command = plan
  variables {
    tables = { "shop.orders" = { keys = ["id"], append_only = true } }
  }
  expect_failures = [var.tables]
}

run "unknown_merge" {
  command = plan
  variables {
    tables = { "shop.orders" = { keys = ["id"], merge = "merge-on-read" } }
  }
  expect_failures = [var.tables]
}

run "unknown_on_bad_row" {
  command = plan
  variables {
    tables = { "shop.orders" = { keys = ["id"], on_bad_row = "skip" } }
  }
  expect_failures = [var.tables]
}

run "unknown_guard" {
  command = plan
  variables {
    tables = { "shop.orders" = { keys = ["id"], guard = "on" } }
  }
  expect_failures = [var.tables]
}

run "empty_policy" {
  command = plan
  variables {
    tables = { "shop.orders" = { keys = ["id"], on_bad_row = "" } }
  }
  expect_failures = [var.tables]
}

run "share_in_percent" {
  command = plan
  variables {
    tables = { "shop.orders" = { keys = ["id"], max_bad_rows = { share = 25 } } }
  }
  expect_failures = [var.tables]
}

run "part_of_a_row" {
  command = plan
  variables {
    tables = { "shop.orders" = { keys = ["id"], max_change_fraction = { min_rows = 1.5 } } }
  }
  expect_failures = [var.tables]
}

run "retention_of_no_days" {
  command = plan
  variables {
    tables = { "shop.orders" = { keys = ["id"], tombstone_retention_days = 0 } }
  }
  expect_failures = [var.tables]
}

run "manifest_with_deletion_vectors" {
  command = plan
  variables {
    tables = { "shop.orders" = { keys = ["id"], merge = "deletion-vectors", redshift_manifest = true } }
  }
  expect_failures = [var.tables]
}

run "manifest_with_vectors_by_default" {
  command = plan
  variables {
    tables         = { "shop.orders" = { keys = ["id"], redshift_manifest = true } }
    table_defaults = { merge = "auto" }
  }
  expect_failures = [var.tables]
}

run "tables_of_one_name" {
  command = plan
  variables {
    tables = { "shop.Orders" = { keys = ["id"] }, "shop.orders" = { keys = ["id"] } }
  }
  expect_failures = [var.tables]
}

run "name_that_glue_does_not_know" {
  command = plan
  variables {
    tables = { "shop.orders" = { keys = ["id"], name = "Orders" } }
  }
  expect_failures = [var.tables]
}

run "schemas_of_one_database" {
  command = plan
  variables {
    tables = { "shop.a" = { keys = ["id"] }, "Shop.b" = { keys = ["id"] } }
  }
  expect_failures = [var.tables]
}

run "redshift_without_manifest" {
  command = plan
  variables {
    redshift = { enabled = true }
  }
  expect_failures = [var.redshift]
}

run "athena_without_catalog" {
  command = plan
  variables {
    catalog = { enabled = false }
  }
  expect_failures = [var.athena]
}

run "database_prefix" {
  command = plan
  variables {
    catalog = { database_prefix = "Lake-" }
  }
  expect_failures = [var.catalog]
}

run "brought_source_without_secret" {
  command = plan
  variables {
    source_database = { create = false }
  }
  expect_failures = [var.source_database]
}

run "source_without_binary_log" {
  command = plan
  variables {
    source_database = { backup_days = 0 }
  }
  expect_failures = [var.source_database]
}

run "brought_network_without_subnets" {
  command = plan
  variables {
    network = { create = false, vpc_id = "vpc-1" }
  }
  expect_failures = [var.network]
}

run "brought_bucket_without_name" {
  command = plan
  variables {
    staging = { create = false }
  }
  expect_failures = [var.staging]
}

run "prefix_with_slash" {
  command = plan
  variables {
    staging = { prefix = "dms/" }
  }
  expect_failures = [var.staging]
}

run "expiry_of_a_day" {
  command = plan
  variables {
    staging = { expiry_days = 1 }
  }
  expect_failures = [var.staging]
}

run "tables_where_configuration_is" {
  command = plan
  variables {
    lake = { prefix = "config" }
  }
  expect_failures = [var.lake]
}

run "one_bucket_for_both" {
  command = plan
  variables {
    staging = { bucket = "one" }
    lake    = { bucket = "one" }
  }
  expect_failures = [var.lake]
}

run "retention_of_hours" {
  command = plan
  variables {
    binlog_retention_hours = 1
  }
  expect_failures = [var.binlog_retention_hours]
}

run "unknown_error_policy" {
  command = plan
  variables {
    dms = { on_data_error = "FAIL" }
  }
  expect_failures = [var.dms]
}

run "capacity_units" {
  command = plan
  variables {
    dms = { serverless = true, max_capacity_units = 3 }
  }
  expect_failures = [var.dms]
}

run "one_column_for_two" {
  command = plan
  variables {
    staged_format = { timestamp_column = "x", change_seq_column = "x" }
  }
  expect_failures = [var.staged_format]
}

run "no_before_images" {
  command = plan
  variables {
    staged_format = { before_image_prefix = "" }
  }
  expect_failures = [var.staged_format]
}

run "two_packages" {
  command = plan
  variables {
    package = { file = "a.zip", s3_bucket = "b", s3_key = "c.zip" }
  }
  expect_failures = [var.package]
}

run "no_package" {
  command = plan
  variables {
    package = {}
  }
  expect_failures = [var.package]
}

run "timeout_beyond_lambda" {
  command = plan
  variables {
    function = { timeout = 1000 }
  }
  expect_failures = [var.function]
}

run "architecture" {
  command = plan
  variables {
    function = { architecture = "arm" }
  }
  expect_failures = [var.function]
}

run "concurrency_below_the_doorbell" {
  command = plan
  variables {
    function = { reserved_concurrency = 2 }
  }
  expect_failures = [var.function]
}

run "one_at_a_time" {
  command = plan
  variables {
    doorbell = { max_concurrency = 1 }
  }
  expect_failures = [var.doorbell]
}

run "large_batch_without_window" {
  command = plan
  variables {
    doorbell = { batching_window = 0 }
  }
  expect_failures = [var.doorbell]
}

run "sweep_in_words" {
  command = plan
  variables {
    doorbell = { sweep = "hourly" }
  }
  expect_failures = [var.doorbell]
}

run "emails_to_a_brought_topic" {
  command = plan
  variables {
    monitoring = { topic_arn = "arn:aws:sns:eu-west-1:123456789012:t", emails = ["a@b.c"] }
  }
  expect_failures = [var.monitoring]
}

run "pattern_of_schemas" {
  command = plan
  variables {
    tables    = { "sh*.orders" = {} }
    lock_file = "tests/dmslake.lock"
  }
  expect_failures = [var.tables]
}

run "exception_without_schema" {
  command = plan
  variables {
    tables    = { "shop.*" = { except = ["audit"] } }
    lock_file = "tests/dmslake.lock"
  }
  expect_failures = [var.tables]
}

run "exception_of_one_table" {
  command = plan
  variables {
    tables = { "shop.orders" = { keys = ["id"], except = ["shop.old"] } }
  }
  expect_failures = [var.tables]
}

run "name_of_a_pattern" {
  command = plan
  variables {
    tables    = { "shop.*" = { name = "orders" } }
    lock_file = "tests/dmslake.lock"
  }
  expect_failures = [var.tables]
}

run "exception_that_is_named_elsewhere" {
  command = plan
  variables {
    tables    = { "shop.*" = { except = ["shop.order*"] }, "shop.orders" = {} }
    lock_file = "tests/dmslake.lock"
  }
  expect_failures = [var.tables]
}

run "pattern_without_lock_file" {
  command = plan
  variables {
    tables = { "shop.*" = {}, "shop.orders" = { keys = ["id"] } }
  }
  expect_failures = [var.lock_file]
}

run "lock_file_that_is_not_there" {
  command = plan
  variables {
    tables    = { "shop.*" = {}, "shop.orders" = { keys = ["id"] } }
    lock_file = "tests/none.lock"
  }
  expect_failures = [var.lock_file]
}

run "pattern_that_matches_nothing" {
  command = plan
  variables {
    tables    = { "bank.*" = {}, "shop.orders" = { keys = ["id"] } }
    lock_file = "tests/dmslake.lock"
  }
  expect_failures = [var.lock_file]
}
