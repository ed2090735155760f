//! Every kind of event that invokes the function: what it asks for, and for which tables.

use std::sync::Arc;

use dmslake::clock::SystemClock;
use dmslake::config::{
    CatalogSettings, HandOverSettings, LookBack, MaintainSettings, MetricsSettings, ReloadSettings,
    Settings, SourcePattern, TableName, TablePattern, TableSpec,
};
use dmslake::dms::S3Settings;
use dmslake::event::{Content, Doorbell, Invocation, Unreadable, parse, route};
use dmslake::pipeline::{Pipeline, Scope};
use dmslake::storage::{Location, StoreKind};
use object_store::memory::InMemory;
use serde_json::{Value, json};
use url::Url;

use crate::support::events::{event_bridge, queue, s3_record, sns, test_event};
use crate::support::world::plain_table;

fn object(key: &str) -> Doorbell {
    Doorbell::Object { bucket: "staging".into(), key: key.into() }
}

fn direct(event: &Value) -> Content {
    match parse(event) {
        Invocation::Direct(content) => content,
        Invocation::Queue(messages) => panic!("taken for a batch: {messages:?}"),
    }
}

fn batch(event: &Value) -> Vec<(String, Content)> {
    match parse(event) {
        Invocation::Queue(messages) => {
            messages.into_iter().map(|message| (message.id, message.content)).collect()
        }
        Invocation::Direct(content) => panic!("taken for a direct event: {content:?}"),
    }
}

/// What an event asks for must not depend on how it arrived.
fn by_every_way(event: &Value) -> Content {
    let content = direct(event);
    assert_eq!(direct(&sns(event)), content, "in an SNS envelope");
    let record = json!({"EventSource": "aws:sns", "EventVersion": "1.0", "Sns": sns(event)});
    assert_eq!(direct(&json!({"Records": [record]})), content, "from SNS directly");
    let queued = batch(&queue(&[("a", event), ("b", &sns(event))]));
    assert_eq!(queued, [("a".into(), content.clone()), ("b".into(), content.clone())]);
    content
}

#[test]
fn keys_of_notifications_are_form_decoded_once() {
    let keys = [
        ("dms/shop/orders/2026+a%2Bb.parquet", "dms/shop/orders/2026 a+b.parquet"),
        ("dms%2Fshop%2Forders%2FLOAD00000001.csv", "dms/shop/orders/LOAD00000001.csv"),
        ("dms/shop/orders/100%2525.csv", "dms/shop/orders/100%25.csv"),
        ("dms/gesch%C3%A4ft/orders/x.csv", "dms/geschäft/orders/x.csv"),
    ];
    for (encoded, decoded) in keys {
        let event = json!({"Records": [s3_record("ObjectCreated:Put", encoded)]});
        assert_eq!(by_every_way(&event), Ok(vec![object(decoded)]));
    }
}

#[test]
fn a_key_that_is_not_utf_8_is_not_guessed() {
    let event = json!({"Records": [s3_record("ObjectCreated:Put", "dms/shop/orders/%FF.csv")]});
    by_every_way(&event).expect_err("no text");
}

#[test]
fn keys_of_event_bridge_are_taken_as_they_are() {
    let key = "dms/shop/orders/2026 a+b%2B:c.parquet";
    let event = event_bridge("Object Created", key);
    assert_eq!(by_every_way(&event), Ok(vec![object(key)]));
}

#[test]
fn all_records_of_a_notification_ring() {
    let records = [
        s3_record("ObjectCreated:Put", "a"),
        s3_record("ObjectRemoved:Delete", "b"),
        s3_record("ObjectCreated:CompleteMultipartUpload", "c"),
        s3_record("s3:ObjectCreated:Copy", "d"),
    ];
    let wanted = vec![object("a"), object("c"), object("d")];
    assert_eq!(by_every_way(&json!({"Records": records})), Ok(wanted));
}

