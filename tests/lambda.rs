//! The real `bootstrap` binary, invoked over HTTP as Lambda does it: every shape of event, partial
//! failures, a configuration that changes, and deadlines.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::Duration;

use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::prelude::SessionContext;
use serde_json::{Value, json};
use tempfile::TempDir;
use url::Url;

use crate::support::events::{event_bridge, queue, s3_notification, sns, test_event};
use crate::support::moto::{BUCKET, Moto};
use crate::support::runtime_api::{Function, Outcome};

/// More than enough for what these tests stage.
const MINUTE: Duration = Duration::from_mins(1);

/// Makes an event from the key of an object.
type Shape = fn(&str) -> Value;

/// A folder with staging, lake and configuration.
struct Shop(TempDir);

impl Shop {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("staging")).expect("a folder");
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes the configuration for these tables, each `(id bigint primary key, note)`.
    fn configure(&self, tables: &[&str]) {
        let folder = self.path().display();
        let mut text = format!("staging = \"{folder}/staging\"\nlake = \"{folder}/lake\"\n");
        for table in tables {
            write!(
                text,
                "[[table]]\nsource = \"shop.{table}\"\nkeys = [\"id\"]\ncolumns = [\n  \
                 {{ name = \"id\", type = \"bigint\" }},\n  \
                 {{ name = \"note\", type = \"varchar(40)\" }},\n]\n"
            )
            .expect("writing to a String cannot fail");
        }
        self.write_configuration(&text);
    }

    fn write_configuration(&self, text: &str) {
        fs::write(self.path().join("dmslake.toml"), text).expect("written");
    }

    fn start(&self) -> Function {
        Function::start(&self.path().join("dmslake.toml").display().to_string(), &[])
    }

    /// Stages an object, and returns its key.
    fn stage(&self, table: &str, name: &str, rows: &str) -> String {
        let root = self.path().canonicalize().expect("it exists");
        let folder = root.join("staging/shop").join(table);
        fs::create_dir_all(&folder).expect("created");
        // As on S3, an object appears as a whole.
        let unfinished = root.join("unfinished");
        fs::write(&unfinished, rows).expect("written");
        let object = folder.join(name);
        fs::rename(&unfinished, &object).expect("renamed");
        object.display().to_string().trim_start_matches('/').to_owned()
    }

    /// Runs a query over a table named `t`. Returns the values of each row, joined by `|`.
    fn query(&self, table: &str, sql: &str) -> Vec<String> {
        let folder = self.path().join("lake/shop").join(table);
        let url = Url::from_directory_path(folder).expect("an absolute path");
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let batches = runtime.block_on(async {
            let table = deltalake::open_table(url).await.expect("a table");
            let session = SessionContext::new();
            let provider = table.table_provider().await.expect("a provider");
            session.register_table("t", provider).expect("registered");
            session.sql(sql).await.expect("a plan").collect().await.expect("rows")
        });
        let mut rows = Vec::new();
        for batch in &batches {
            let options = FormatOptions::default();
            let columns: Vec<_> = batch
                .columns()
                .iter()
                .map(|column| ArrayFormatter::try_new(column, &options).expect("a formatter"))
                .collect();
            for row in 0..batch.num_rows() {
                let values = columns.iter().map(|column| column.value(row).to_string());
                rows.push(values.collect::<Vec<_>>().join("|"));
            }
        }
        rows
    }

    fn notes(&self, table: &str) -> Vec<String> {
        self.query(table, "select id, note from t order by id")
    }
}

fn failures(ids: &[&str]) -> Outcome {
    let failures: Vec<_> = ids.iter().map(|id| json!({"itemIdentifier": id})).collect();
    Outcome::Response(json!({"batchItemFailures": failures}))
}

fn summary(outcome: &Outcome) -> &Value {
    match outcome {
        Outcome::Response(summary) => summary,
        other => panic!("no summary: {other:?}"),
    }
}

