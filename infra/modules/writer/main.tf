# DMS runs already: creates only what turns its objects into tables. Everything is in the root module,
# which also validates what is passed on; null stands for its default.

module "dmslake" {
  source = "../.."

  dms     = { create = false }
  staging = merge(var.staging, { create = false })

  name            = var.name
  package         = var.package
  lake            = var.lake
  tables          = var.tables
  lock_file       = var.lock_file
  table_defaults  = var.table_defaults
  s3_settings     = var.s3_settings
  maintain_delete = var.maintain_delete
  function        = var.function
  doorbell        = var.doorbell
  monitoring      = var.monitoring
  catalog         = var.catalog
  athena          = var.athena
  job             = var.job
  kms             = var.kms
  tags            = var.tags
}
