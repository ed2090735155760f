# The source and its replication: access, connections and what remains after deletion.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  tables = {
    "old_shop.orders" = { keys = ["id"] }
    "we`b.views"      = { append_only = true }
  }
}

run "default" {
  assert {
    condition     = aws_dms_endpoint.source[0].ssl_mode == "verify-full" && aws_dms_endpoint.source[0].certificate_arn == aws_dms_certificate.source[0].certificate_arn
    error_message = "a created source is reached through verified TLS"
  }
  assert {
    condition     = aws_secretsmanager_secret_version.dms[0].secret_string_wo_version == 1 && aws_secretsmanager_secret_version.dms[0].secret_string == null
    error_message = "the secret of DMS has a value, set by a write-only argument"
  }
  assert {
    condition     = startswith(aws_secretsmanager_secret.dms[0].name_prefix, "shop/") && aws_db_parameter_group.this[0].name_prefix == "shop-mysql-"
    error_message = "no resource has a name that cannot be reused"
  }
  assert {
    condition     = can(regex("^shop-final-[0-9]{14}$", aws_db_instance.this[0].final_snapshot_identifier))
    error_message = "each instance leaves its own snapshot"
  }
  assert {
    condition     = !aws_db_instance.this[0].allow_major_version_upgrade && aws_db_parameter_group.this[0].family == "mysql8.4"
    error_message = "no accidental upgrade to a major version"
  }
  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.client) == 0 && length(aws_vpc_security_group_ingress_rule.database) == 1
    error_message = "only DMS can reach the database"
  }
  assert {
    condition     = output.source_sql == <<-SQL
      CREATE USER 'dmslake'@'%' IDENTIFIED BY '<password of the secret>' REQUIRE SSL;
      GRANT REPLICATION CLIENT, REPLICATION SLAVE ON *.* TO 'dmslake'@'%';
      GRANT SELECT ON `old\_shop`.* TO 'dmslake'@'%';
      GRANT SELECT ON `we``b`.* TO 'dmslake'@'%';
      CALL mysql.rds_set_configuration('binlog retention hours', 72);
    SQL
    error_message = "the user may read these schemas, and none with similar names"
  }
  assert {
    condition     = !strcontains(output.first_steps, "aws dms") && strcontains(output.first_steps, file("tests/ca.pem"))
    error_message = "the first steps need only Secrets Manager and the database"
  }
  assert {
    condition     = aws_cloudwatch_log_group.dms[0].name == "dms-tasks-${aws_dms_replication_instance.this[0].replication_instance_id}" && aws_cloudwatch_log_group.dms[0].retention_in_days == 30
    error_message = "the logs of DMS expire"
  }
  assert {
    condition     = aws_cloudwatch_log_group.database[0].name == "/aws/rds/instance/${aws_db_instance.this[0].identifier}/error" && aws_cloudwatch_log_group.database[0].retention_in_days == 30
    error_message = "the logs of RDS expire"
  }
  assert {
    condition     = length(aws_cloudwatch_event_rule.replication) == 0
    error_message = "DMS reports about a task through a subscription"
  }
  assert {
    condition = (
      output.commands.stop_replication == "aws dms stop-replication-task --replication-task-arn arn:aws:dms:eu-west-1:123456789012:task:MOCK && aws dms wait replication-task-stopped --filters Name=replication-task-arn,Values=arn:aws:dms:eu-west-1:123456789012:task:MOCK" &&
      output.commands.resume_replication == "aws dms start-replication-task --start-replication-task-type resume-processing --replication-task-arn arn:aws:dms:eu-west-1:123456789012:task:MOCK"
    )
    error_message = "a task is stopped and resumed by commands"
  }
}