#[test]
fn every_shape_of_event_applies_what_is_staged() {
    let shop = Shop::new();
    shop.configure(&["orders"]);
    let mut function = shop.start();
    shop.stage("orders", "LOAD00000001.csv", "1,a\n2,b\n");

    let shapes: [(&str, Shape); 9] = [
        ("S3", s3_notification),
        ("SQS of S3", |key| queue(&[("1", &s3_notification(key))])),
        ("EventBridge", |key| event_bridge("Object Created", key)),
        ("SQS of EventBridge", |key| queue(&[("1", &event_bridge("Object Created", key))])),
        ("SNS", |key| {
            let record = json!({"EventSource": "aws:sns", "Sns": sns(&s3_notification(key))});
            json!({"Records": [record]})
        }),
        ("SQS of SNS", |key| queue(&[("1", &sns(&s3_notification(key)))])),
        ("by hand", |_| json!({"tables": ["shop.orders"]})),
        ("schedule", |_| json!({"detail-type": "Scheduled Event", "source": "aws.events"})),
        ("own schedule", |_| json!({"sweep": true})),
    ];
    let mut wanted = vec!["1|a".to_owned(), "2|b".to_owned()];
    for (position, (name, shape)) in shapes.iter().enumerate() {
        let id = 10 + position;
        let key =
            shop.stage("orders", &format!("20261103-1000000{id}.csv"), &format!("I,{id},{name}\n"));
        wanted.push(format!("{id}|{name}"));
        let event = shape(&key);
        let outcome = function.invoke(&event, MINUTE);
        if name.starts_with("SQS") {
            assert_eq!(outcome, failures(&[]), "{name}");
        } else {
            let table = &summary(&outcome)["tables"][0];
            assert_eq!(table["table"], "shop.orders", "{name}: {outcome:?}");
            assert_eq!(table["status"], "ok", "{name}: {outcome:?}");
            let inserted = if position == 0 { 3 } else { 1 };
            assert_eq!(table["inserted"], inserted, "{name}: {outcome:?}");
        }
        assert_eq!(shop.notes("orders"), wanted, "{name}");
    }

    // A doorbell may come twice, and later than everything else.
    let again = s3_notification(&shop.stage("orders", "20261103-100000099.csv", "D,2,b\n"));
    for deleted in [1, 0] {
        let outcome = function.invoke(&again, MINUTE);
        assert_eq!(summary(&outcome)["tables"][0]["deleted"], deleted);
    }
    let lines = function.logged("table is caught up", shapes.len() + 2);
    assert_eq!(lines.len(), shapes.len() + 2);
    assert!(lines.iter().all(|line| line["oldest_pending_seconds"] == 0), "nothing waits");
}

#[test]
fn the_test_event_of_a_new_set_up_is_acknowledged() {
    let shop = Shop::new();
    shop.configure(&["orders"]);
    let mut function = shop.start();
    let nothing = Outcome::Response(json!({"tables": [], "unconfigured": []}));
    assert_eq!(function.invoke(&test_event(), MINUTE), nothing);
    assert_eq!(function.invoke(&queue(&[("1", &test_event())]), MINUTE), failures(&[]));
}

#[test]
fn an_event_that_is_not_understood_is_an_error_or_fails_its_message() {
    let shop = Shop::new();
    shop.configure(&["orders"]);
    let mut function = shop.start();
    for event in [json!({"hello": "world"}), json!({"tables": ["shop.refunds"]})] {
        let outcome = function.invoke(&event, MINUTE);
        assert!(matches!(&outcome, Outcome::Error(kind, _) if kind == "Config"), "{outcome:?}");
        let messages = queue(&[("1", &test_event()), ("2", &event)]);
        assert_eq!(function.invoke(&messages, MINUTE), failures(&["2"]));
    }
    assert_eq!(function.logged("event is not understood", 4).len(), 4);
}

