# Values just outside the valid range of the variables for the function and its zip, its doorbell and its alarms.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "checksum_in_base64" {
  command = plan
  variables {
    package = { s3_bucket = "b", s3_key = "c.zip", sha256 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" }
  }
  expect_failures = [var.package]
}

run "checksum_of_a_file" {
  command = plan
  variables {
    package = { file = "a.zip", sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" }
  }
  expect_failures = [var.package]
}

run "release_without_checksum" {
  command = plan
  variables {
    package = { version = "0.1.0" }
  }
  expect_failures = [var.package]
}

run "release_by_its_tag" {
  command = plan
  variables {
    package = { version = "v0.1.0", sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" }
  }
  expect_failures = [var.package]
}

run "release_and_file" {
  command = plan
  variables {
    package = { version = "0.1.0", sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", file = "a.zip" }
  }
  expect_failures = [var.package]
}

run "release_and_object" {
  command = plan
  variables {
    package = { version = "0.1.0", sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", s3_bucket = "b", s3_key = "c.zip" }
  }
  expect_failures = [var.package]
}

run "release_with_the_version_of_an_object" {
  command = plan
  variables {
    package = { version = "0.1.0", sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", s3_bucket = "b", s3_version = "abc" }
  }
  expect_failures = [var.package]
}

run "file_in_a_bucket" {
  command = plan
  variables {
    package = { file = "a.zip", s3_bucket = "b" }
  }
  expect_failures = [var.package]
}

run "object_without_a_bucket" {
  command = plan
  variables {
    package = { s3_key = "c.zip" }
  }
  expect_failures = [var.package]
}

run "bucket_alone" {
  command = plan
  variables {
    package = { s3_bucket = "b" }
  }
  expect_failures = [var.package]
}

run "mirror_of_a_bucket" {
  command = plan
  variables {
    package = { version = "0.1.0", sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", s3_bucket = "b", url = "https://mirror.example.com/{arch}.zip" }
  }
  expect_failures = [var.package]
}

run "mirror_with_a_password" {
  command = plan
  variables {
    package = { version = "0.1.0", sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", url = "https://me:secret@mirror.example.com/{arch}.zip" }
  }
  expect_failures = [var.package]
}

run "folder_without_a_bucket" {
  command = plan
  variables {
    package = { version = "0.1.0", sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", s3_prefix = "builds" }
  }
  expect_failures = [var.package]
}

run "folder_with_a_slash" {
  command = plan
  variables {
    package = { version = "0.1.0", sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", s3_bucket = "b", s3_prefix = "builds/" }
  }
  expect_failures = [var.package]
}

run "pinned_to_a_name" {
  command = plan
  variables {
    function = { pinned_version = "$LATEST" }
  }
  expect_failures = [var.function]
}

run "half_a_megabyte" {
  command = plan
  variables {
    function = { memory_mb = 1769.5 }
  }
  expect_failures = [var.function]
}

run "half_a_second" {
  command = plan
  variables {
    function = { timeout = 60.5 }
  }
  expect_failures = [var.function]
}

run "half_of_tmp" {
  command = plan
  variables {
    function = { tmp_mb = 600.5 }
  }
  expect_failures = [var.function]
}

run "half_a_concurrency" {
  command = plan
  variables {
    function = { reserved_concurrency = 3.5 }
  }
  expect_failures = [var.function]
}

run "log_level_in_words" {
  command = plan
  variables {
    function = { log_level = "very loud" }
  }
  expect_failures = [var.function]
}

run "retention_of_ten_days" {
  command = plan
  variables {
    function = { log_days = 10 }
  }
  expect_failures = [var.function]
}

run "half_a_batch" {
  command = plan
  variables {
    doorbell = { batch_size = 10.5 }
  }
  expect_failures = [var.doorbell]
}

run "half_a_window" {
  command = plan
  variables {
    doorbell = { batching_window = 1.5 }
  }
  expect_failures = [var.doorbell]
}

run "half_an_invocation" {
  command = plan
  variables {
    doorbell = { max_concurrency = 2.5 }
  }
  expect_failures = [var.doorbell]
}

run "few_receives" {
  command = plan
  variables {
    doorbell = { max_receives = 4 }
  }
  expect_failures = [var.doorbell]
}

run "receives_beyond_sqs" {
  command = plan
  variables {
    doorbell = { max_receives = 1001 }
  }
  expect_failures = [var.doorbell]
}

run "daily_sweep" {
  command = plan
  variables {
    doorbell = { sweep = "rate(1 day)" }
  }
  expect_failures = [var.doorbell]
}

run "sweep_every_two_hours" {
  command = plan
  variables {
    doorbell = { sweep = "rate(2 hours)" }
  }
  expect_failures = [var.doorbell]
}

run "sweep_in_61_minutes" {
  command = plan
  variables {
    doorbell = { sweep = "rate(61 minutes)" }
  }
  expect_failures = [var.doorbell]
}

run "sweep_by_cron" {
  command = plan
  variables {
    doorbell = { sweep = "cron(0 * * * ? *)" }
  }
  expect_failures = [var.doorbell]
}

run "sweep_of_one_minutes" {
  command = plan
  variables {
    doorbell = { sweep = "rate(1 minutes)" }
  }
  expect_failures = [var.doorbell]
}

run "half_a_minute_late" {
  command = plan
  variables {
    monitoring = { lag_minutes = 5.5 }
  }
  expect_failures = [var.monitoring]
}

run "later_than_expiry" {
  command = plan
  variables {
    monitoring = { lag_minutes = 43200 }
  }
  expect_failures = [var.monitoring]
}

run "topic_by_name" {
  command = plan
  variables {
    monitoring = { topic_arn = "alarms" }
  }
  expect_failures = [var.monitoring]
}

run "email_without_host" {
  command = plan
  variables {
    monitoring = { emails = ["data"] }
  }
  expect_failures = [var.monitoring]
}

run "email_twice" {
  command = plan
  variables {
    monitoring = { emails = ["a@b.c", "a@b.c"] }
  }
  expect_failures = [var.monitoring]
}
run "no_metrics" {
  command = plan
  variables {
    monitoring = { metrics = "off" }
  }
  expect_failures = [var.monitoring]
}

run "collector_by_name" {
  command = plan
  variables {
    monitoring = { otlp = "otlp.example.com" }
  }
  expect_failures = [var.monitoring]
}

run "collector_with_a_password" {
  command = plan
  variables {
    monitoring = { otlp = "https://me:secret@otlp.example.com" }
  }
  expect_failures = [var.monitoring]
}

run "headers_without_a_collector" {
  command = plan
  variables {
    monitoring = { otlp_headers = "api-key=secret" }
  }
  expect_failures = [var.monitoring]
}

run "headers_that_are_none" {
  command = plan
  variables {
    monitoring = { otlp = "https://otlp.example.com", otlp_headers = "secret" }
  }
  expect_failures = [var.monitoring]
}