#[test]
fn what_moto_leaves_out_is_not_missed() {
    // No sequencer, no versionId, and a time without a time zone.
    let record = json!({
        "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-west-2",
        "eventTime": "2026-11-03T10:11:12.345", "eventName": "ObjectCreated:Put",
        "s3": {"s3SchemaVersion": "1.0", "bucket": {"name": "staging", "arn": "arn:aws:s3:::staging"},
               "object": {"key": "a%2Fb", "size": 1, "eTag": "x"}},
    });
    assert_eq!(by_every_way(&json!({"Records": [record]})), Ok(vec![object("a/b")]));
}

#[test]
fn only_major_version_2_of_notifications_is_read() {
    let mut record = s3_record("ObjectCreated:Put", "a");
    for (version, is_read) in [("2.0", true), ("2.99", true), ("3.0", false), ("20.1", false)] {
        record["eventVersion"] = json!(version);
        assert_eq!(by_every_way(&json!({"Records": [record]})).is_ok(), is_read, "{version}");
    }
}

#[test]
fn events_that_call_for_nothing() {
    let deleted = event_bridge("Object Deleted", "a");
    let tagged = json!({"Records": [s3_record("ObjectTagging:Put", "a")]});
    for event in [test_event(), deleted, tagged, json!({"Records": []})] {
        assert_eq!(by_every_way(&event), Ok(vec![]), "{event}");
    }
}

#[test]
fn schedules_and_people_ask_for_tables() {
    let scheduled = json!({
        "version": "0", "id": "53dc4d37", "detail-type": "Scheduled Event", "source": "aws.events",
        "time": "2026-11-03T10:00:00Z", "resources": ["arn:aws:events:eu-west-1:1:rule/sweep"],
        "detail": {},
    });
    assert_eq!(by_every_way(&scheduled), Ok(vec![Doorbell::Everything]));
    assert_eq!(by_every_way(&json!({"sweep": true})), Ok(vec![Doorbell::Everything]));
    assert_eq!(by_every_way(&json!({"sweep": "due"})), Ok(vec![Doorbell::Due]));
    let names = ["shop.orders".to_owned(), "shop.items".to_owned()];
    assert_eq!(by_every_way(&json!({"tables": names})), Ok(names.map(Doorbell::Table).to_vec()));
}

#[test]
fn anything_else_is_unreadable() {
    let mut lost_key = s3_record("ObjectCreated:Put", "a");
    lost_key["s3"]["object"] = json!({});
    let shapes = [
        json!({}),
        json!(null),
        json!([1]),
        json!("text"),
        json!({"sweep": false}),
        json!({"sweep": "dew"}),
        json!({"tables": []}),
        json!({"tables": "shop.orders"}),
        json!({"tables": [1]}),
        json!({"Records": [{"eventSource": "aws:kinesis"}]}),
        json!({"Records": [lost_key]}),
        json!({"Type": "SubscriptionConfirmation", "Message": "confirm"}),
        json!({"detail-type": "EC2 Instance State-change Notification", "source": "aws.ec2"}),
    ];
    for shape in shapes {
        by_every_way(&shape).expect_err(&shape.to_string());
    }
}

#[test]
fn one_unreadable_message_does_not_hide_the_others() {
    let good = json!({"Records": [s3_record("ObjectCreated:Put", "a")]});
    let mut event = queue(&[("1", &good), ("2", &json!("text")), ("3", &test_event())]);
    event["Records"][1]["body"] = json!("not JSON {");
    let read = batch(&event);
    assert_eq!(read[0], ("1".into(), Ok(vec![object("a")])));
    assert!(matches!(&read[1], (id, Err(Unreadable(_))) if id == "2"));
    assert_eq!(read[2], ("3".into(), Ok(vec![])));
}

