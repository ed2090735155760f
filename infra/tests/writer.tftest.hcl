# modules/writer comes to the same as the root module with dms = { create = false }: tests/same.py
# compares what both plan, by inputs that have no default value.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name            = "orders"
  package         = { s3_bucket = "artifacts", version = "0.1.0", sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" }
  lake            = { create = false, bucket = "my-lake", prefix = "delta" }
  tables          = { "shop.*" = { except = ["shop.audit_*"] }, "web.views" = { append_only = true } }
  lock_file       = "tests/dmslake.lock"
  table_defaults  = { merge = "deletion-vectors", freshness = "10m", retention = "3 days" }
  s3_settings     = { data_format = "parquet", timestamp_column_name = "ts" }
  maintain_delete = false
  function        = { architecture = "x86_64", memory_mb = 3008, log_level = "debug" }
  doorbell        = { batching_window = 60 }
  monitoring      = { emails = ["data@example.com"], lag_minutes = 30 }
  catalog         = { database_prefix = "raw_" }
  athena          = { max_scan_gb = 5, results_days = 3 }
  job             = { s3_uri = "s3://artifacts/dmslake", sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", workers = 4 }
  kms             = { key_arn = "arn:aws:kms:eu-west-1:123456789012:key/ours" }
  tags            = { Team = "data" }
}

run "root" {
  command = plan
  variables {
    dms     = { create = false }
    staging = { create = false, bucket = "my-dms", prefix = "landing", expiry_days = 90, kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/theirs" }
  }
}

run "writer" {
  command = plan
  module {
    source = "./modules/writer"
  }
  variables {
    staging = { bucket = "my-dms", prefix = "landing", expiry_days = 90, kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/theirs" }
  }
}

# Only what must be said.
run "root_by_default" {
  command = plan
  variables {
    name            = null
    lake            = null
    tables          = { "shop.orders" = { keys = ["id"] } }
    lock_file       = null
    table_defaults  = null
    s3_settings     = null
    maintain_delete = null
    function        = null
    doorbell        = null
    catalog         = null
    athena          = null
    job             = null
    kms             = null
    tags            = null
    dms             = { create = false }
    staging         = { create = false, bucket = "my-dms" }
  }
}

run "writer_by_default" {
  command = plan
  module {
    source = "./modules/writer"
  }
  variables {
    name            = null
    lake            = null
    tables          = { "shop.orders" = { keys = ["id"] } }
    lock_file       = null
    table_defaults  = null
    s3_settings     = null
    maintain_delete = null
    function        = null
    doorbell        = null
    catalog         = null
    athena          = null
    job             = null
    kms             = null
    tags            = null
    staging         = { bucket = "my-dms" }
  }
  assert {
    condition     = output.notification.QueueConfigurations[0].Filter.Key.FilterRules[0].Value == "dms/"
    error_message = "the folder is DMS's default"
  }
  assert {
    condition     = contains(keys(output.commands), "sweep") && !contains(keys(output.commands), "start_replication")
    error_message = "no command is for a DMS that is not here"
  }
}
