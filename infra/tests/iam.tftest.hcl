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
      for role in [aws_iam_role.dms_secret[0], aws_iam_role.dms_target[0], aws_iam_role.scheduler, aws_iam_role.job[0]] :
      jsondecode(role.assume_role_policy).Statement[0].Condition.StringEquals["aws:SourceAccount"] == "123456789012"
    ])
    error_message = "services may act only for this account"
  }
  assert {
    condition     = jsondecode(aws_iam_role.dms_target[0].assume_role_policy).Statement[0].Condition.ArnLike["aws:SourceArn"] == "arn:aws:dms:eu-west-1:123456789012:*"
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
      for statement in jsondecode(aws_iam_role_policy.dms_target[0].policy).Statement : [
        for resource in flatten([statement.Resource]) : startswith(resource, "arn:aws:s3:::shop-staging-123456789012-eu-west-1") || resource == aws_kms_key.this[0].arn
      ]
    ]))
    error_message = "DMS writes only to staging"
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.dms_secret[0].policy).Statement[0].Resource == aws_secretsmanager_secret.dms[0].arn
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

run "job" {
  assert {
    condition = { for statement in jsondecode(aws_iam_role_policy.job[0].policy).Statement : statement.Sid => [statement.Action, flatten([statement.Resource])] } == {
      ListStaging       = [["s3:ListBucket"], ["arn:aws:s3:::shop-staging-123456789012-eu-west-1"]]
      ReadStaging       = [["s3:GetObject"], ["arn:aws:s3:::shop-staging-123456789012-eu-west-1/dms/*"]]
      ReadConfiguration = [["s3:GetObject"], ["arn:aws:s3:::shop-lake-123456789012-eu-west-1/config/dmslake.toml", "arn:aws:s3:::shop-lake-123456789012-eu-west-1/config/dmslake.lock"]]
      ListLake          = [["s3:ListBucket"], ["arn:aws:s3:::shop-lake-123456789012-eu-west-1"]]
      WriteTables       = [["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"], ["arn:aws:s3:::shop-lake-123456789012-eu-west-1/tables/*"]]
      DeleteWhatExpired = [["s3:DeleteObject"], ["arn:aws:s3:::shop-lake-123456789012-eu-west-1/tables/*"]]
      KeepCatalog = [["glue:CreateTable", "glue:GetTable", "glue:UpdateTable"], [
        "arn:aws:glue:eu-west-1:123456789012:catalog",
        "arn:aws:glue:eu-west-1:123456789012:database/lake_web", "arn:aws:glue:eu-west-1:123456789012:table/lake_web/*",
        "arn:aws:glue:eu-west-1:123456789012:database/lake_shop", "arn:aws:glue:eu-west-1:123456789012:table/lake_shop/*",
      ]]
      ReadProgram = [["s3:GetObject"], ["arn:aws:s3:::shop-lake-123456789012-eu-west-1/job/*", "arn:aws:s3:::artifacts/dmslake"]]
      WriteLogs   = [["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"], ["arn:aws:logs:eu-west-1:123456789012:log-group:/aws-glue/jobs/shop-job/*:*"]]
      EncryptLogs = [["logs:AssociateKmsKey"], ["arn:aws:logs:eu-west-1:123456789012:log-group:/aws-glue/jobs/shop-job/*", "arn:aws:logs:eu-west-1:123456789012:log-group:/aws-glue/jobs/shop-job/*:*"]]
      KeyToRead   = [["kms:Decrypt"], [aws_kms_key.this[0].arn]]
      KeyToWrite  = [["kms:GenerateDataKey"], [aws_kms_key.this[0].arn]]
    }
    error_message = "the job may do what the function may do with tables, read its program and write its own logs"
  }
  assert {
    condition = { for statement in jsondecode(aws_iam_role_policy.job[0].policy).Statement : statement.Sid => statement.Condition.StringLike["s3:prefix"] if statement.Action == ["s3:ListBucket"] } == {
      ListStaging = ["dms/*"], ListLake = ["tables/*", "config/dmslake.toml", "config/dmslake.lock"]
    }
    error_message = "the job lists only by prefix"
  }
  assert {
    condition = [for statement in jsondecode(aws_iam_role_policy.function.policy).Statement : statement if statement.Sid == "HandOver"] == [{
      Sid      = "HandOver"
      Effect   = "Allow"
      Action   = ["glue:GetJobRun", "glue:StartJobRun"]
      Resource = "arn:aws:glue:eu-west-1:123456789012:job/${aws_glue_job.job[0].name}"
    }]
    error_message = "the function may start and see runs of this job, and of no other"
  }
  assert {
    condition = strcontains(aws_s3_object.config.content, <<-TEXT

      [hand_over]
      after_minutes = 30
      attempts = 3
      job = "${aws_glue_job.job[0].name}"
      to = "glue"
    TEXT
    )
    error_message = "the configuration names the job: ${aws_s3_object.config.content}"
  }
  assert {
    condition = aws_glue_job.job[0].default_arguments == tomap({
      "--binary"                 = "s3://artifacts/dmslake"
      "--sha256"                 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
      "--config"                 = "dmslake.toml"
      "--extra-files"            = "s3://shop-lake-123456789012-eu-west-1/${aws_s3_object.config.key}"
      "--custom-logGroup-prefix" = "/aws-glue/jobs/shop-job"
    })
    error_message = "the job has the program and the configuration"
  }
  assert {
    condition     = aws_glue_job.job[0].job_run_queuing_enabled && aws_glue_job.job[0].max_retries == 0 && one(aws_glue_job.job[0].execution_property).max_concurrent_runs == 4
    error_message = "four tables at once, others wait, and only the function repeats"
  }
  assert {
    condition     = output.commands.job == "dmslake job start --config dmslake.toml TABLE" && output.commands.job_runs == "aws glue get-job-runs --job-name shop-job"
    error_message = "commands start a run and list them"
  }
}

