//! `dmslake init` for a task that runs already: from AWS, which moto stands for, or from the two files
//! that describe it.

use std::path::Path;

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_sdk_databasemigration::Client;
use aws_sdk_databasemigration::types::{
    DataFormatValue, MigrationTypeValue, ReplicationEndpointTypeValue, S3Settings,
};
use dmslake::config::load;
use dmslake::dms::{TableMappings, Task};
use serde_json::{Value, json};

use super::init::{INIT, parquet};
use super::{Said, dmslake, read, run, said, write};
use crate::support::moto::{BUCKET, Moto};

const SHOWN: &str =
    "message dms { OPTIONAL BYTE_ARRAY Op (UTF8); OPTIONAL BYTE_ARRAY dms_ts (UTF8);
    OPTIONAL INT64 id; OPTIONAL BYTE_ARRAY note (UTF8); OPTIONAL INT64 BI_id; }";

fn rules(more: &[Value]) -> Value {
    let mut rules = vec![
        json!({ "rule-type": "selection", "rule-id": "1", "rule-action": "include",
            "object-locator": { "schema-name": "shop", "table-name": "%" } }),
        json!({ "rule-type": "transformation", "rule-id": "2", "rule-target": "column",
            "rule-action": "add-before-image-columns",
            "object-locator": { "schema-name": "%", "table-name": "%" },
            "before-image-def": { "column-prefix": "BI_", "column-filter": "pk-only" } }),
    ];
    rules.extend(more.iter().cloned());
    json!({ "rules": rules })
}

/// Makes endpoints and a task, and gives its ARN.
async fn make_task(moto: &Moto, settings: &Value) -> String {
    let chain = aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(moto.endpoint())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .load()
        .await;
    let dms = Client::new(&chain);
    let s3 = S3Settings::builder()
        .bucket_name(BUCKET)
        .bucket_folder("dms/mysql")
        .data_format(DataFormatValue::Parquet)
        .timestamp_column_name("dms_ts")
        .include_op_for_full_load(true)
        .cdc_max_batch_interval(30)
        .build();
    let endpoint = |name: &str, kind, engine: &str| {
        let made = dms.create_endpoint().endpoint_identifier(name);
        made.endpoint_type(kind).engine_name(engine)
    };
    let source = endpoint("source", ReplicationEndpointTypeValue::Source, "mysql").send();
    let source = Box::pin(source).await;
    let target = endpoint("lake", ReplicationEndpointTypeValue::Target, "s3").s3_settings(s3);
    let target = Box::pin(target.send()).await.expect("made").endpoint.expect("one");
    let source = source.expect("made").endpoint.expect("one");
    let made = dms
        .create_replication_task()
        .replication_task_identifier("Shop-Orders_1")
        .source_endpoint_arn(source.endpoint_arn.expect("an ARN"))
        .target_endpoint_arn(target.endpoint_arn.expect("an ARN"))
        .replication_instance_arn("arn:aws:dms:us-east-1:123456789012:rep:I")
        .migration_type(MigrationTypeValue::FullLoadAndCdc)
        .table_mappings(rules(&[]).to_string())
        .replication_task_settings(settings.to_string())
        .send()
        .await;
    // moto writes times that the client does not understand, so its text is read.
    let error = made.expect_err("times");
    let body = error.raw_response().expect("an answer").body().bytes().expect("it was read");
    let answer: Value = serde_json::from_slice(body).expect("JSON");
    answer["ReplicationTask"]["ReplicationTaskArn"].as_str().expect("an ARN").to_owned()
}

