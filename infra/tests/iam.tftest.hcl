# Permissions, with everything enabled. Policies are checked as the JSON that is sent to AWS.
# policies.py finds all policies by itself and checks what applies to every statement.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  kms      = { create = true }
  redshift = { enabled = true }
  tables = {
    "shop.orders"      = { keys = ["id"], redshift_manifest = true }
    "shop.order_items" = { keys = ["order_id", "line"], merge = "auto" }
    "Web.views"        = { append_only = true }
  }
}

run "roles" {
  assert {
    condition = toset([for attachment in concat(aws_iam_role_policy_attachment.dms_vpc, aws_iam_role_policy_attachment.dms_logs) : attachment.policy_arn]) == toset([
      "arn:aws:iam::aws:policy/service-role/AmazonDMSVPCManagementRole", "arn:aws:iam::aws:policy/service-role/AmazonDMSCloudWatchLogsRole",
    ])
    error_message = "only the two AWS-managed policies that DMS requires"
  }
  assert {
    condition = alltrue([
      for role in [aws_iam_role.dms_secret, aws_iam_role.dms_target, aws_iam_role.scheduler, aws_iam_role.backfill[0]] :
      jsondecode(role.assume_role_policy).Statement[0].Condition.StringEquals["aws:SourceAccount"] == "123456789012"
    ])
    error_message = "services may act only for this account"
  }
  assert {
    condition     = jsondecode(aws_iam_role.dms_target.assume_role_policy).Statement[0].Condition.ArnLike["aws:SourceArn"] == "arn:aws:dms:eu-west-1:123456789012:*"
    error_message = "DMS may act only for its resources in this account"
  }
}

run "function" {
  assert {
    condition = sort(distinct(flatten([
      for statement in jsondecode(aws_iam_role_policy.function.policy).Statement : statement.Action
      if length([for resource in flatten([statement.Resource]) : resource if startswith(resource, "arn:aws:s3:::shop-staging-")]) > 0
    ]))) == tolist(["s3:GetObject", "s3:ListBucket"])
    error_message = "the function only reads staging"
  }
  assert {
    condition = alltrue([
      for statement in jsondecode(aws_iam_role_policy.function.policy).Statement :
      statement.Action != ["s3:ListBucket"] || length(try(statement.Condition.StringLike["s3:prefix"], [])) > 0
    ])
    error_message = "the function lists only by prefix"
  }
  assert {
    condition = { for statement in jsondecode(aws_iam_role_policy.function.policy).Statement : statement.Sid => [statement.Action, statement.Resource] if startswith(statement.Sid, "Write") || startswith(statement.Sid, "Delete") } == {
      WriteTables       = [["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"], "arn:aws:s3:::shop-lake-123456789012-eu-west-1/tables/*"]
      DeleteWhatExpired = [["s3:DeleteObject"], "arn:aws:s3:::shop-lake-123456789012-eu-west-1/tables/*"]
      WriteLogs         = [["logs:CreateLogStream", "logs:PutLogEvents"], "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/shop:*"]
    }
    error_message = "the function writes only under the tables' prefix and to its own logs"
  }
  assert {
    condition = [for statement in jsondecode(aws_iam_role_policy.function.policy).Statement : statement if statement.Sid == "KeepCatalog"] == [{
      Sid    = "KeepCatalog"
      Effect = "Allow"
      Action = ["glue:CreateTable", "glue:GetTable", "glue:UpdateTable"]
      Resource = [
        "arn:aws:glue:eu-west-1:123456789012:catalog",
        "arn:aws:glue:eu-west-1:123456789012:database/lake_web", "arn:aws:glue:eu-west-1:123456789012:table/lake_web/*",
        "arn:aws:glue:eu-west-1:123456789012:database/lake_shop", "arn:aws:glue:eu-west-1:123456789012:table/lake_shop/*",
      ]
    }]
    error_message = "the function maintains tables only in the databases created here"
  }
}

run "dms" {
  assert {
    condition = alltrue(flatten([
      for statement in jsondecode(aws_iam_role_policy.dms_target.policy).Statement : [
        for resource in flatten([statement.Resource]) : startswith(resource, "arn:aws:s3:::shop-staging-123456789012-eu-west-1") || resource == aws_kms_key.this[0].arn
      ]
    ]))
    error_message = "DMS writes only to staging"
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.dms_secret.policy).Statement[0].Resource == aws_secretsmanager_secret.dms[0].arn
    error_message = "DMS reads one secret"
  }
}