#[test]
fn a_batch_whose_messages_cannot_be_named_fails_as_a_whole() {
    for id in [json!(null), json!("")] {
        let mut event = queue(&[("1", &test_event()), ("2", &test_event())]);
        event["Records"][1]["messageId"] = id;
        direct(&event).expect_err("no id");
    }
}

/// Settings with these tables, by schema and table.
pub(crate) fn settings(staging: &str, tables: &[(&str, &str)]) -> Settings {
    let table = |(schema, table): &(&str, &str)| TableSpec {
        source: TableName { schema: (*schema).to_owned(), table: (*table).to_owned() },
        ..plain_table()
    };
    Settings {
        staging: staging.into(),
        lake: "s3://lake/tables".into(),
        dms: S3Settings::default(),
        patterns: Vec::new(),
        tables: tables.iter().map(table).collect(),
        memory_budget: None,
        look_every: None,
        staging_expiry_days: None,
        look_back: LookBack::default(),
        reload: ReloadSettings::default(),
        maintain: MaintainSettings::default(),
        hand_over: HandOverSettings::default(),
        metrics: MetricsSettings::default(),
        catalog: CatalogSettings::default(),
    }
}

#[test]
fn a_pattern_claims_tables_that_are_not_known_and_leaves_out_others_in_silence() {
    let mut settings = settings("s3://staging/dms", &[("shop", "orders")]);
    let source =
        |table: &str| SourcePattern::new(TableName { schema: "shop".into(), table: table.into() });
    let except = vec![source("audit_*")];
    settings.patterns = vec![TablePattern { source: source("*"), except }];
    let messages = [Ok(["shop/orders", "shop/new", "shop/audit_log", "web/new", "shop/awsdms_x"]
        .map(|table| object(&format!("dms/{table}/LOAD00000001.csv")))
        .to_vec())];
    let found = route(&settings, &in_memory("s3://staging/dms"), &messages);
    let names = |tables: &std::collections::BTreeSet<TableName>| {
        tables.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(found.work.len(), 1);
    assert_eq!(names(&found.undiscovered), ["shop.new"]);
    assert_eq!(names(&found.unconfigured), ["web.new"]);
}

/// A folder in an empty bucket.
pub(crate) fn in_memory(url: &str) -> Location {
    let url = Url::parse(url).expect("a URL");
    Location::with_store(&url, StoreKind::S3, Arc::new(InMemory::new())).expect("a location")
}

#[test]
fn objects_ring_for_the_table_of_their_folders() {
    let tables = [("shop", "orders"), ("shop", "order items+%")];
    let settings = settings("s3://staging/dms", &tables);
    let staging = in_memory("s3://staging/dms");
    let elsewhere = Doorbell::Object { bucket: "other".into(), key: "dms/shop/orders/a".into() };
    let messages = [
        Ok(vec![object("dms/shop/orders/b.csv"), object("dms/shop/orders/2026/10/a.csv")]),
        Ok(vec![
            object("dms/shop/order items+%/LOAD00000001.csv"),
            object("dms/shop/orders/b.csv"),
        ]),
        Ok(vec![
            object("dms/shop/refunds/a.csv"),
            object("dms/Shop/orders/a.csv"),
            object("dms/shop/awsdms_status/LOAD00000001.csv"),
            object("dms/shop/_CategoryToPost/20261103-100000000.csv"),
            object("dms/_app/.t/LOAD00000001.parquet"),
            object("dms/shop/_temporary/0/part-00000.csv"),
            object("dms/_quarantine/shop/LOAD00000001.csv"),
        ]),
        Ok(vec![
            elsewhere,
            object("dmsx/shop/orders/a"),
            object("dms/shop/orders"),
            object("dms/shop/orders/"),
        ]),
        Err(Unreadable("why".into())),
    ];
    let found = route(&settings, &staging, &messages);
    let work: Vec<_> = found
        .work
        .iter()
        .map(|work| (work.table.source.to_string(), work.scope.clone(), work.messages.clone()))
        .collect();
    let named = |keys: &[&str]| Scope::Named(keys.iter().map(ToString::to_string).collect());
    let orders = named(&["dms/shop/orders/2026/10/a.csv", "dms/shop/orders/b.csv"]);
    let items = named(&["dms/shop/order items+%/LOAD00000001.csv"]);
    assert_eq!(
        work,
        [
            ("shop.orders".into(), orders, [0, 1].into()),
            ("shop.order items+%".into(), items, [1].into()),
        ]
    );
    let unconfigured: Vec<_> = found.unconfigured.iter().map(ToString::to_string).collect();
    assert_eq!(unconfigured, ["Shop.orders", "_app..t", "shop._CategoryToPost", "shop.refunds"]);
    assert_eq!(found.elsewhere, 4);
    assert_eq!(found.unreadable.keys().collect::<Vec<_>>(), [&4]);
    assert!(!found.is_sweep);
}

#[test]
fn staging_may_be_a_whole_bucket_and_prefixes_may_hold_anything() {
    for (uri, key) in [
        ("s3://staging", "shop/orders/a.csv"),
        ("s3://staging/", "shop/orders/a.csv"),
        ("s3://staging/dms/", "dms/shop/orders/a.csv"),
        ("s3://staging/my%20dms/eu", "my dms/eu/shop/orders/a.csv"),
    ] {
        let settings = settings(uri, &[("shop", "orders")]);
        let messages = [Ok(vec![object(key)])];
        let found = route(&settings, &in_memory(uri), &messages);
        assert_eq!(found.work.len(), 1, "{uri} {key}");
    }
}

#[test]
fn looking_at_everything_includes_the_objects_named() {
    let settings = settings("s3://staging/dms", &[("shop", "a.b"), ("shop", "c")]);
    let staging = in_memory("s3://staging/dms");
    let object = Ok(vec![object("dms/shop/a.b/x.csv")]);
    let by_name = Ok(vec![Doorbell::Table("shop.a.b".into())]);
    for messages in [[object.clone(), by_name.clone()], [by_name, object.clone()]] {
        let found = route(&settings, &staging, &messages);
        assert_eq!(found.work.len(), 1);
        assert_eq!(found.work[0].scope, Scope::Everything);
        assert_eq!(found.work[0].messages, [0, 1].into());
    }
    let found = route(&settings, &staging, &[object, Ok(vec![Doorbell::Everything])]);
    assert!(found.is_sweep);
    assert_eq!(found.work.len(), 2);
    assert_eq!(found.work[0].messages, [0, 1].into());
    assert_eq!(found.work[1].messages, [1].into());
}

#[test]
fn a_table_that_is_not_configured_cannot_be_asked_for() {
    let settings = settings("s3://staging/dms", &[("shop", "orders")]);
    let messages = [Ok(vec![Doorbell::Table("shop.order".into())])];
    let found = route(&settings, &in_memory("s3://staging/dms"), &messages);
    assert!(found.work.is_empty());
    let Unreadable(reason) = &found.unreadable[&0];
    assert!(reason.contains("shop.order ") && reason.contains("shop.orders"), "{reason}");
}

#[tokio::test]
async fn on_a_disk_keys_are_absolute_paths_and_buckets_mean_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let staging = folder.path().join("dms").display().to_string();
    std::fs::create_dir(&staging).expect("a folder");
    let settings = settings(&staging, &[("shop", "orders")]);
    let settings = Settings { lake: folder.path().join("lake").display().to_string(), ..settings };
    let pipeline = Pipeline::open(settings, Arc::new(SystemClock)).await.expect("a pipeline");
    let canonical = folder.path().canonicalize().expect("it exists");
    let key = format!("{}/dms/shop/orders/a.csv", canonical.display());
    let messages = [Ok(vec![object(key.trim_start_matches('/'))])];
    assert_eq!(route(pipeline.settings(), pipeline.staging(), &messages).work.len(), 1);
}
