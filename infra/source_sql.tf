# Statements that an administrator of the source runs once: the output source_sql, or first_steps,
# which also sets the password.

locals {
  dms_user    = "dmslake"
  dms_account = "'${local.dms_user}'@'%'"
  dms_require = local.source_tls ? "REQUIRE SSL" : "REQUIRE NONE"

  # In a GRANT, an underscore in a schema's name matches any character unless it is escaped.
  granted_schemas = [for schema in sort(local.schemas) : replace(replace(schema, "/([\\\\_%])/", "\\$1"), "`", "``")]

  source_grants = concat(
    ["GRANT REPLICATION CLIENT, REPLICATION SLAVE ON *.* TO ${local.dms_account};"],
    [for schema in local.granted_schemas : "GRANT SELECT ON `${schema}`.* TO ${local.dms_account};"],
    # Not a parameter in RDS. By default a binary log is deleted once no backup needs it.
    ["CALL mysql.rds_set_configuration('binlog retention hours', ${var.binlog_retention_hours});"],
  )

  source_sql = join("\n", concat(
    local.source_on ? [] : [
      "-- ${local.dms_user} must be `username` in the secret. If the database is not in RDS, set",
      "-- binlog_expire_logs_seconds = ${var.binlog_retention_hours * 3600} instead of the last statement.",
    ],
    ["CREATE USER ${local.dms_account} IDENTIFIED BY '<password of the secret>' ${local.dms_require};"],
    local.source_grants,
    [""],
  ))
}