fn init_of(home: &Path, moto: &Moto, arguments: &[&str]) -> Said {
    let mut command = dmslake(home, &[&["init"], arguments].concat());
    said(command.envs(moto.environment()).output().expect("the binary starts"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_runs_already_is_all_that_is_asked_for() {
    let Some(moto) = Moto::start() else { return };
    let settings = json!({
        "TargetMetadata": { "BatchApplyEnabled": true, "LobMaxSize": 32 },
        "ErrorBehavior": { "DataErrorPolicy": "LOG_ERROR" },
    });
    let arn = Box::pin(make_task(&moto, &settings)).await;
    moto.put("dms/mysql/shop/orders/20260301-120000000.parquet", parquet(SHOWN)).await;
    let home = tempfile::tempdir().expect("a temporary folder");
    let lake = format!("s3://{BUCKET}/tables");
    let done = init_of(home.path(), &moto, &["--dms-task", &arn, "--lake", &lake]);
    assert_eq!(done.code, Some(0), "{done:?}");

    let text = read(&home.path().join("dmslake.toml"));
    let found = load::parse(&text).expect(&text);
    assert_eq!(found.staging, format!("s3://{BUCKET}/dms/mysql"));
    assert_eq!(found.dms.timestamp_column_name.as_deref(), Some("dms_ts"));
    assert_eq!(found.tables[0].keys, ["id"]);

    // The variables say the same, and every member of the endpoint.
    let variables = read(&home.path().join("terraform.tfvars"));
    for line in [
        "name = \"shop-orders-1\"",
        "dms = { create = false }",
        "staging = { bucket = \"shop\", create = false, prefix = \"dms/mysql\" }",
        "lake = { bucket = \"shop\", create = false, prefix = \"tables\" }",
        "cdc_max_batch_interval = 30, data_format = \"parquet\"",
        "before_image_prefix = \"BI_\"",
        "  \"shop.orders\" = { keys = [\"id\"] }",
    ] {
        assert!(variables.contains(line), "{line} in\n{variables}");
    }
    assert!(!variables.contains("bucket_folder"), "{variables}");

    // What loses changes is told, written as it should be, and the commands name these files.
    for told in [
        "loses changes: TargetMetadata.BatchApplyEnabled = true: ",
        "loses changes: ErrorBehavior.DataErrorPolicy = \"LOG_ERROR\": ",
        "loses changes: ChangeProcessingDdlHandlingPolicy.HandleSourceTableTruncated = true: ",
        "loses changes: no rule add-column with $AR_H_CHANGE_SEQ: ",
        "LobMaxSize = 32",
        &format!("aws dms stop-replication-task --replication-task-arn {arn}"),
        "--replication-task-settings file://task-settings.json --table-mappings file://table-mappings.json",
        "--start-replication-task-type resume-processing",
    ] {
        assert!(done.err.contains(told), "{told} in {done:?}");
    }
    let mended: Value =
        serde_json::from_str(&read(&home.path().join("task-settings.json"))).expect("JSON");
    assert_eq!(mended["TargetMetadata"], json!({ "BatchApplyEnabled": false, "LobMaxSize": 32 }));
    let mappings = read(&home.path().join("table-mappings.json"));
    let mappings = TableMappings::parse(&mappings).expect("rules");
    assert_eq!(mappings.change_seq_column(), Some("cdc_seq"));
    assert_eq!(mappings.before_image_prefix(), Some("BI_"));

    let other = arn.replace(":task:", ":task:NOT");
    let done = init_of(home.path(), &moto, &["--dms-task", &other, "--lake", &lake, "--force"]);
    assert_eq!(done.code, Some(2), "{done:?}");
    assert!(done.err.contains("there is no such task in this account and region"), "{done:?}");
}

/// Without AWS: the output of its command line. A task without flaws is told nothing of.
#[test]
fn two_files_do_the_same() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let object = "staging/shop/orders/20260301-120000000.parquet";
    write(&home.path().join(object), parquet(SHOWN));
    let endpoint = json!({ "Endpoints": [{ "EndpointArn": "arn:aws:dms:eu-west-1:1:endpoint:E",
        "EndpointType": "TARGET", "EngineName": "s3",
        "S3Settings": { "BucketName": "b", "DataFormat": "parquet", "TimestampColumnName": "dms_ts",
            "PreserveTransactions": false } }] });
    let described = |settings: &Value, mappings: &Value| {
        json!({ "ReplicationConfigs": [{
            "ReplicationConfigArn": "arn:aws:dms:eu-west-1:1:replication-config:R",
            "ReplicationSettings": settings.to_string(), "TableMappings": mappings.to_string() }] })
        .to_string()
    };
    let sequence = json!({ "rule-type": "transformation", "rule-id": "3", "rule-target": "column",
        "rule-action": "add-column", "value": "seq", "expression": "$AR_H_CHANGE_SEQ",
        "object-locator": { "schema-name": "%", "table-name": "%" } });
    let init = |task: &str, more: &[&str]| {
        write(&home.path().join("endpoint.json"), endpoint.to_string());
        write(&home.path().join("task.json"), task);
        let files =
            ["--endpoint-settings", "endpoint.json", "--table-mappings", "task.json", "--force"];
        run(home.path(), &[&INIT[..], &files, more].concat())
    };
    let flawed = described(&json!({}), &rules(&[]));
    let done = init(&flawed, &["--tfvars", "new.tfvars"]);
    assert_eq!(done.code, Some(2), "staging is a folder: {done:?}");
    assert!(done.err.contains("Terraform's variables are for places on S3"), "{done:?}");
    let done = init(&flawed, &[]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(!home.path().join("terraform.tfvars").exists(), "nobody asked for it");
    let command = "aws dms modify-replication-config --replication-config-arn \
                   arn:aws:dms:eu-west-1:1:replication-config:R --replication-settings \
                   file://task-settings.json --table-mappings file://table-mappings.json";
    assert!(done.err.contains(command), "{done:?}");

    let task = Task::parse(&flawed).expect("JSON").expect("a task");
    let settings = task.mended_settings().expect("it has flaws");
    let done = init(&described(&settings, &rules(&[sequence])), &[]);
    assert!(!done.err.contains("loses changes") && !done.err.contains("aws dms"), "{done:?}");
}