#[test]
fn messages_fail_one_by_one() {
    let shop = Shop::new();
    shop.configure(&["broken", "held", "good"]);
    // A file is in the place of this table's folder.
    fs::create_dir_all(shop.path().join("lake/shop")).expect("created");
    fs::write(shop.path().join("lake/shop/broken"), "").expect("written");
    let mut function = shop.start();
    let applied = shop.stage("held", "20261103-100000001.csv", "I,1,a\n");
    assert_eq!(
        function.invoke(&queue(&[("0", &s3_notification(&applied))]), MINUTE),
        failures(&[])
    );

    let broken = s3_notification(&shop.stage("broken", "LOAD00000001.csv", "1,a\n"));
    let held = s3_notification(&shop.stage("held", "20261103-100000000.csv", "I,2,late\n"));
    let good = s3_notification(&shop.stage("good", "LOAD00000001.csv", "1,a\n"));
    let other = s3_notification(&shop.stage("refunds", "LOAD00000001.csv", "1,a\n"));
    let both = json!({"Records": [good["Records"][0], broken["Records"][0]]});
    let nonsense = json!(["nonsense"]);
    let messages = [
        ("broken", &broken),
        ("held", &held),
        ("good", &good),
        ("unconfigured", &other),
        ("both", &both),
        ("nonsense", &nonsense),
    ];
    let outcome = function.invoke(&queue(&messages), MINUTE);
    assert_eq!(outcome, failures(&["broken", "both", "nonsense"]));
    assert_eq!(shop.notes("good"), ["1|a"]);
    assert_eq!(shop.notes("held"), ["1|a"]);
    let held = function.logged("table is held", 1);
    assert_eq!(held.len(), 1);
    assert_eq!((&held[0]["level"], &held[0]["kind"]), (&json!("ERROR"), &json!("LateObject")));
    let failed = &function.logged("table failed", 1)[0];
    assert_eq!(failed["table"], "shop.broken");
    // The metric filters in infra/monitoring.tf read these.
    for line in [&held[0], failed] {
        for count in ["rows", "objects", "pending", "quarantined", "oldest_pending_seconds"] {
            assert!(line[count].is_u64(), "{count} in {line}");
        }
    }
    assert_eq!(function.logged("staged tables are not configured", 1)[0]["tables"], "shop.refunds");

    // A sweep finds the hold again, and names what else is staged.
    let outcome = function.invoke(&json!({"tables": ["shop.held", "shop.good"]}), MINUTE);
    let statuses: Vec<_> = summary(&outcome)["tables"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|table| (table["table"].clone(), table["status"].clone()))
        .collect();
    assert_eq!(statuses, [(json!("shop.held"), json!("held")), (json!("shop.good"), json!("ok"))]);
    let outcome = function.invoke(&json!({"sweep": true}), MINUTE);
    assert!(matches!(&outcome, Outcome::Error(_, message) if message.contains("shop.broken")));

    // A question is answered, and nothing is applied for it.
    let outcome = function.invoke(&json!({"status": true, "tables": ["shop.held"]}), MINUTE);
    let [held] = &summary(&outcome)["status"].as_array().expect("a list")[..] else {
        panic!("{outcome:?}")
    };
    assert_eq!((&held["schema"], &held["state"]), (&json!("status/1"), &json!("held")));
    assert_eq!(held["next"], "dmslake rebuild shop.held");
    let outcome = function.invoke(&json!({"status": true}), MINUTE);
    assert_eq!(summary(&outcome)["status"].as_array().map(Vec::len), Some(3));
    let outcome = function.invoke(&json!({"status": true, "tables": ["shop.nix"]}), MINUTE);
    assert!(matches!(&outcome, Outcome::Error(_, message) if message.contains("shop.nix")));
}

#[test]
fn a_sweep_names_staged_tables_that_are_not_configured() {
    let shop = Shop::new();
    shop.configure(&["orders"]);
    shop.stage("orders", "LOAD00000001.csv", "1,a\n");
    shop.stage("refunds", "LOAD00000001.csv", "1,a\n");
    let outcome = shop.start().invoke(&json!({"sweep": true}), MINUTE);
    assert_eq!(summary(&outcome)["unconfigured"], json!(["shop.refunds"]));
    assert_eq!(shop.notes("orders"), ["1|a"]);
}

#[test]
fn a_sweep_warns_once_about_what_the_endpoint_never_writes() {
    let shop = Shop::new();
    shop.configure(&["orders", "customers"]);
    let path = shop.path().join("dmslake.toml");
    let text = std::fs::read_to_string(path).expect("it is configured");
    let text = text.replacen("[[table]]", "[dms]\ncdc_inserts_only = true\n[[table]]", 1);
    shop.write_configuration(&text);
    shop.stage("orders", "20261103-100000000.csv", "I,1,a\n");
    let mut function = shop.start();
    let outcome = function.invoke(&json!({"sweep": true}), MINUTE);
    for table in summary(&outcome)["tables"].as_array().expect("a list") {
        let warnings = table["warnings"].as_array().expect("a list");
        assert!(warnings[0].as_str().expect("a text").contains("cdc_inserts_only"), "{table}");
        let said = warnings[0].as_str().expect("a text");
        assert_eq!(function.logged(said, 1).len(), 1, "once for all tables");
    }
}

