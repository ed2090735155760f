//! Whatever another writer sets on our table is honoured or holds it: a test for each row of the
//! tables in `src/table/features/mod.rs`.

use dmslake::pipeline::Status;
use serde_json::json;

use crate::support::other_writer::{Shop, refused, row};

/// The feature, the words with which the table is held, and how the feature is set.
type Case = (&'static str, fn(&Shop));

/// Each is held before anything is written, and continues once its remedy is carried out.
const REFUSED: [Case; 30] = [
    ("the change data feed (delta.enableChangeDataFeed = true)", |shop| {
        shop.list_features(&[], &["changeDataFeed"]);
        shop.set("delta.enableChangeDataFeed", Some("true"));
    }),
    ("the change data feed (delta.enableChangeDataFeed = true)", |shop| {
        // As older writers do, and in a spelling that Spark accepts.
        shop.commit(&[json!({ "protocol": { "minReaderVersion": 1, "minWriterVersion": 4 } })]);
        shop.set("delta.enableChangeDataFeed", Some("TRUE"));
    }),
    ("the constraint cheap (delta.constraints.cheap)", |shop| {
        shop.commit(&[json!({ "protocol": { "minReaderVersion": 1, "minWriterVersion": 3 } })]);
        shop.set("delta.constraints.cheap", Some("id < 100"));
    }),
    ("an invariant in the column id (delta.invariants)", |shop| {
        let invariant = json!({ "expression": { "expression": "id > 0" } }).to_string();
        shop.change_column("id", |field| field["metadata"]["delta.invariants"] = json!(invariant));
    }),
    ("the column name without NULL", |shop| {
        shop.change_column("name", |field| field["nullable"] = json!(false));
    }),
    ("a generated value in the column name (delta.generationExpression)", |shop| {
        shop.list_features(&[], &["generatedColumns"]);
        shop.change_column("name", |field| {
            field["metadata"]["delta.generationExpression"] = json!("CAST(id AS STRING)");
        });
    }),
    ("an identity in the column id (delta.identity.start)", |shop| {
        shop.commit(&[json!({ "protocol": { "minReaderVersion": 1, "minWriterVersion": 6 } })]);
        shop.change_column("id", |field| {
            field["metadata"] = json!({ "delta.identity.start": 1, "delta.identity.step": 1 });
        });
    }),
    ("mapped columns (delta.columnMapping.mode = name)", |shop| {
        let mut metadata = shop.metadata();
        metadata["configuration"]["delta.columnMapping.mode"] = json!("name");
        metadata["configuration"]["delta.columnMapping.maxColumnId"] = json!("2");
        let column = |name: &str, column_type: &str, id: u32| {
            let metadata = json!({
                "delta.columnMapping.id": id,
                "delta.columnMapping.physicalName": name,
            });
            json!({ "name": name, "type": column_type, "nullable": true, "metadata": metadata })
        };
        let fields = [column("id", "integer", 1), column("name", "string", 2)];
        let schema = json!({ "type": "struct", "fields": fields });
        metadata["schemaString"] = json!(schema.to_string());
        let protocol = json!({ "minReaderVersion": 2, "minWriterVersion": 5 });
        shop.commit(&[json!({ "protocol": protocol }), json!({ "metaData": metadata })]);
    }),
    ("timestamps within commits (delta.enableInCommitTimestamps = true)", |shop| {
        let mut protocol = json!({ "minReaderVersion": 1, "minWriterVersion": 7 });
        protocol["writerFeatures"] = json!(["appendOnly", "invariants", "inCommitTimestamp"]);
        let mut metadata = shop.metadata();
        metadata["configuration"]["delta.enableInCommitTimestamps"] = json!("true");
        shop.commit(&[json!({ "protocol": protocol }), json!({ "metaData": metadata })]);
    }),
    ("the feature rowTracking", |shop| {
        shop.list_features(&[], &["rowTracking", "domainMetadata"]);
    }),
    ("row tracking (delta.enableRowTracking = true)", |shop| {
        shop.list_features(&[], &["rowTracking", "domainMetadata"]);
        shop.set("delta.enableRowTracking", Some("true"));
    }),
    ("files of another type in the column id (delta.typeChanges)", |shop| {
        shop.list_features(&["typeWidening"], &[]);
        let change = json!({ "toType": "integer", "fromType": "short", "tableVersion": 1 });
        shop.change_column("id", |field| field["metadata"]["delta.typeChanges"] = json!([change]));
    }),
    ("the column at of type timestamp_ntz", |shop| {
        shop.list_features(&["timestampNtz"], &[]);
        shop.add_column("at", &json!("timestamp_ntz"));
    }),
    ("the column any of type variant", |shop| {
        shop.list_features(&["variantType"], &[]);
        shop.add_column("any", &json!("variant"));
    }),
    ("the column weight of type float", |shop| shop.add_column("weight", &json!("float"))),
    ("the column tags of type", |shop| {
        let array = json!({ "type": "array", "elementType": "string", "containsNull": true });
        shop.add_column("tags", &array);
    }),
    ("data files for Iceberg (delta.enableIcebergCompatV1 = true)", |shop| {
        shop.list_features(&["columnMapping"], &["icebergCompatV1"]);
        shop.set("delta.enableIcebergCompatV1", Some("true"));
    }),
    ("data files for Iceberg (delta.enableIcebergCompatV2 = true)", |shop| {
        shop.list_features(&["columnMapping"], &["icebergCompatV2"]);
        shop.set("delta.enableIcebergCompatV2", Some("true"));
    }),
    ("metadata of other formats (delta.universalFormat.enabledFormats)", |shop| {
        shop.set("delta.universalFormat.enabledFormats", Some("hudi"));
    }),
    ("manifests behind every commit (delta.compatibility.symlinkFormatManifest.enabled", |shop| {
        shop.set("delta.compatibility.symlinkFormatManifest.enabled", Some("true"));
    }),
    ("the feature clustering", |shop| {
        shop.list_features(&[], &["clustering", "domainMetadata"]);
        let configuration = json!({ "clusteringColumns": [["name"]] }).to_string();
        let domain = json!({
            "domain": "delta.clustering", "configuration": configuration, "removed": false,
        });
        shop.commit(&[json!({ "domainMetadata": domain })]);
    }),
    ("the feature materializePartitionColumns", |shop| {
        shop.list_features(&[], &["materializePartitionColumns"]);
    }),
    ("the feature coordinatedCommits-preview", |shop| {
        shop.list_features(&[], &["coordinatedCommits-preview"]);
    }),
    ("the table's protocol asks of readers what dmslake does not know", |shop| {
        shop.list_features(&["catalogManaged"], &[]);
    }),
    ("the feature tintedRows", |shop| shop.list_features(&[], &["tintedRows"])),
    ("tintedFiles", |shop| shop.list_features(&["tintedFiles"], &[])),
    ("writer 8", |shop| {
        shop.commit(&[json!({ "protocol": { "minReaderVersion": 1, "minWriterVersion": 8 } })]);
    }),
    (
        "checkpoints without statistics as JSON (delta.checkpoint.writeStatsAsJson = false)",
        |shop| {
            shop.set("delta.checkpoint.writeStatsAsJson", Some("false"));
        },
    ),
    ("a retention that is no number of days or hours", |shop| {
        shop.set("delta.deletedFileRetentionDuration", Some("interval 1 month"));
    }),
    ("a retention that is no number of days or hours", |shop| {
        shop.set("delta.logRetentionDuration", Some("a while"));
    }),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_done_holds_the_table_until_its_remedy_is_carried_out() {
    for (words, ask) in REFUSED {
        let shop = Shop::new().await;
        ask(&shop);
        let asked = shop.version();
        shop.change("U,1,ONE\nD,2,\nI,3,three\n");
        let remedy = refused(&shop.apply().await, words);
        assert_eq!(shop.version(), asked, "{words}: nothing is written");
        let maintained = shop.maintain().await;
        assert_eq!(maintained.status, Status::Held, "{words}: {maintained:?}");
        assert_eq!(shop.version(), asked, "{words}: nothing is written");

        shop.carry_out(&remedy);
        let report = shop.apply().await;
        assert_eq!(report.status, Status::Ok, "{words}, then {remedy}: {report:?}");
        assert_eq!(shop.rows().await, [row(1, "ONE"), row(3, "three")], "{words}");
    }
}

/// Several refused features are reported together and removed together.
#[tokio::test(flavor = "multi_thread")]
async fn all_that_is_asked_for_is_told_at_once() {
    let shop = Shop::new().await;
    shop.set("delta.enableChangeDataFeed", Some("true"));
    shop.set("delta.constraints.cheap", Some("id < 100"));
    shop.change("I,3,three\n");
    let held = shop.apply().await;
    let remedy = refused(&held, "(delta.enableChangeDataFeed = true); the constraint cheap");
    shop.carry_out(&remedy);
    assert_eq!(shop.apply().await.status, Status::Ok);
}

/// A feature that is set after our snapshot is detected at the commit.
#[tokio::test(flavor = "multi_thread")]
async fn a_warm_table_is_held_too() {
    use dmslake::pipeline::{Limits, Scope, Silent};
    let shop = Shop::new().await;
    let pipeline = shop.pipeline().await;
    let table = pipeline.settings().tables[0].clone();
    let limits = Limits::default();
    let apply = || pipeline.apply(&table, &Scope::Everything, &limits, &Silent);
    assert_eq!(apply().await.status, Status::Ok);
    shop.set("delta.enableChangeDataFeed", Some("true"));
    shop.change("U,1,ONE\n");
    let remedy = refused(&apply().await, "the change data feed");
    shop.carry_out(&remedy);
    assert_eq!(apply().await.counts.updated, 1);
}

/// A command for all tables reports one that is held and continues with the others.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_held_keeps_no_other_from_being_described() {
    let shop = Shop::new().await;
    shop.set("delta.enableChangeDataFeed", Some("true"));
    let config = shop.folder.path().join("dmslake.toml");
    let other = "[[table]]\nsource = \"shop.others\"\nkeys = [\"id\"]\n";
    std::fs::write(&config, shop.configuration() + other).unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_dmslake"));
    let output = command.args(["ddl", "spark", "--config"]).arg(&config).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("shop.items: held: the table asks of its writers"), "{errors}");
    assert!(errors.contains("shop.others: there is no table yet"), "{errors}");
}

