# What holds in every test that says nothing of its own.
name    = "shop"
package = { s3_bucket = "artifacts", s3_key = "dmslake.zip" }
tables  = { "shop.orders" = { keys = ["id"] } }

# A program whose checksum a plan can know.
job = { s3_uri = "s3://artifacts/dmslake", sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" }

# A created source is not without authorities.
source_database = { ca_file = "tests/ca.pem" }

# Else every run warns that alarms reach nobody, which ends it.
monitoring = { emails = ["data@example.com"] }