/// The Delta library allows this only if it was built for it. Without DataFusion, it refuses to commit
/// to a table whose protocol has column invariants, as that of a table with deletion vectors does.
#[test]
fn a_table_with_deletion_vectors_is_masked_and_widened_and_its_bad_rows_are_set_aside() {
    let shop = Shop::new();
    let folder = shop.path().display();
    let layout = |more: &str| {
        format!(
            "columns = [\n  {{ name = \"id\", type = \"bigint\" }},\n  \
             {{ name = \"note\", type = \"varchar(40)\" }},\n{more}]\n"
        )
    };
    let colour = "  { name = \"colour\", type = \"varchar(9)\" },\n";
    shop.write_configuration(&format!(
        "staging = \"{folder}/staging\"\nlake = \"{folder}/lake\"\n\
         [[table]]\nsource = \"shop.orders\"\nkeys = [\"id\"]\nmerge = \"deletion-vectors\"\n\
         on_bad_row = \"quarantine\"\n{}[[table.layout]]\nfrom = \"20261103-100000002\"\n{}",
        layout(""),
        layout(colour),
    ));
    let mut function = shop.start();
    shop.stage("orders", "LOAD00000001.csv", "1,a\n2,a\n3,a\n4,a\n5,a\n6,a\n7,a\n8,a\n9,a\n");
    shop.stage("orders", "20261103-100000001.csv", "U,2,b\nI,many,c\nD,3,a\n");
    shop.stage("orders", "20261103-100000002.csv", "U,4,d,red\nI,1O,e,blue\n");
    let sweep = json!({"sweep": true});
    let outcome = function.invoke(&sweep, MINUTE);
    let table = &summary(&outcome)["tables"][0];
    assert_eq!(table["status"], "ok", "{outcome:?}");
    assert_eq!([&table["inserted"], &table["quarantined"]], [9, 2], "{outcome:?}");

    // The same once more, from a new snapshot.
    drop(function);
    let mut function = shop.start();
    shop.stage("orders", "20261103-100000003.csv", "D,5,,\nI,11,f,red\nU,2O,g,\n");
    let outcome = function.invoke(&sweep, MINUTE);
    let table = &summary(&outcome)["tables"][0];
    assert_eq!(table["status"], "ok", "{outcome:?}");
    assert_eq!([&table["inserted"], &table["deleted"], &table["quarantined"]], [1, 1, 1]);
    let found = shop.query(
        "orders",
        "select id, note, colour from t where id in (1, 2, 3, 4, 5, 11) order by id",
    );
    assert_eq!(found, ["1|a|", "2|b|", "4|d|red", "11|f|red"]);
    let log = fs::read_dir(shop.path().join("lake/shop/orders")).expect("a folder");
    let names = log.map(|entry| entry.expect("an entry").file_name());
    assert!(names.into_iter().any(|name| name.to_string_lossy().starts_with("deletion_vector")));
    let aside =
        shop.query("../_quarantine/shop/orders", "select object, row, reason from t order by 1, 2");
    assert_eq!(aside.len(), 3, "{aside:?}");
}

#[test]
fn the_configuration_is_read_again_when_it_changes() {
    let shop = Shop::new();
    shop.configure(&["orders"]);
    let mut function = shop.start();
    let customers = s3_notification(&shop.stage("customers", "LOAD00000001.csv", "1,a\n"));
    let invoke = |function: &mut Function| function.invoke(&customers, MINUTE);
    for _ in 0..2 {
        let outcome = invoke(&mut function);
        assert_eq!(summary(&outcome)["unconfigured"], json!(["shop.customers"]));
    }
    assert_eq!(function.logged("configuration read", 1).len(), 1);

    shop.write_configuration("staging = 1\nlaek = \"x\"\n");
    for _ in 0..2 {
        let Outcome::Error(kind, message) = invoke(&mut function) else { panic!("it is invalid") };
        assert_eq!(kind, "Config");
        assert!(message.contains("laek") && message.contains("dmslake.toml"), "{message}");
    }

    shop.configure(&["orders", "customers"]);
    assert_eq!(summary(&invoke(&mut function))["tables"][0]["inserted"], 1);
    assert_eq!(function.logged("configuration read", 2).len(), 2);
    assert_eq!(shop.notes("customers"), ["1|a"]);
}

#[test]
fn a_function_without_configuration_starts_and_says_so() {
    let shop = Shop::new();
    let mut function = shop.start();
    let event = json!({"sweep": true});
    let outcome = function.invoke(&event, MINUTE);
    assert!(matches!(&outcome, Outcome::Error(kind, _) if kind == "Config"), "{outcome:?}");
    shop.configure(&["orders"]);
    let outcome = function.invoke(&test_event(), MINUTE);
    assert_eq!(outcome, Outcome::Response(json!({"tables": [], "unconfigured": []})));

    let mut unset = Function::start("", &[]);
    let Outcome::Error(kind, message) = unset.invoke(&event, MINUTE) else { panic!("no error") };
    assert_eq!((kind.as_str(), message.as_str()), ("Config", "DMSLAKE_CONFIG is not set"));
}