/// A quarantine table is one of our tables too.
#[tokio::test(flavor = "multi_thread")]
async fn a_quarantine_that_asks_for_it_holds_its_table() {
    let shop = Shop::loaded("on_bad_row = \"quarantine\"").await;
    shop.change("I,x,bad\nI,3,three\n");
    assert_eq!(shop.apply().await.counts.quarantined, 1);
    let log = shop.folder.path().join("lake/_quarantine/shop/items/_delta_log");
    let first = std::fs::read_to_string(log.join(format!("{:020}.json", 0))).unwrap();
    let metadata = first.lines().find(|line| line.starts_with("{\"metaData\"")).unwrap();
    let feed = metadata.replace(
        "\"configuration\":{",
        "\"configuration\":{\"delta.enableChangeDataFeed\":\"true\"",
    );
    assert_ne!(feed, metadata);
    let next = std::fs::read_dir(&log).unwrap().count();
    std::fs::write(log.join(format!("{next:020}.json")), feed).unwrap();
    shop.change("I,y,bad\nI,4,four\n");
    let remedy = refused(&shop.apply().await, "the change data feed");
    assert!(remedy.contains("_quarantine/shop/items"), "{remedy}");
    assert_eq!(shop.rows().await.len(), 3);
}

/// Features that are merely listed, in every version of protocol that implies some.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_listed_and_not_used_is_no_matter() {
    let shop = Shop::new().await;
    for writer in 3..=6 {
        let reader = if writer < 5 { 1 } else { 2 };
        let protocol = json!({ "minReaderVersion": reader, "minWriterVersion": writer });
        shop.commit(&[json!({ "protocol": protocol })]);
        shop.change(&format!("I,{writer},n\nU,1,by writer {writer}\n"));
        let report = shop.apply().await;
        assert_eq!((report.status, report.counts.updated), (Status::Ok, 1), "{writer}: {report:?}");
    }
    shop.list_features(
        &[
            "columnMapping",
            "deletionVectors",
            "timestampNtz",
            "typeWidening",
            "v2Checkpoint",
            "vacuumProtocolCheck",
            "variantType",
        ],
        &[
            "allowColumnDefaults",
            "changeDataFeed",
            "checkConstraints",
            "checkpointProtection",
            "domainMetadata",
            "generatedColumns",
            "icebergCompatV1",
            "icebergCompatV2",
            "identityColumns",
            "inCommitTimestamp",
        ],
    );
    shop.change("U,1,ONE\nD,2,\n");
    let report = shop.apply().await;
    assert_eq!(
        (report.status, report.counts.updated, report.counts.deleted),
        (Status::Ok, 1, 1),
        "{report:?}"
    );
    assert_eq!(shop.rows().await[0], row(1, "ONE"));
    assert_eq!(shop.maintain().await.status, Status::Ok);
}

