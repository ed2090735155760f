# Values just outside the valid range of the variable for the job.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "program_twice" {
  command = plan
  variables {
    job = { program = "tests/ca.pem", s3_uri = "s3://artifacts/dmslake", sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" }
  }
  expect_failures = [var.job]
}

run "program_that_is_not_there" {
  command = plan
  variables {
    job = { program = "tests/none" }
  }
  expect_failures = [var.job]
}

run "object_without_sha256" {
  command = plan
  variables {
    job = { s3_uri = "s3://artifacts/dmslake" }
  }
  expect_failures = [var.job]
}

run "sha256_of_a_file" {
  command = plan
  variables {
    job = { program = "tests/ca.pem", sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" }
  }
  expect_failures = [var.job]
}

run "sha256_in_base64" {
  command = plan
  variables {
    job = { s3_uri = "s3://artifacts/dmslake", sha256 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" }
  }
  expect_failures = [var.job]
}

run "object_by_https" {
  command = plan
  variables {
    job = { s3_uri = "https://artifacts.s3.amazonaws.com/dmslake", sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" }
  }
  expect_failures = [var.job]
}

run "object_by_wildcard" {
  command = plan
  variables {
    job = { s3_uri = "s3://artifacts/*", sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" }
  }
  expect_failures = [var.job]
}

run "glue_without_a_program" {
  command = plan
  variables {
    job = { hand_over = "glue" }
  }
  expect_failures = [var.job]
}

run "hand_over_to_anybody" {
  command = plan
  variables {
    job = { hand_over = "emr" }
  }
  expect_failures = [var.job]
}

run "hand_over_to_nothing" {
  command = plan
  variables {
    job = { hand_over = "" }
  }
  expect_failures = [var.job]
}

run "too_much_at_once" {
  command = plan
  variables {
    job = { after_minutes = 0 }
  }
  expect_failures = [var.job]
}

run "half_a_minute" {
  command = plan
  variables {
    job = { after_minutes = 1.5 }
  }
  expect_failures = [var.job]
}

run "more_than_a_week" {
  command = plan
  variables {
    job = { after_minutes = 10081 }
  }
  expect_failures = [var.job]
}

run "no_attempt" {
  command = plan
  variables {
    job = { attempts = 0 }
  }
  expect_failures = [var.job]
}

run "half_an_attempt" {
  command = plan
  variables {
    job = { attempts = 2.5 }
  }
  expect_failures = [var.job]
}

run "twenty_one_attempts" {
  command = plan
  variables {
    job = { attempts = 21 }
  }
  expect_failures = [var.job]
}

run "older_glue" {
  command = plan
  variables {
    job = { glue_version = "4.0" }
  }
  expect_failures = [var.job]
}

run "worker_type_of_streams" {
  command = plan
  variables {
    job = { worker_type = "G.025X" }
  }
  expect_failures = [var.job]
}

run "one_worker" {
  command = plan
  variables {
    job = { workers = 1 }
  }
  expect_failures = [var.job]
}

run "half_a_worker" {
  command = plan
  variables {
    job = { workers = 2.5 }
  }
  expect_failures = [var.job]
}

run "three_hundred_workers" {
  command = plan
  variables {
    job = { workers = 300 }
  }
  expect_failures = [var.job]
}

run "job_without_end" {
  command = plan
  variables {
    job = { timeout = 0 }
  }
  expect_failures = [var.job]
}

run "job_of_eight_days" {
  command = plan
  variables {
    job = { timeout = 11520 }
  }
  expect_failures = [var.job]
}

run "no_run" {
  command = plan
  variables {
    job = { max_runs = 0 }
  }
  expect_failures = [var.job]
}

run "half_a_run" {
  command = plan
  variables {
    job = { max_runs = 1.5 }
  }
  expect_failures = [var.job]
}

run "fifty_one_runs" {
  command = plan
  variables {
    job = { max_runs = 51 }
  }
  expect_failures = [var.job]
}

run "lake_where_the_job_is" {
  command = plan
  variables {
    lake = { prefix = "job/tables" }
  }
  expect_failures = [var.lake]
}