run "changed" {
  variables {
    kms      = { create = true }
    function = { log_days = 7 }
    source_database = {
      ca_file                     = "tests/ca.pem"
      client_security_group_ids   = ["sg-1", "sg-2"]
      password_version            = 2
      version                     = "8.4.7"
      allow_major_version_upgrade = true
      port                        = 3307
    }
  }
  assert {
    condition = [for rule in aws_vpc_security_group_ingress_rule.client : [rule.referenced_security_group_id, rule.from_port, rule.to_port]] == [
      ["sg-1", 3307, 3307], ["sg-2", 3307, 3307]
    ]
    error_message = "clients may reach the database's port"
  }
  assert {
    condition     = aws_secretsmanager_secret_version.dms[0].secret_string_wo_version == 2
    error_message = "a higher version creates another password"
  }
  assert {
    condition     = aws_db_instance.this[0].allow_major_version_upgrade && aws_db_instance.this[0].apply_immediately
    error_message = "a major upgrade is immediate, so that its parameter group can replace the old one"
  }
  assert {
    condition = [
      for statement in jsondecode(aws_kms_key.this[0].policy).Statement : statement.Condition.ArnEquals["kms:EncryptionContext:aws:logs:arn"]
      if statement.Sid == "Logs"
      ] == [[
        "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/shop",
        "arn:aws:logs:eu-west-1:123456789012:log-group:dms-tasks-shop-replication",
        "arn:aws:logs:eu-west-1:123456789012:log-group:/aws-glue/jobs/shop-job/*",
        "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/rds/instance/shop/error",
    ]]
    error_message = "all logs are encrypted with the key"
  }
  assert {
    condition = alltrue([
      for group in [aws_cloudwatch_log_group.dms[0], aws_cloudwatch_log_group.database[0]] : group.kms_key_id == aws_kms_key.this[0].arn && group.retention_in_days == 7
    ])
    error_message = "all logs are kept as long as those of the function"
  }
}

run "without_tls" {
  variables {
    source_database = { tls = false }
  }
  assert {
    condition     = aws_dms_endpoint.source[0].ssl_mode == "none" && length(aws_dms_certificate.source) == 0 && { for parameter in aws_db_parameter_group.this[0].parameter : parameter.name => parameter.value }["require_secure_transport"] == "OFF"
    error_message = "a source without TLS is possible on request"
  }
  assert {
    condition     = strcontains(output.source_sql, "REQUIRE NONE;") && !strcontains(output.first_steps, "ssl")
    error_message = "its user may connect without TLS"
  }
}

run "brought" {
  variables {
    source_database = {
      create     = false
      engine     = "aurora"
      secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:mine-AbCdEf"
      ca_file    = "tests/ca.pem"
    }
  }
  assert {
    condition     = length(aws_secretsmanager_secret_version.dms) == 0 && length(aws_cloudwatch_log_group.database) == 0 && aws_dms_endpoint.source[0].ssl_mode == "verify-full"
    error_message = "the secret and logs of an existing source are not changed"
  }
  assert {
    condition     = output.first_steps == null && startswith(output.source_sql, "-- dmslake must be `username` in the secret.") && strcontains(output.source_sql, "binlog_expire_logs_seconds = 259200") && strcontains(output.source_sql, "GRANT SELECT ON `old\\_shop`.*")
    error_message = "an output tells its administrator what to run"
  }
}

run "serverless" {
  variables {
    dms = { serverless = true }
    kms = { create = true }
  }
  assert {
    condition = jsondecode(aws_cloudwatch_event_rule.replication[0].event_pattern) == {
      source      = ["aws.dms"]
      detail-type = ["DMS Replication State Change"]
      resources   = ["arn:aws:dms:eu-west-1:123456789012:replication-config:MOCK"]
    }
    error_message = "only its own changes of state are reported"
  }
  assert {
    condition     = aws_cloudwatch_event_target.replication[0].arn == aws_sns_topic.alarms[0].arn && aws_cloudwatch_event_target.replication[0].rule == "shop-replication"
    error_message = "they are reported to the recipients of alarms"
  }
  assert {
    condition = [for statement in jsondecode(aws_kms_key.this[0].policy).Statement : statement if statement.Sid == "EventsIntoTopic"] == [{
      Sid       = "EventsIntoTopic"
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
      Resource  = "*"
      Condition = { StringEquals = { "kms:EncryptionContext:aws:sns:topicArn" = "arn:aws:sns:eu-west-1:123456789012:shop-alarms" } }
    }]
    error_message = "with the key of that topic, and only for that topic"
  }
  assert {
    condition     = aws_dms_replication_config.this[0].resource_identifier == "shop" && aws_cloudwatch_log_group.dms[0].name == "dms-serverless-replication-shop"
    error_message = "its log group matches its ARN"
  }
  assert {
    condition     = output.commands.stop_replication == "aws dms stop-replication --replication-config-arn arn:aws:dms:eu-west-1:123456789012:replication-config:MOCK"
    error_message = "a serverless replication has its own stop command"
  }
}