run "readers" {
  assert {
    condition = alltrue(flatten([
      for policy in [aws_iam_policy.reader[0].policy, aws_iam_role_policy.redshift[0].policy] : [
        for statement in jsondecode(policy).Statement : alltrue([for action in statement.Action : !contains(["s3:PutObject", "s3:DeleteObject"], action)]) ||
        statement.Resource == "arn:aws:s3:::shop-lake-123456789012-eu-west-1/athena/*"
      ]
    ]))
    error_message = "readers write only query results"
  }
  assert {
    condition = alltrue(flatten([
      for statement in jsondecode(aws_iam_role_policy.redshift[0].policy).Statement : [
        for resource in flatten([statement.Resource]) : endswith(resource, ":catalog") || strcontains(resource, "/lake_shop_spectrum")
      ] if anytrue([for action in statement.Action : startswith(action, "glue:")])
    ]))
    error_message = "Redshift has tables in its own databases and never changes those of the function"
  }
}

run "athena" {
  assert {
    condition = [for statement in jsondecode(aws_iam_policy.reader[0].policy).Statement : statement.Resource if statement.Sid == "SeeDefaultDatabase"] == ["arn:aws:glue:eu-west-1:123456789012:database/default"] && contains(
      one([for statement in jsondecode(aws_iam_policy.reader[0].policy).Statement : statement.Resource if statement.Sid == "ReadCatalog"]), "arn:aws:glue:eu-west-1:123456789012:catalog"
    )
    error_message = "Athena needs the catalog and the database default"
  }
  assert {
    condition = { for statement in jsondecode(aws_iam_policy.reader[0].policy).Statement : statement.Sid => statement.Condition.StringLike["s3:prefix"] if statement.Action == ["s3:ListBucket"] } == {
      ListTables = ["tables/*"], ListResults = ["athena/*"]
    }
    error_message = "readers list tables and results, and nothing else"
  }
}

run "backfill" {
  assert {
    condition = {
      for statement in jsondecode(aws_iam_role_policy.backfill[0].policy).Statement : statement.Sid => [statement.Action, statement.Resource] if startswith(statement.Sid, "See")
      } == {
      SeeWhetherPaused = [["lambda:GetEventSourceMapping"], aws_lambda_event_source_mapping.doorbell.arn]
      SeeWhetherSwept  = [["scheduler:GetSchedule"], "arn:aws:scheduler:eu-west-1:123456789012:schedule/default/${aws_scheduler_schedule.sweep[0].name}"]
    }
    error_message = "the job reads the state of queue and sweep and changes neither"
  }
  assert {
    condition     = aws_glue_job.backfill[0].default_arguments["--sweep"] == aws_scheduler_schedule.sweep[0].name
    error_message = "the job knows the name of the sweep"
  }
  assert {
    condition = [for statement in jsondecode(aws_iam_role_policy.backfill[0].policy).Statement : statement.Resource if statement.Sid == "EncryptLogs"] == [[
      "arn:aws:logs:eu-west-1:123456789012:log-group:/aws-glue/jobs/shop-backfill/*", "arn:aws:logs:eu-west-1:123456789012:log-group:/aws-glue/jobs/shop-backfill/*:*",
    ]]
    error_message = "the job associates its own log groups with the key"
  }
}

run "without_a_key" {
  variables {
    kms = {}
  }
  assert {
    condition     = toset(keys(aws_cloudwatch_log_group.backfill)) == toset(["/aws-glue/jobs/shop-backfill/error", "/aws-glue/jobs/shop-backfill/output"]) && length(aws_glue_security_configuration.backfill) == 0
    error_message = "without a key the names of Glue's log groups contain no role"
  }
  assert {
    condition     = !strcontains(aws_iam_role_policy.backfill[0].policy, "kms:") && !strcontains(aws_iam_role_policy.backfill[0].policy, "AssociateKmsKey")
    error_message = "without a key no permissions for one are needed"
  }
}

