# Everything that moto can do. What it cannot: Redshift Serverless, DMS Serverless.
name = "shop"
kms  = { create = true }
tags = { Environment = "test" }

package = { file = "tests/package.zip" }
job     = { program = "tests/dmslake.sh", workers = 3 }

staging = { force_destroy = true }
lake    = { force_destroy = true }

source_database = { ca_file = "tests/ca.pem", deletion_protection = false, skip_final_snapshot = true }

tables = {
  "shop.orders" = {
    keys              = ["id"]
    redshift_manifest = true
    columns           = [{ name = "paid", type = "tinyint(1)", boolean = true }]
    rename            = { "unit price" = "unit_price" }
    store             = ["dms_ts"]
  }
  "shop.order_items"   = { keys = ["order_id", "line"], merge = "auto", freshness = "15m", retention = "3 days", log_retention = "30 days" }
  "Web_log.page_views" = { append_only = true, on_bad_row = "quarantine" }
}

monitoring = { emails = ["data@example.com"] }
