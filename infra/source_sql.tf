# What an administrator of the source runs once: the output source_sql as it is, or first_steps,
# which has the password too.

locals {
  dms_user    = "dmslake"
  dms_account = "'${local.dms_user}'@'%'"
  dms_require = local.source_tls ? "REQUIRE SSL" : "REQUIRE NONE"

  # In a GRANT an underscore in a schema's name stands for any character unless it is escaped.
  granted_schemas = [for schema in sort(local.schemas) : replace(replace(schema, "/([\\\\_%])/", "\\$1"), "`", "``")]

  source_grants = concat(
    ["GRANT REPLICATION CLIENT, REPLICATION SLAVE ON *.* TO ${local.dms_account};"],
    [for schema in local.granted_schemas : "GRANT SELECT ON `${schema}`.* TO ${local.dms_account};"],
    # No parameter in RDS: by default a binary log goes as soon as nobody needs it for a backup.
    ["CALL mysql.rds_set_configuration('binlog retention hours', ${var.binlog_retention_hours});"],
  )

  source_sql = join("\n", concat(
    var.source_database.create ? [] : [
      "-- ${local.dms_user} is to be `username` in the secret. Where the database is not in RDS, set",
      "-- binlog_expire_logs_seconds = ${var.binlog_retention_hours * 3600} in the place of the last statement.",
    ],
    ["CREATE USER ${local.dms_account} IDENTIFIED BY '<password of the secret>' ${local.dms_require};"],
    local.source_grants,
    [""],
  ))
}