run "job_with_a_lock_file" {
  variables {
    job       = { program = "tests/ca.pem", hand_over = "report", after_minutes = 60, attempts = 5 }
    lock_file = "tests/dmslake.lock"
    redshift  = { enabled = false }
    tables    = { "shop.*" = {} }
  }
  assert {
    condition     = aws_glue_job.job[0].default_arguments["--extra-files"] == "s3://shop-lake-123456789012-eu-west-1/config/dmslake.toml,s3://shop-lake-123456789012-eu-west-1/${aws_s3_object.lock[0].key}"
    error_message = "the lock file is beside the configuration in the job, too"
  }
  assert {
    condition = (
      aws_glue_job.job[0].default_arguments["--sha256"] == filesha256("tests/ca.pem") &&
      aws_s3_object.program[0].key == "job/dmslake-${substr(filesha256("tests/ca.pem"), 0, 16)}" && aws_s3_object.program[0].kms_key_id == aws_kms_key.this[0].arn &&
      aws_glue_job.job[0].default_arguments["--binary"] == "s3://shop-lake-123456789012-eu-west-1/${aws_s3_object.program[0].key}"
    )
    error_message = "a file is uploaded, and found by its checksum"
  }
  assert {
    condition     = [for statement in jsondecode(aws_iam_role_policy.job[0].policy).Statement : statement.Resource if statement.Sid == "ReadProgram"] == [["arn:aws:s3:::shop-lake-123456789012-eu-west-1/job/*"]]
    error_message = "the job reads no other bucket"
  }
  assert {
    condition = !strcontains(aws_iam_role_policy.function.policy, "HandOver") && strcontains(aws_s3_object.config.content, <<-TEXT

      [hand_over]
      after_minutes = 60
      attempts = 5
      job = "shop-job"
      to = "report"
    TEXT
    )
    error_message = "a job that only people start: ${aws_s3_object.config.content}"
  }
}

run "no_job" {
  variables {
    job = {}
  }
  assert {
    condition = 0 == length(concat(
      aws_glue_job.job, aws_s3_object.job, aws_s3_object.program, aws_iam_role.job, aws_iam_role_policy.job,
      aws_glue_security_configuration.job, values(aws_cloudwatch_log_group.job),
    ))
    error_message = "without a program there is no job"
  }
  assert {
    condition     = !strcontains(aws_iam_role_policy.function.policy, "HandOver") && !strcontains(aws_iam_role_policy.function.policy, "glue:StartJobRun")
    error_message = "the function may not start a job that is not there"
  }
  assert {
    condition = strcontains(aws_s3_object.config.content, <<-TEXT

      [hand_over]
      after_minutes = 30
      attempts = 3
      to = "report"
    TEXT
    )
    error_message = "the function reports what is too much for it: ${aws_s3_object.config.content}"
  }
  assert {
    condition     = output.commands.job == null && output.commands.job_runs == null
    error_message = "there is nothing to start"
  }
}

