# What holds in every test that says nothing of its own.
name    = "shop"
package = { s3_bucket = "artifacts", s3_key = "dmslake.zip" }
tables  = { "shop.orders" = { keys = ["id"] } }

# A created source is not without authorities.
source_database = { ca_file = "tests/ca.pem" }

# Else every run warns that alarms reach nobody, which ends it.
monitoring = { emails = ["data@example.com"] }
