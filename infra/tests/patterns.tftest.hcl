# Patterns in `tables`: the rules of the task, dmslake.toml and the lock file beside it.

mock_provider "aws" {
  source = "./tests/mocks"
}

run "patterns" {
  variables {
    tables = {
      "shop.*" = { except = ["shop.audit_*"], merge = "auto" }
      "shop.orders" = {
        on_bad_row          = "quarantine", max_bad_rows = { share = 0.25 }, guard = "off"
        max_change_fraction = { deleted = 0.5, min_rows = 100 }, renamed = { note = "remark" }
      }
    }
    table_defaults = { on_column_gone = "hold", tombstone_retention_days = 30 }
    lock_file      = "tests/dmslake.lock"
  }
  assert {
    condition = [for rule in jsondecode(output.table_mappings).rules : [rule.rule-action, rule.object-locator.table-name] if rule.rule-type == "selection"] == [
      ["include", "%"], ["include", "orders"], ["exclude", "audit[_]%"],
    ]
    error_message = "DMS selects what the patterns match"
  }
  assert {
    condition = strcontains(output.dmslake_toml, <<-TEXT
      [[table]]
      source = { schema = "shop", table = "*" }
      except = ["shop.audit_*"]
      merge = "auto"

      [[table]]
      source = { schema = "shop", table = "orders" }
      guard = "off"
      max_bad_rows = { share = 0.25 }
      max_change_fraction = { deleted = 0.5, min_rows = 100 }
      on_bad_row = "quarantine"
      renamed = { note = "remark" }
    TEXT
    )
    error_message = "dmslake.toml has the patterns, and of each table what is set for it: ${output.dmslake_toml}"
  }
  assert {
    condition = strcontains(output.dmslake_toml, <<-TEXT
      [defaults]
      merge = "copy-on-write"
      on_column_gone = "hold"
      tombstone_retention_days = 30
    TEXT
    )
    error_message = "what is set for all tables: ${output.dmslake_toml}"
  }
  assert {
    condition     = aws_s3_object.lock[0].key == "config/dmslake.lock" && aws_s3_object.lock[0].content == file("tests/dmslake.lock") && output.dmslake_lock == file("tests/dmslake.lock")
    error_message = "the lock file is beside the configuration"
  }
  assert {
    condition     = keys(output.tables) == ["shop.customers", "shop.order_items", "shop.orders"]
    error_message = "every table by its name, without exceptions"
  }
  assert {
    condition     = keys(output.databases) == tolist(["shop"])
    error_message = "one database for a schema"
  }
}

run "manifests_of_a_pattern" {
  variables {
    redshift  = { enabled = true }
    tables    = { "shop.order*" = { redshift_manifest = true }, "shop.customers" = { keys = ["id"] } }
    lock_file = "tests/dmslake.lock"
  }
  assert {
    condition     = endswith(output.commands.redshift, " shop.order_items shop.orders")
    error_message = "tables of a pattern have its settings: ${output.commands.redshift}"
  }
}

run "no_patterns" {
  assert {
    condition     = length(aws_s3_object.lock) == 0 && output.dmslake_lock == null
    error_message = "without patterns there is no lock file"
  }
}