#[test]
fn a_file_uri_names_a_configuration_too() {
    let shop = Shop::new();
    shop.configure(&["orders"]);
    let url = Url::from_file_path(shop.path().join("dmslake.toml")).expect("absolute");
    let mut function = Function::start(url.as_str(), &[]);
    let key = shop.stage("orders", "LOAD00000001.csv", "1,a\n");
    let outcome = function.invoke(&s3_notification(&key), MINUTE);
    assert_eq!(summary(&outcome)["tables"][0]["inserted"], 1);
}

#[test]
fn on_s3_too_the_configuration_is_read_again_only_when_it_changes() {
    let Some(moto) = Moto::start() else { return };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let put = |key: &str, text: String| runtime.block_on(moto.put(key, text));
    let configuration = format!(
        "staging = \"s3://{BUCKET}/dms\"\nlake = \"s3://{BUCKET}/tables\"\n\
         [[table]]\nsource = \"shop.order items\"\nkeys = [\"id\"]\n\
         columns = [{{ name = \"id\", type = \"bigint\" }}]\n"
    );
    put("settings/dmslake.toml", configuration.clone());
    let environment = moto.environment();
    let variables = environment.each_ref().map(|(name, value)| (*name, value.as_str()));
    let uri = format!("s3://{BUCKET}/settings/dmslake.toml");
    let mut function = Function::start(&uri, &variables);

    let key = "dms/shop/order items/LOAD00000001.csv";
    put(key, "1\n2\n".into());
    let mut notification = s3_notification(key);
    let elsewhere = function.invoke(&notification, MINUTE);
    assert_eq!(summary(&elsewhere)["tables"], json!([]), "another bucket's object");
    notification["Records"][0]["s3"]["bucket"]["name"] = json!(BUCKET);
    for inserted in [2, 0] {
        let outcome = function.invoke(&notification, MINUTE);
        assert_eq!(summary(&outcome)["tables"][0]["inserted"], inserted, "{outcome:?}");
    }
    assert_eq!(function.logged("configuration read", 1).len(), 1);

    put("settings/dmslake.toml", format!("# changed\n{configuration}"));
    let key = "dms/shop/order items/20261103-100000000.csv";
    put(key, "D,1\n".into());
    let mut event = event_bridge("Object Created", key);
    event["detail"]["bucket"]["name"] = json!(BUCKET);
    let outcome = function.invoke(&event, MINUTE);
    assert_eq!(summary(&outcome)["tables"][0]["deleted"], 1, "{outcome:?}");
    assert_eq!(function.logged("configuration read", 2).len(), 2);
}

/// Rows for the test tables, numbered from zero.
fn many_rows(count: u64) -> String {
    let mut rows = String::new();
    for id in 0..count {
        writeln!(rows, "{id},note {id}").expect("writing to a String cannot fail");
    }
    rows
}

#[test]
fn a_large_object_is_finished_over_several_short_invocations() {
    const DEADLINE: Duration = Duration::from_secs(20);
    const TABLES: [&str; 5] = ["large", "larger", "huge", "vast", "endless"];
    let shop = Shop::new();
    shop.configure(&TABLES);
    let mut function = shop.start();
    let mut rows = 2_000_000;
    // How many rows are too many for one invocation depends on the machine.
    for table in TABLES {
        let key = shop.stage(table, "LOAD00000001.csv", &many_rows(rows));
        let event = queue(&[("1", &s3_notification(&key))]);
        let mut cut_short = 0;
        loop {
            let outcome = function.invoke(&event, DEADLINE);
            if outcome == failures(&[]) {
                break;
            }
            assert_eq!(outcome, failures(&["1"]), "{rows} rows, cut short {cut_short} times");
            let lines = function.logged("table needs more time", cut_short + 1);
            assert_ne!(lines[cut_short]["rows"], 0, "each invocation makes progress");
            cut_short += 1;
        }
        if cut_short > 0 {
            let counts = "select count(*), count(distinct id), sum(id) from t";
            let wanted = format!("{rows}|{rows}|{}", rows * (rows - 1) / 2);
            assert_eq!(shop.query(table, counts), [wanted]);
            return;
        }
        rows *= 2;
    }
    panic!("{rows} rows are not enough for this machine");
}

#[test]
fn a_cold_start_is_quick() {
    let shop = Shop::new();
    shop.configure(&["orders"]);
    let first_poll = shop.start().first_poll();
    eprintln!("{} ms from process start to first poll", first_poll.as_millis());
    // Much more than it needs, and much less than waiting for something that does not exist, such
    // as an instance metadata service.
    assert!(first_poll < Duration::from_secs(5), "{first_poll:?}");
}
