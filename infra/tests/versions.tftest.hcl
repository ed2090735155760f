# The version of the function that runs.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  package = { s3_bucket = "artifacts", s3_key = "dmslake.zip", hash = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" }
}

run "newest" {
  assert {
    condition     = aws_lambda_function.this.publish && aws_lambda_alias.live.function_version == aws_lambda_function.this.version
    error_message = "the alias points to the newest version"
  }
  assert {
    condition     = aws_lambda_function.this.source_code_hash == "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    error_message = "another object under the same key is noticed by its hash"
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
    condition     = aws_lambda_event_source_mapping.doorbell.function_name == aws_lambda_alias.live.arn && one(aws_scheduler_schedule.sweep[0].target).arn == aws_lambda_alias.live.arn
    error_message = "everything that invokes the function invokes the alias"
  }
}

run "object_without_hash" {
  variables {
    package = { s3_bucket = "artifacts", s3_key = "dmslake.zip", s3_version = "abc" }
  }
  assert {
    condition     = aws_lambda_function.this.s3_object_version == "abc"
    error_message = "another object is noticed by its version"
  }
}
