# What is planned for checkov: as careful as it can be set, with a key whose ARN a plan can know.
name    = "shop"
package = { s3_bucket = "artifacts", s3_key = "dmslake.zip" }
kms     = { key_arn = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555" }
tables  = { "shop.orders" = { keys = ["id"], redshift_manifest = true } }

source_database = { ca_file = "tests/ca.pem", multi_az = true }
dms             = { multi_az = true }
function        = { log_days = 365, reserved_concurrency = 10 }
redshift        = { enabled = true }
job             = { s3_uri = "s3://artifacts/dmslake", sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" }
monitoring      = { emails = ["data@example.com"] }
