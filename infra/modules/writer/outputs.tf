output "lake" {
  description = "Folder of the tables, each at <lake>/<schema>/<table>"
  value       = module.dmslake.lake
}

output "tables" {
  description = "Root folder of each table, by its name at the source"
  value       = module.dmslake.tables
}

output "configuration" {
  description = "The configuration that the function reads"
  value       = module.dmslake.configuration
}

output "dmslake_toml" {
  description = "The function's configuration as text, for the command line"
  value       = module.dmslake.dmslake_toml
}

output "dmslake_lock" {
  description = "The lock file beside it as text; null without patterns"
  value       = module.dmslake.dmslake_lock
}

output "function" {
  description = "Name and alias of the function"
  value       = module.dmslake.function
}

output "doorbell" {
  description = "The queues"
  value       = module.dmslake.doorbell
}

output "notification" {
  description = "What to add to the notification configuration of your staging bucket"
  value       = module.dmslake.notification
}

output "databases" {
  description = "Glue database of each schema"
  value       = module.dmslake.databases
}

output "athena_workgroup" {
  description = "Workgroup to query with"
  value       = module.dmslake.athena_workgroup
}

output "reader_policy_arn" {
  description = "Policy to attach to the roles of users who run queries"
  value       = module.dmslake.reader_policy_arn
}

output "alarm_topic_arn" {
  description = "Topic that alarms go to"
  value       = module.dmslake.alarm_topic_arn
}

output "commands" {
  description = "Commands for daily operation"
  value       = { for name, command in module.dmslake.commands : name => command if command != null }
}