run "without_a_key" {
  variables {
    kms = {}
  }
  assert {
    condition     = toset(keys(aws_cloudwatch_log_group.job)) == toset(["/aws-glue/jobs/shop-job/error", "/aws-glue/jobs/shop-job/output"]) && length(aws_glue_security_configuration.job) == 0
    error_message = "without a key the names of Glue's log groups contain no role"
  }
  assert {
    condition     = !strcontains(aws_iam_role_policy.job[0].policy, "kms:") && !strcontains(aws_iam_role_policy.job[0].policy, "AssociateKmsKey")
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
      aws_dms_s3_endpoint.target[0].server_side_encryption_kms_key_id == aws_kms_key.this[0].arn && aws_s3_object.config.kms_key_id == aws_kms_key.this[0].arn
    )
    error_message = "everything that can be encrypted is encrypted with the key"
  }
  assert {
    condition = (
      alltrue([for group in values(aws_cloudwatch_log_group.job) : group.kms_key_id == aws_kms_key.this[0].arn]) && length(aws_cloudwatch_log_group.job) == 2 &&
      aws_s3_object.job[0].kms_key_id == aws_kms_key.this[0].arn && aws_redshiftserverless_namespace.this[0].kms_key_id == aws_kms_key.this[0].arn &&
      one(one(one(aws_athena_workgroup.this[0].configuration).result_configuration).encryption_configuration) == { encryption_option = "SSE_KMS", kms_key_arn = aws_kms_key.this[0].arn } &&
      aws_dms_endpoint.source[0].kms_key_arn == aws_kms_key.this[0].arn && aws_dms_s3_endpoint.target[0].kms_key_arn == aws_kms_key.this[0].arn && aws_db_instance.this[0].master_user_secret_kms_key_id == aws_kms_key.this[0].arn
    )
    error_message = "readers' resources and passwords are encrypted too"
  }
  assert {
    condition = (
      aws_glue_job.job[0].security_configuration == aws_glue_security_configuration.job[0].name &&
      alltrue([for part in [
        one(one(aws_glue_security_configuration.job[0].encryption_configuration).cloudwatch_encryption),
        one(one(aws_glue_security_configuration.job[0].encryption_configuration).job_bookmarks_encryption),
        one(one(aws_glue_security_configuration.job[0].encryption_configuration).s3_encryption),
      ] : part.kms_key_arn == aws_kms_key.this[0].arn])
    )
    error_message = "everything that the Glue job writes is encrypted"
  }
  assert {
    # The names that Glue 5 gives to the groups of a job with a security configuration.
    condition = toset(keys(aws_cloudwatch_log_group.job)) == toset([
      for name in ["error", "output"] : "${aws_glue_job.job[0].default_arguments["--custom-logGroup-prefix"]}/${aws_glue_security_configuration.job[0].name}-role/${aws_iam_role.job[0].name}/${name}"
    ])
    error_message = "the job's log groups are the ones that Glue writes to"
  }
  assert {
    condition = alltrue([
      for group in keys(aws_cloudwatch_log_group.job) : anytrue([
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
        for action in statement.Action : statement.Sid == "HandOver" || !startswith(action, "glue:") && action != "s3:DeleteObject"
      ]
    ]))
    error_message = "a disabled feature also removes its permissions"
  }
  assert {
    condition = { for statement in jsondecode(aws_iam_role_policy.job[0].policy).Statement : statement.Sid => statement.Resource if contains(statement.Action, "s3:DeleteObject") || strcontains(jsonencode(statement.Action), "glue:") } == {
      DeleteScratch = "arn:aws:s3:::shop-lake-123456789012-eu-west-1/tables/_dmslake/scratch/*"
    }
    error_message = "the job deletes only what its tasks left to each other"
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