run "key" {
  assert {
    condition = alltrue([
      for statement in jsondecode(aws_kms_key.this[0].policy).Statement : try(length(statement.Condition), 0) > 0
      if try(statement.Principal.Service, null) != null
    ])
    error_message = "services use the key under a condition"
  }
  assert {
    condition = (
      alltrue([for bucket in values(aws_s3_bucket_server_side_encryption_configuration.this) : one(one(bucket.rule).apply_server_side_encryption_by_default).kms_master_key_id == aws_kms_key.this[0].arn]) &&
      aws_sqs_queue.doorbell.kms_master_key_id == aws_kms_key.this[0].arn && aws_sqs_queue.dead.kms_master_key_id == aws_kms_key.this[0].arn &&
      aws_sns_topic.alarms[0].kms_master_key_id == aws_kms_key.this[0].arn && aws_cloudwatch_log_group.function.kms_key_id == aws_kms_key.this[0].arn &&
      aws_lambda_function.this.kms_key_arn == aws_kms_key.this[0].arn && aws_db_instance.this[0].kms_key_id == aws_kms_key.this[0].arn &&
      aws_secretsmanager_secret.dms[0].kms_key_id == aws_kms_key.this[0].arn && aws_dms_replication_instance.this[0].kms_key_arn == aws_kms_key.this[0].arn &&
      aws_dms_s3_endpoint.target.server_side_encryption_kms_key_id == aws_kms_key.this[0].arn && aws_s3_object.config.kms_key_id == aws_kms_key.this[0].arn
    )
    error_message = "everything that can be encrypted is encrypted with the key"
  }
  assert {
    condition = (
      alltrue([for group in values(aws_cloudwatch_log_group.backfill) : group.kms_key_id == aws_kms_key.this[0].arn]) && length(aws_cloudwatch_log_group.backfill) == 2 &&
      aws_s3_object.backfill[0].kms_key_id == aws_kms_key.this[0].arn && aws_redshiftserverless_namespace.this[0].kms_key_id == aws_kms_key.this[0].arn &&
      one(one(one(aws_athena_workgroup.this[0].configuration).result_configuration).encryption_configuration) == { encryption_option = "SSE_KMS", kms_key_arn = aws_kms_key.this[0].arn } &&
      aws_dms_endpoint.source.kms_key_arn == aws_kms_key.this[0].arn && aws_dms_s3_endpoint.target.kms_key_arn == aws_kms_key.this[0].arn && aws_db_instance.this[0].master_user_secret_kms_key_id == aws_kms_key.this[0].arn
    )
    error_message = "readers' resources and passwords are encrypted too"
  }
  assert {
    condition = (
      aws_glue_job.backfill[0].security_configuration == aws_glue_security_configuration.backfill[0].name &&
      alltrue([for part in [
        one(one(aws_glue_security_configuration.backfill[0].encryption_configuration).cloudwatch_encryption),
        one(one(aws_glue_security_configuration.backfill[0].encryption_configuration).job_bookmarks_encryption),
        one(one(aws_glue_security_configuration.backfill[0].encryption_configuration).s3_encryption),
      ] : part.kms_key_arn == aws_kms_key.this[0].arn])
    )
    error_message = "everything that the Glue job writes is encrypted"
  }
  assert {
    # The names that Glue 5 gives to the groups of a job with a security configuration.
    condition = toset(keys(aws_cloudwatch_log_group.backfill)) == toset([
      for name in ["error", "output"] : "${aws_glue_job.backfill[0].default_arguments["--custom-logGroup-prefix"]}/${aws_glue_security_configuration.backfill[0].name}-role/${aws_iam_role.backfill[0].name}/${name}"
    ])
    error_message = "the job's log groups are the ones that Glue writes to"
  }
  assert {
    condition = alltrue([
      for group in keys(aws_cloudwatch_log_group.backfill) : anytrue([
        for pattern in one([for statement in jsondecode(aws_kms_key.this[0].policy).Statement : statement.Condition.ArnEquals["kms:EncryptionContext:aws:logs:arn"] if statement.Sid == "Logs"]) :
        startswith("arn:aws:logs:eu-west-1:123456789012:log-group:${group}", trimsuffix(pattern, "*"))
      ])
    ])
    error_message = "the key may be used for the job's log groups"
  }
}

run "no_deleting_no_catalog" {
  variables {
    maintain_delete = false
    catalog         = { enabled = false }
    athena          = { enabled = false }
    redshift        = { enabled = false }
  }
  assert {
    condition = alltrue(flatten([
      for statement in jsondecode(aws_iam_role_policy.function.policy).Statement : [
        for action in statement.Action : !startswith(action, "glue:") && action != "s3:DeleteObject"
      ]
    ]))
    error_message = "a disabled feature also removes its permissions"
  }
  assert {
    condition     = strcontains(aws_s3_object.config.content, "delete = false") && !strcontains(aws_s3_object.config.content, "[catalog]")
    error_message = "the configuration reflects disabled features"
  }
  assert {
    condition     = length(aws_glue_catalog_database.this) == 0 && length(aws_athena_workgroup.this) == 0
    error_message = "no catalog, no workgroup"
  }
}
