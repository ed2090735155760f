# Where the function's zip comes from, and the version of the function that runs.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  package = { s3_bucket = "artifacts", s3_key = "dmslake.zip", sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" }
}

run "newest" {
  assert {
    condition     = aws_lambda_function.this.publish && aws_lambda_alias.live.function_version == aws_lambda_function.this.version
    error_message = "the alias points to the newest version"
  }
  assert {
    condition     = aws_lambda_function.this.source_code_hash == "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    error_message = "another object under the same key is noticed by its checksum"
  }
}

run "pinned" {
  variables {
    function = { pinned_version = "7" }
  }
  assert {
    condition     = aws_lambda_alias.live.function_version == "7"
    error_message = "a pinned alias stays, whatever is published"
  }
  assert {
    condition     = aws_lambda_event_source_mapping.doorbell.function_name == aws_lambda_alias.live.arn && one(aws_scheduler_schedule.this["sweep"].target).arn == aws_lambda_alias.live.arn
    error_message = "everything that invokes the function invokes the alias"
  }
}

run "object_without_checksum" {
  variables {
    package = { s3_bucket = "artifacts", s3_key = "dmslake.zip", s3_version = "abc" }
  }
  assert {
    condition     = aws_lambda_function.this.s3_object_version == "abc"
    error_message = "another object is noticed by its version"
  }
}

# The mocked function has the checksum of nothing.
run "object_with_another_checksum" {
  command = plan
  variables {
    package = { s3_bucket = "artifacts", s3_key = "dmslake.zip", sha256 = "5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9" }
  }
  expect_failures = [aws_lambda_alias.live]
}

run "pinned_beside_another_checksum" {
  variables {
    package  = { s3_bucket = "artifacts", s3_key = "dmslake.zip", sha256 = "5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9" }
    function = { pinned_version = "7" }
  }
  assert {
    condition     = aws_lambda_function.this.source_code_hash == "X+zrZv/IbzjZUnhsbWlsecLbwjndTpG0ZynXOif7V+k=" && aws_lambda_alias.live.function_version == "7"
    error_message = "what does not run prevents no rollback"
  }
}

run "release" {
  command = plan
  variables {
    package = { version = "0.1.0", sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" }
  }
  assert {
    condition     = local.package_url == "https://github.com/dmslake/dmslake/releases/download/v0.1.0/bootstrap-arm64.zip"
    error_message = "a release is taken from where the project publishes it"
  }
  assert {
    condition     = aws_s3_object.package[0].key == "function/0.1.0/bootstrap-arm64-e3b0c44298fc1c14.zip" && aws_lambda_function.this.s3_key == aws_s3_object.package[0].key && aws_lambda_function.this.s3_bucket == local.lake_bucket
    error_message = "Lambda takes it from the lake bucket, under a name that says what it is"
  }
  assert {
    condition     = aws_lambda_function.this.filename == null && aws_lambda_function.this.source_code_hash == "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    error_message = "no file is needed in later plans"
  }
}

run "release_for_x86_from_a_mirror" {
  command = plan
  variables {
    package  = { version = "0.1.0", sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", url = "http://mirror.example.com/{arch}/{version}.zip" }
    function = { architecture = "x86_64" }
  }
  assert {
    condition     = local.package_url == "http://mirror.example.com/x86_64/0.1.0.zip" && endswith(local.package_file, "/.terraform/dmslake/bootstrap-x86_64-e3b0c44298fc1c14.zip")
    error_message = "a mirror has names of its own"
  }
}

run "release_in_a_bucket" {
  variables {
    package  = { version = "0.1.0", sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", s3_bucket = "artifacts", s3_prefix = "builds/dmslake" }
    function = { architecture = "x86_64" }
  }
  assert {
    condition     = aws_lambda_function.this.s3_bucket == "artifacts" && aws_lambda_function.this.s3_key == "builds/dmslake/0.1.0/bootstrap-x86_64.zip" && length(terraform_data.package) == 0 && length(aws_s3_object.package) == 0
    error_message = "nothing is downloaded that is in a bucket"
  }
}