/// The same if rows must be masked, which upgrades the protocol.
#[tokio::test(flavor = "multi_thread")]
async fn a_protocol_keeps_its_features_when_masks_are_allowed() {
    let shop = Shop::loaded("merge = \"deletion-vectors\"").await;
    let protocol = shop.protocol();
    assert_eq!(protocol["readerFeatures"], json!(["deletionVectors"]), "{protocol}");
    let writers = json!(["appendOnly", "invariants", "deletionVectors"]);
    assert_eq!(protocol["writerFeatures"], writers, "{protocol}");

    let shop = Shop::new().await;
    shop.list_features(&["vacuumProtocolCheck"], &["domainMetadata"]);
    let shop = shop.with_settings("merge = \"deletion-vectors\"");
    shop.change("U,1,ONE\n");
    assert_eq!(shop.apply().await.counts.updated, 1);
    let protocol = shop.protocol();
    let names = |list: &str| protocol[list].as_array().unwrap().len();
    assert_eq!((names("readerFeatures"), names("writerFeatures")), (2, 5), "{protocol}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_may_only_be_added_are_only_added() {
    for on in ["true", "True"] {
        let shop = Shop::new().await;
        shop.set("delta.appendOnly", Some(on));
        shop.change("I,3,three\n");
        assert_eq!(shop.apply().await.counts.inserted, 1);
        let asked = shop.version();
        shop.change("U,1,ONE\n");
        let remedy = refused(&shop.apply().await, "the table takes no updates or deletes");
        assert_eq!(shop.version(), asked, "nothing is written");
        assert_eq!(shop.maintain().await.status, Status::Ok);
        shop.carry_out(&remedy);
        assert_eq!(shop.apply().await.counts.updated, 1);
        assert_eq!(shop.rows().await, [row(1, "ONE"), row(2, "two"), row(3, "three")]);
    }
}

/// Ten commits that change nothing: maintenance then writes a checkpoint.
fn fill_log(shop: &Shop) {
    for _ in 0..10 {
        shop.commit(&[]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_are_written_as_the_table_asks() {
    for (policy, of_readers) in [("classic", vec![]), ("v2", vec!["v2Checkpoint"])] {
        let shop = Shop::new().await;
        shop.list_features(&of_readers, &["domainMetadata"]);
        shop.set("delta.checkpointPolicy", Some(policy));
        shop.set("delta.checkpoint.writeStatsAsStruct", Some("true"));
        let domain = json!({ "domain": "shop.notes", "configuration": "kept", "removed": false });
        shop.commit(&[json!({ "domainMetadata": domain })]);
        fill_log(&shop);
        let maintained = shop.maintain().await;
        assert_eq!(maintained.status, Status::Ok, "{maintained:?}");
        let checkpoints = shop.log_files(".parquet");
        assert!(!checkpoints.is_empty(), "{policy}: {maintained:?}");
        let text = checkpoints.iter().map(|path| std::fs::read(path).unwrap()).collect::<Vec<_>>();
        let says = |words: &[u8]| text.concat().windows(words.len()).any(|it| it == words);
        assert!(says(b"shop.notes"), "{policy}: the domain's metadata is lost");
        assert!(says(b"stats_parsed"), "{policy}: no statistics as a struct");

        // Opening the table now starts with the checkpoint.
        let hint = shop.log_files("_last_checkpoint");
        assert_eq!(hint.len(), 1, "{policy}");
        shop.change("U,1,ONE\n");
        let report = shop.apply().await;
        assert_eq!((report.status, report.counts.updated), (Status::Ok, 1), "{policy}: {report:?}");
        assert_eq!(shop.rows().await, [row(1, "ONE"), row(2, "two")]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn protected_checkpoints_stay() {
    for is_protected in [true, false] {
        let shop = Shop::new().await;
        if is_protected {
            shop.list_features(&[], &["checkpointProtection"]);
            shop.set("delta.requireCheckpointProtectionBeforeVersion", Some("4"));
        }
        fill_log(&shop);
        shop.change("I,3,three\n");
        assert_eq!(shop.apply().await.status, Status::Ok);
        assert_eq!(shop.maintain().await.status, Status::Ok);
        shop.age(60);
        let before = shop.log_files(".json").len();
        assert_eq!(shop.maintain().await.status, Status::Ok);
        assert_eq!(shop.log_files(".json").len() == before, is_protected);
    }
}

/// Each of these means one year; the library understands only the first.
#[tokio::test(flavor = "multi_thread")]
async fn retentions_hold_in_every_spelling() {
    for year in ["interval 365 days", "365 days", "INTERVAL 52 WEEKS 1 DAY"] {
        let shop = Shop::new().await;
        shop.set("delta.deletedFileRetentionDuration", Some(year));
        shop.set("delta.logRetentionDuration", Some(year));
        shop.change("U,1,ONE\n");
        assert_eq!(shop.apply().await.counts.updated, 1);
        fill_log(&shop);
        assert_eq!(shop.maintain().await.status, Status::Ok);
        shop.age(60);
        let before = (shop.data_files(), shop.log_files(".json"));
        assert_eq!(shop.maintain().await.status, Status::Ok);
        assert_eq!((shop.data_files(), shop.log_files(".json")), before, "{year}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn statistics_are_those_that_the_table_asks_for() {
    for (key, value, of_name) in [
        ("delta.dataSkippingStatsColumns", "name", true),
        ("delta.dataSkippingStatsColumns", "id", false),
        ("delta.dataSkippingNumIndexedCols", "1", false),
        ("delta.dataSkippingNumIndexedCols", "-1", true),
    ] {
        let shop = Shop::new().await;
        shop.set(key, Some(value));
        shop.change("U,1,ONE\n");
        assert_eq!(shop.apply().await.counts.updated, 1);
        let stats = shop.newest_file()["stats"].as_str().unwrap().to_owned();
        let stats: serde_json::Value = serde_json::from_str(&stats).unwrap();
        assert_eq!(stats["minValues"].get("name").is_some(), of_name, "{key} = {value}: {stats}");
        assert!(stats["minValues"].get("id").is_some(), "keys have them always: {stats}");
        assert_eq!(stats["numRecords"], json!(2), "{stats}");
    }
}

/// A default is for rows without a value; all our rows have a value or NULL.
#[tokio::test(flavor = "multi_thread")]
async fn a_default_does_not_take_the_place_of_null() {
    let shop = Shop::new().await;
    shop.list_features(&[], &["allowColumnDefaults"]);
    shop.change_column("name", |field| field["metadata"]["CURRENT_DEFAULT"] = json!("'none'"));
    shop.change("I,3,\n");
    assert_eq!(shop.apply().await.counts.inserted, 1);
    let rows = shop.rows().await;
    assert_eq!(rows.len(), 3, "{rows:?}");
    assert!(shop.metadata()["schemaString"].as_str().unwrap().contains("CURRENT_DEFAULT"));
}

#[tokio::test(flavor = "multi_thread")]
async fn suspended_row_tracking_gives_no_row_an_id() {
    let shop = Shop::new().await;
    shop.list_features(&[], &["rowTracking", "domainMetadata"]);
    shop.set("delta.rowTrackingSuspended", Some("true"));
    shop.change("U,1,ONE\n");
    assert_eq!(shop.apply().await.counts.updated, 1);
    let file = shop.newest_file();
    assert!(file.get("baseRowId").is_none_or(serde_json::Value::is_null), "{file}");
}

/// Settings that no reader depends on but that are kept.
#[tokio::test(flavor = "multi_thread")]
async fn wishes_about_files_and_isolation_are_no_matter() {
    let shop = Shop::new().await;
    for (key, value) in [
        ("delta.randomizeFilePrefixes", "true"),
        ("delta.randomPrefixLength", "4"),
        ("delta.parquet.compression.codec", "zstd"),
        ("delta.parquet.format.version", "2.12.0"),
        ("delta.autoOptimize.autoCompact", "true"),
        ("delta.autoOptimize.optimizeWrite", "true"),
        ("delta.tuneFileSizesForRewrites", "true"),
        ("delta.dataSkippingStringPrefixLength", "8"),
        ("delta.isolationLevel", "WriteSerializable"),
        ("delta.setTransactionRetentionDuration", "interval 0 seconds"),
        ("delta.enableFullRetentionRollback", "true"),
        ("delta.enableExpiredLogCleanup", "true"),
        ("delta.checkpointInterval", "3"),
        ("delta.targetFileSize", "104857600"),
        ("delta.columnMapping.mode", "none"),
        ("delta.enableTypeWidening", "true"),
        ("delta.minReaderVersion", "1"),
        ("delta.minWriterVersion", "2"),
    ] {
        shop.set(key, Some(value));
    }
    for number in 1..=8 {
        shop.change(&format!("U,1,{number}\n"));
        assert_eq!(shop.apply().await.counts.updated, 1);
    }
    assert_eq!(shop.apply().await.objects, 0, "the txn has not expired");
    assert_eq!(shop.rows().await, [row(1, "8"), row(2, "two")]);
    assert!(!shop.log_files(".checkpoint.parquet").is_empty(), "every third commit");
    assert_eq!(shop.maintain().await.status, Status::Ok);
}
