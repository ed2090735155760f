//! The configuration: what is understood, and what is refused with which sentence.

use std::time::Duration;

use dmslake::config::load::parse;
use dmslake::config::{
    Emf, HandOverTo, LookBack, MaxChangeFraction, MergeMode, MetricsSettings, OnBadRow,
    OnObjectsVanished, Retention, Settings, TableName,
};
use dmslake::dms::{Classified, MySqlType, ObjectName, S3Settings, classify};
use dmslake::error::ErrorKind;
use dmslake::schema::ColumnType;

const TOP: &str = "staging = \"/tmp/staging\"\nlake = \"s3://lake/tables\"\n";

/// Reads a configuration that starts with staging and lake.
fn settings(rest: &str) -> Settings {
    parse(&format!("{TOP}{rest}")).unwrap_or_else(|error| panic!("{rest}\n{error}"))
}

/// The violations of a configuration that starts with staging and lake.
fn violations(rest: &str) -> Vec<String> {
    let error = parse(&format!("{TOP}{rest}")).expect_err(rest);
    assert_eq!(error.kind(), ErrorKind::Config);
    error.message().lines().map(str::to_owned).collect()
}

/// Asserts that exactly these fields are refused, with sentences that contain these words.
fn assert_refused(rest: &str, expected: &[(&str, &str)]) {
    let found = violations(rest);
    for (position, (field, words)) in expected.iter().enumerate() {
        let line = found.get(position).map(String::as_str).unwrap_or_default();
        let is_expected = line.starts_with(&format!("{field}: ")) && line.contains(words);
        assert!(is_expected, "{rest}\nexpected {field}: … {words}\nfound {found:#?}");
    }
    assert_eq!(found.len(), expected.len(), "{rest}\n{found:#?}");
}

fn object(name: &str) -> ObjectName {
    match classify(name) {
        Classified::Changes(name) => name,
        other => panic!("{name} is {other:?}"),
    }
}

#[test]
fn the_least_configuration_takes_every_default() {
    let settings = settings("[[table]]\nsource = \"shop.orders\"\nkeys = [\"id\"]");
    assert_eq!(settings.staging, "/tmp/staging");
    assert_eq!(settings.lake, "s3://lake/tables");
    assert_eq!(settings.dms, S3Settings::default());
    assert_eq!(settings.memory_budget, None);
    assert_eq!(settings.staging_expiry_days, None);
    assert_eq!(settings.look_back, LookBack { objects: 64, minutes: 1440 });
    assert!(settings.maintain.delete);
    let [table] = settings.tables.as_slice() else { panic!("one table") };
    let source = TableName { schema: "shop".into(), table: "orders".into() };
    assert_eq!(table.source, source);
    assert_eq!(table.keys, ["id"]);
    assert!(!table.append_only);
    assert_eq!(table.on_bad_row, OnBadRow::Stop);
    assert!(table.columns.is_empty() && table.layouts.is_empty() && table.store.is_empty());
}

#[test]
fn a_source_is_split_at_its_first_dot_unless_it_is_a_table() {
    let text = "[[table]]\nsource = \"shop.orders.old\"\nkeys = [\"id\"]\n\
                [[table]]\nsource = { schema = \"my.shop\", table = \"or ders/é\" }\nkeys = [\"id\"]";
    let tables = settings(text).tables;
    assert_eq!(
        (tables[0].source.schema.as_str(), tables[0].source.table.as_str()),
        ("shop", "orders.old")
    );
    assert_eq!(
        (tables[1].source.schema.as_str(), tables[1].source.table.as_str()),
        ("my.shop", "or ders/é")
    );
    for source in
        ["\"shop\"", "\".orders\"", "\"shop.\"", "3", "{ schema = \"shop\" }", "\"shop...\""]
    {
        let table = format!("[[table]]\nsource = {source}\nkeys = [\"id\"]");
        assert_refused(&table, &[("table[0].source", "\"schema.table\", or {")]);
    }
}

#[test]
fn columns_carry_type_and_switches() {
    let text = r#"
        [[table]]
        source = "shop.orders"
        keys = ["id"]
        columns = [
          { name = "id", type = "bigint unsigned", nullable = false },
          { name = "paid", type = "tinyint(1)", boolean = true },
          { name = "token", type = "binary(16)", hex = true },
        ]"#;
    let table = settings(text).tables.remove(0);
    let id = table.column("id").expect("configured");
    assert_eq!((id.mysql_type, id.nullable), (MySqlType::BigInt { unsigned: true }, false));
    let paid = table.column("paid").expect("configured");
    assert_eq!((paid.column_type(), paid.nullable), (ColumnType::Boolean, true));
    assert!(table.column("token").expect("configured").hex);
    assert_eq!(table.column("Id"), None);
}

#[test]
fn what_vanished_objects_mean_is_configured() {
    let of = |extra: &str| {
        let text = format!("[[table]]\nsource = \"shop.t\"\nkeys = [\"id\"]\n{extra}");
        settings(&text).tables[0].on_objects_vanished
    };
    assert_eq!(of(""), OnObjectsVanished::Hold);
    assert_eq!(of("on_objects_vanished = \"truncate\""), OnObjectsVanished::Truncate);
    assert_eq!(of("on_objects_vanished = \"ignore\""), OnObjectsVanished::Ignore);
    let table = "[[table]]\nsource = \"shop.t\"\nkeys = [\"id\"]\n";
    let days = format!("staging_expiry_days = 7\n{table}");
    assert_eq!(settings(&days).staging_expiry_days, Some(7));
    let refused = format!("staging_expiry_days = 0\n{table}on_objects_vanished = 1");
    assert_refused(
        &refused,
        &[
            ("table[0].on_objects_vanished (shop.t)", "\"hold\", \"truncate\", \"ignore\""),
            ("staging_expiry_days", "1 to 36500"),
        ],
    );
}

#[test]
fn shares_of_changes_are_limited_where_they_are_set() {
    let limit = |extra: &str| {
        let text = format!("[[table]]\nsource = \"shop.t\"\nkeys = [\"id\"]\n{extra}");
        settings(&text).tables[0].max_change_fraction
    };
    let default = MaxChangeFraction { deleted: None, updated: None, min_rows: 1000 };
    assert_eq!(limit(""), default);
    assert!(!default.is_set() && !default.is_exceeded_by(5_000, 5_000, 5_000));
    let set = limit("max_change_fraction = { deleted = 0.5, updated = 1, min_rows = 10 }");
    assert!(set.is_set() && !set.is_exceeded_by(5, 10, 10) && set.is_exceeded_by(6, 0, 10));
    assert!(set.is_exceeded_by(0, 11, 10) && !set.is_exceeded_by(9, 9, 9));
    let table = "[[table]]\nsource = \"shop.t\"\nkeys = [\"id\"]\nmax_change_fraction = ";
    let refused = [
        ("{ deleted = 1.5 }", ".deleted", "a number from 0 to 1"),
        ("{ min_rows = -1 }", ".min_rows", "a whole number"),
        ("0.5", "", "a table"),
    ];
    for (value, below, words) in refused {
        let field = format!("table[0].max_change_fraction{below} (shop.t)");
        assert_refused(&format!("{table}{value}"), &[(&field, words)]);
    }
}

#[test]
fn a_layout_holds_from_its_object_on() {
    let text = r#"
        [[table]]
        source = "shop.orders"
        keys = ["id"]
        columns = [ { name = "id", type = "int" } ]
        [[table.layout]]
        from = "LOAD00000003"
        columns = [ { name = "id", type = "int" }, { name = "a", type = "int" } ]
        [[table.layout]]
        from = "20221024-175902985.csv.gz"
        columns = [ { name = "id", type = "int" }, { name = "a", type = "int" }, { name = "b", type = "int" } ]"#;
    let table = settings(text).tables.remove(0);
    let cases = [
        ("LOAD00000002.csv", 1),
        ("LOAD00000003.csv", 2),
        ("LOAD0000000A.csv.gz", 2),
        ("20221024-175902984.csv", 2),
        ("20221024-1759029849.csv", 2),
        ("20221024-175902985.csv", 3),
        ("2022/10/24/20221024-1759029850.csv", 3),
    ];
    for (name, columns) in cases {
        assert_eq!(table.layout_for(&object(name)).len(), columns, "{name}");
    }
}

#[test]
fn a_tables_own_keys_replace_the_defaults() {
    let text = r#"
        [defaults]
        keys = ["id"]
        on_bad_row = "quarantine"
        merge = "deletion-vectors"
        rename = { a = "b" }
        [[table]]
        source = "shop.a"
        [[table]]
        source = "shop.b"
        keys = ["x", "y"]
        on_bad_row = "stop"
        merge = "auto"
        rename = {}
        [[table]]
        source = "shop.c"
        append_only = true"#;
    let tables = settings(text).tables;
    assert_eq!(
        (tables[0].keys.as_slice(), tables[0].lake_name("a")),
        (["id".to_owned()].as_slice(), "b")
    );
    assert_eq!(tables[0].on_bad_row, OnBadRow::Quarantine);
    assert_eq!(tables[0].merge, MergeMode::DeletionVectors);
    assert_eq!(
        (tables[1].lake_keys(), tables[1].lake_name("a")),
        (vec!["x".into(), "y".into()], "a")
    );
    assert_eq!(tables[1].on_bad_row, OnBadRow::Stop);
    assert_eq!(tables[1].merge, MergeMode::Auto);
    assert!(tables[2].append_only && tables[2].keys.is_empty());

    let text = "[defaults]\nappend_only = true\n[[table]]\nsource = \"shop.a\"\n\
                [[table]]\nsource = \"shop.b\"\nkeys = [\"id\"]";
    let tables = settings(text).tables;
    assert_eq!((tables[0].append_only, tables[1].append_only), (true, false));
}

#[test]
fn every_violation_is_named_at_once() {
    let text = r#"
        staging = 5
        lake = "gs://bucket"
        memory_budget = "lots"
        colour = "red"
        look_every = "5"
        [look_back]
        objects = 65
        minutes = 0
        [reload]
        settle_minutes = 0
        [maintain]
        delete = "never"
        [hand_over]
        to = "glue"
        after_minutes = 0
        attempts = 21
        [metrics]
        emf = "all"
        namespace = "AWS/Lambda"
        otlp = "https://me:secret@collector"
        [dms]
        rfc_4180 = "maybe"
        csv_delimeter = ";"
        [defaults]
        source = "a.b"
        freshness = "1s"
        retention = { files = "7 days", log = "1 minute" }
        on_bad_row = "skip"
        merge = "merge-on-read"
        [[table]]
        source = "shop.orders"
        keys = ["id", 3]
        colums = []
        on_reload = true
        guard = "all"
        tombstone_retention_days = 0
        columns = [ { name = "id", type = "vector(3)", nullable = "no" }, { type = "int" }, 7 ]
        [[table]]
        keys = "id"
        append_only = 1
    "#;
    let error = parse(text).expect_err("nothing is right");
    let found: Vec<_> = error.message().lines().collect();
    let expected = [
        "staging: 5 is not allowed; allowed: an s3://",
        "lake: \"gs://bucket\" is not allowed; allowed: an s3://",
        "dms.rfc_4180: \"maybe\" is not allowed; allowed: true, false",
        "dms.csv_delimeter: no such setting; did you mean csv_delimiter? allowed: csv_delimiter, add_column_name,",
        "defaults.source: a source belongs to one [[table]]",
        "defaults.freshness: \"1s\" is not allowed; allowed: \"0s\", or from \"1m\" to \"24h\"",
        "defaults.retention.log: \"1 minute\" is not allowed; allowed: from \"1 hour\" to \"3650 days\"",
        "look_every: \"5\" is not allowed; allowed: from \"1m\" to \"24h\"",
        "defaults.on_bad_row: \"skip\" is not allowed; allowed: \"stop\", \"quarantine\"",
        "defaults.merge: \"merge-on-read\" is not allowed; allowed: \"copy-on-write\", \"deletion-vectors\", \"auto\"",
        "table[0].columns[2] (shop.orders): 7 is not allowed; allowed: a table",
        "table[0].keys[1] (shop.orders): 3 is not allowed; allowed: a non-empty string",
        "table[0].columns[0].type (shop.orders): \"vector(3)\" is not a MySQL column type",
        "table[0].columns[0].nullable (shop.orders): \"no\" is not allowed; allowed: true, false",
        "table[0].columns[1].name (shop.orders): is missing; allowed: the column's name",
        "table[0].colums (shop.orders): no such setting; did you mean columns? allowed: columns, append_only,",
        "table[1].source: is missing; allowed: \"schema.table\"",
        "table[1].keys: \"id\" is not allowed; allowed: a list of strings",
        "table[1].append_only: 1 is not allowed; allowed: true, false",
        "memory_budget: \"lots\" is not allowed; allowed: bytes above 0",
        "look_back.objects: 65 is not allowed; allowed: 1 to 64",
        "maintain.delete: \"never\" is not allowed; allowed: true, false",
        "hand_over.job: is missing; allowed with to = \"glue\": the name of a job",
        "hand_over.after_minutes: 0 is not allowed; allowed: 1 to 10080",
        "hand_over.attempts: 21 is not allowed; allowed: 1 to 20",
        "metrics.emf: \"all\" is not allowed; allowed: \"total\", \"per-table\", \"alarms\" or \"off\"",
        "metrics.namespace: \"AWS/Lambda\" is not allowed; allowed: 1 to 255 letters",
        "metrics.otlp: ",
        "look_back.minutes: 0 is not allowed; allowed: 1 to 525600",
        "reload.settle_minutes: 0 is not allowed; allowed: 1 to 1440",
        "table[0].on_reload (shop.orders): true is not allowed; allowed: \"apply\", \"hold\"",
        "table[0].guard (shop.orders): \"all\" is not allowed; allowed: \"sequence\", \"off\"",
        "table[0].tombstone_retention_days (shop.orders): 0 is not allowed; allowed: 1 to 365",
        "colour: no such setting; allowed: catalog, defaults, dms, hand_over, lake, look_back, look_every, maintain, memory_budget, metrics, reload, staging, staging_expiry_days, table",
    ];
    for line in expected {
        assert!(found.iter().any(|found| found.starts_with(line)), "{line}\nin {found:#?}");
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
}

#[test]
fn to_whom_what_is_too_much_is_handed_over() {
    let read = |text: &str| {
        let table = "[[table]]\nsource = \"s.t\"\nkeys = [\"id\"]";
        parse(&format!("{TOP}{text}\n{table}")).expect(text).hand_over
    };
    let default = read("");
    assert_eq!((default.to, default.job), (HandOverTo::Nobody, None));
    assert_eq!((default.after_minutes, default.attempts), (30, 3));
    let glue = read("[hand_over]\nto = \"glue\"\njob = \"j\"\nafter_minutes = 5\nattempts = 1");
    assert_eq!(glue.to, HandOverTo::Glue("j".to_owned()));
    assert_eq!((glue.after().as_secs(), glue.attempts), (300, 1));
    assert_eq!(read("[hand_over]\nto = \"report\"").to, HandOverTo::Report);
    let by_hand = read("[hand_over]\nto = \"off\"\njob = \"j\"");
    assert_eq!((by_hand.to, by_hand.job.as_deref()), (HandOverTo::Nobody, Some("j")));
}

#[test]
fn what_is_told_of_runs_and_to_whom() {
    let read = |text: &str| {
        let table = "[[table]]\nsource = \"s.t\"\nkeys = [\"id\"]";
        parse(&format!("{TOP}{text}\n{table}")).map(|settings| settings.metrics)
    };
    assert_eq!(read("").unwrap(), MetricsSettings::default());
    let default = MetricsSettings::default();
    assert_eq!((default.emf, &*default.namespace, default.otlp), (Emf::Total, "dmslake", None));
    for (text, emf) in [
        ("total", Emf::Total),
        ("per-table", Emf::PerTable),
        ("alarms", Emf::Alarms),
        ("off", Emf::Off),
    ] {
        assert_eq!(read(&format!("[metrics]\nemf = \"{text}\"")).unwrap().emf, emf);
    }
    let named = read("[metrics]\nnamespace = \"shop/lake.1 #2\"").unwrap();
    assert_eq!(named.namespace, "shop/lake.1 #2");
    for (text, address) in [
        ("http://localhost:4318", "http://localhost:4318/v1/metrics"),
        ("https://otlp.example.com/", "https://otlp.example.com/v1/metrics"),
        ("https://example.com/otlp", "https://example.com/otlp/v1/metrics"),
        ("https://example.com/otlp/v1/metrics", "https://example.com/otlp/v1/metrics"),
    ] {
        let metrics = read(&format!("[metrics]\notlp = \"{text}\"")).unwrap();
        assert_eq!(metrics.otlp.map(String::from).as_deref(), Some(address));
    }
    for refused in
        ["", "localhost:4318", "grpc://localhost", "http://a?key=b", "http://a#b", "http://a@b"]
    {
        assert!(read(&format!("[metrics]\notlp = \"{refused}\"")).is_err(), "{refused}");
    }
    for refused in ["", " a", "AWS/x", ":a", "ä", &"a".repeat(256)] {
        assert!(read(&format!("[metrics]\nnamespace = \"{refused}\"")).is_err(), "{refused}");
    }
}

/// Every key that stands at a place, and none that is refused there.
#[test]
fn what_is_offered_in_place_of_an_unknown_key_is_complete_and_the_nearest_stands_first() {
    let offered = |text: &str, field: &str| {
        let error = parse(&format!("{TOP}{text}")).expect_err(text);
        let line = error.message().lines().find(|line| line.starts_with(field)).map(str::to_owned);
        let line = line.unwrap_or_else(|| panic!("{field} in {error}"));
        let (_, list) = line.split_once("allowed: ").expect("a list");
        list.split(", ").map(str::to_owned).collect::<Vec<_>>()
    };
    let of_table = [
        "append_only",
        "cdc_only",
        "columns",
        "guard",
        "keys",
        "layout",
        "max_bad_rows",
        "max_change_fraction",
        "merge",
        "name",
        "on_bad_row",
        "on_foreign_commit",
        "on_objects_vanished",
        "on_reload",
        "redshift_manifest",
        "rename",
        "source",
        "store",
        "tombstone_retention_days",
    ];
    let sorted = |mut names: Vec<String>| {
        names.sort_unstable();
        names
    };
    for (typed, nearest) in
        [("key", "keys"), ("column", "columns"), ("layouts", "layout"), ("KEYS", "keys")]
    {
        let text = format!("[[table]]\nsource = \"s.t\"\n{typed} = [\"id\"]");
        let list = offered(&text, &format!("table[0].{typed} "));
        assert_eq!(list[0], nearest);
        let missing: Vec<_> =
            of_table.iter().filter(|name| !list.contains(&(**name).to_owned())).collect();
        assert!(missing.is_empty(), "{missing:?} not in {list:?}");
        let list =
            offered(&format!("[defaults]\n{typed} = [\"id\"]"), &format!("defaults.{typed}:"));
        assert_eq!(list[0], nearest);
        assert!(!list.iter().any(|name| name == "source" || name == "name"), "{list:?}");
    }
    let list = offered("[[tables]]\nsource = \"s.t\"", "tables:");
    assert_eq!(list[0], "table");
    let of_file = [
        "catalog",
        "defaults",
        "dms",
        "hand_over",
        "lake",
        "look_back",
        "look_every",
        "maintain",
        "memory_budget",
        "metrics",
        "reload",
        "staging",
        "staging_expiry_days",
        "table",
    ];
    assert_eq!(sorted(list), of_file);
    let layout =
        "[[table]]\nsource = \"s.t\"\nkeys = [\"id\"]\n[[table.layout]]\nform = \"LOAD00000001\"";
    let list = offered(layout, "table[0].layout[0].form ");
    assert_eq!(list[0], "from");
    assert!(list.contains(&"columns".to_owned()), "{list:?}");
}

#[test]
fn a_long_list_of_what_is_allowed_is_said_once() {
    let column = |n: usize| format!("{{ name = \"c{n}\", type = \"?\" }}");
    let columns: Vec<String> = (0..17).map(column).collect();
    let text = format!(
        "{TOP}[[table]]\nsource = \"s.t\"\nkeys = [\"c0\"]\ncolumns = [{}]",
        columns.join(", ")
    );
    let error = parse(&text).expect_err("no types");
    assert_eq!(error.message().matches("tinyint, smallint").count(), 1, "{error}");
    let last = error.message().lines().last().expect("lines");
    assert_eq!(
        last,
        "table[0].columns[16].type (s.t): \"?\" is not a MySQL column type that can be read; \
         allowed: the same as for table[0].columns[0].type (s.t)"
    );
}

#[test]
fn text_that_is_no_toml_is_refused_with_its_line() {
    let error = parse("staging = \"a\"\nlake =\n").expect_err("no value");
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("line: 2"), "{error}");
}

#[test]
fn staging_lake_and_a_table_must_be_there() {
    let found = parse("").expect_err("nothing is there").message().to_owned();
    for field in ["staging: is missing", "lake: is missing", "table: is missing"] {
        assert!(found.contains(field), "{found}");
    }
    let same =
        "staging = \"s3://b/x/\"\nlake = \"s3://b/x\"\n[[table]]\nsource = \"a.b\"\nkeys = [\"k\"]";
    assert!(parse(same).expect_err("same place").message().starts_with("lake: is the same place"));
}

#[test]
fn a_guarded_table_needs_change_sequences_and_a_name_for_them() {
    let guarded = "[[table]]\nsource = \"s.t\"\nguard = \"sequence\"\n";
    let keyed = format!("{guarded}keys = [\"id\"]\n");
    let guard = "table[0].guard (s.t)";
    assert_refused(&keyed, &[(guard, "needs change_seq_column in [dms]")]);
    // Without keys nothing is replaced.
    assert!(!settings(&format!("{guarded}append_only = true")).tables[0].is_guarded());
    let with = |more: &str| format!("[dms]\nchange_seq_column = \"seq\"\n{keyed}{more}");
    let table = &settings(&with("")).tables[0];
    assert!(table.is_guarded() && table.tombstone_retention_days == 7);
    assert_refused(
        &with("rename = { a = \"_CDC_seq\" }"),
        &[(guard, "the name of \"a\" in the lake")],
    );
    let stored = "store = [\"seq\"]\nrename = { seq = \"_cdc_seq\" }";
    assert!(settings(&with(stored)).tables[0].is_guarded());
}

#[test]
fn a_table_with_change_sequences_is_guarded_unless_it_says_otherwise() {
    let table = "[[table]]\nsource = \"s.t\"\nkeys = [\"id\"]\n";
    let is_guarded = |text: &str| settings(text).tables[0].is_guarded();
    assert!(!is_guarded(table));
    let sequenced = format!("[dms]\nchange_seq_column = \"seq\"\n{table}");
    assert!(is_guarded(&sequenced));
    assert!(!is_guarded(&format!("{sequenced}guard = \"off\"")));
    let defaults = "[defaults]\nguard = \"off\"\n";
    assert!(!is_guarded(&format!("{defaults}{sequenced}")));
    assert!(is_guarded(&format!("{defaults}{sequenced}guard = \"sequence\"")));
}

#[test]
fn keys_and_sources_are_checked() {
    let table = |more: &str| {
        format!("[dms]\ntimestamp_column_name = \"ts\"\n[[table]]\nsource = \"s.t\"\n{more}")
    };
    let keys = "table[0].keys (s.t)";
    assert_refused(&table(""), &[(keys, "append_only = true")]);
    assert_refused(&table("keys = []"), &[(keys, "append_only = true")]);
    assert_refused(&table("keys = [\"a\"]\nappend_only = true"), &[(keys, "contradicts")]);
    assert_refused(&table("keys = [\"a\", \"A\"]"), &[("table[0].keys[1] (s.t)", "already")]);
    assert_refused(
        &table("keys = [\"a\", \"b\"]\nrename = { a = \"B\" }"),
        &[("table[0].keys[1] (s.t)", "already")],
    );
    assert_refused(&table("keys = [\"ts\"]"), &[("table[0].keys[0] (s.t)", "control column")]);
    assert_refused(&table("keys = [\"a b\"]"), &[("table[0].keys[0] (s.t)", "a space")]);
    assert_refused(
        &table("keys = [\"ID\"]\ncolumns = [{ name = \"id\", type = \"int\" }]"),
        &[("table[0].keys[0] (s.t)", "spelled \"id\"")],
    );
    assert_refused(
        &table(
            "keys = [\"id\"]\ncolumns = [{ name = \"id\", type = \"int\" }]\n\
             [[table.layout]]\nfrom = \"LOAD00000002\"\ncolumns = [{ name = \"x\", type = \"int\" }]",
        ),
        &[("table[0].keys[0] (s.t)", "missing from columns or from a layout")],
    );
    // Where names travel with the data, columns need not name the key.
    settings(&table("keys = [\"id\"]\ncolumns = [{ name = \"x\", type = \"int\" }]"));
    let twice = "[[table]]\nsource = \"s.t\"\nkeys = [\"a\"]\n".repeat(2);
    assert_refused(&twice, &[("table[1].source (s.t)", "is the same as table[0].source (s.t)")]);
    assert_refused(
        "[[table]]\nsource = \"_quarantine.t\"\nkeys = [\"a\"]",
        &[("table[0].source (_quarantine.t)", "not a schema")],
    );
}

/// A table of these columns, given as TOML text of names.
fn table_of(names: &[&str], more: &str) -> String {
    let columns: Vec<_> =
        names.iter().map(|name| format!("{{ name = {name}, type = \"int\" }}")).collect();
    format!(
        "[dms]\ntimestamp_column_name = \"dms ts\"\nchange_seq_column = \"seq\"\n[[table]]\n\
         source = \"s.t\"\nkeys = [\"id\"]\ncolumns = [{}]\n{more}",
        columns.join(", ")
    )
}

#[test]
fn column_names_are_checked_as_the_lake_will_have_them() {
    let id = "\"id\"";
    for name in ["a b", "a,b", "a;b", "a{b", "a}b", "a(b", "a)b", "a=b", r"a\tb", r"a\nb"] {
        let quoted = format!("\"{name}\"");
        let remedy = format!("rename = {{ {quoted} = \"a_b\" }}");
        assert_refused(
            &table_of(&[id, &quoted], ""),
            &[("table[0].columns[1].name (s.t)", &remedy)],
        );
        settings(&table_of(&[id, &quoted], &remedy));
    }
    // What is not stored may have any name, until it is stored.
    settings(&table_of(&[id, "\"dms ts\"", "\"seq\""], ""));
    assert_refused(
        &table_of(&[id], "store = [\"dms ts\"]"),
        &[("table[0].store[0] (s.t)", "a space")],
    );
    settings(&table_of(&[id], "store = [\"dms ts\"]\nrename = { \"dms ts\" = \"ts\" }"));
    // A before image is one only if its column is there.
    settings(&table_of(&[id, "\"a\"", "\"BI_a\""], "rename = { b = \"BI_a\" }"));
    assert_refused(
        &table_of(&[id, "\"BI_a b\""], ""),
        &[("table[0].columns[1].name (s.t)", "a space")],
    );
    assert_refused(
        &table_of(&[id, "\"ID\""], ""),
        &[("table[0].columns[1].name (s.t)", "rename = { \"ID\" = \"ID_2\" }")],
    );
    settings(&table_of(&[id, "\"ID\""], "rename = { \"ID\" = \"ID_2\" }"));
    assert_refused(
        &table_of(&[id, id], ""),
        &[("table[0].columns[1].name (s.t)", "is already in columns")],
    );
    assert_refused(
        &table_of(&[id, "\"a\"", "\"b\""], "rename = { a = \"B\" }"),
        &[("table[0].columns[2].name (s.t)", "would both be \"b\" in the lake")],
    );
    assert_refused(
        &table_of(&[id], "rename = { a = \"x\", b = \"X\", c = \"y z\", d = \"\" }"),
        &[
            ("table[0].rename.d (s.t)", "non-empty"),
            ("table[0].rename.b (s.t)", "the new name of \"a\", would be one column"),
            ("table[0].rename.c (s.t)", "a space"),
        ],
    );
    // Renamed twice at the source, a column goes on as one.
    settings(&table_of(&[id], "rename = { a = \"x\", b = \"x\" }"));
}

#[test]
fn keys_of_a_layout_are_those_of_the_table_under_other_names() {
    let columns = |key: &str| format!("columns = [{{ name = \"{key}\", type = \"int\" }}]");
    let table = |more: &str| format!("[[table]]\nsource = \"s.t\"\nkeys = [\"id\"]\n{more}");
    let layout = |from: &str, more: &str| format!("[[table.layout]]\nfrom = \"{from}\"\n{more}\n");
    let rename = "rename = { no = \"id\", number = \"id\" }\n";
    let (second, third) = ("20240101-000000002", "20240101-000000003.parquet");
    let named = settings(&table(&format!(
        "{rename}{}{}",
        layout(second, "keys = [\"no\"]"),
        layout(third, "keys = [\"number\"]")
    )));
    for (name, key) in [
        ("LOAD00000001.parquet", "id"),
        ("20240101-000000001.csv", "id"),
        ("20240101-000000002.csv", "no"),
        ("20240101-0000000021.csv", "no"),
        ("20240101-000000003.parquet", "number"),
    ] {
        assert_eq!(named.tables[0].keys_for(&object(name)), [key], "{name}");
    }
    assert_eq!(named.tables[0].lake_keys(), ["id"]);
    let keys = |name: &str| format!("keys = [\"{name}\"]\n{}", columns(name));
    settings(&table(&format!("{rename}{}\n{}", columns("id"), layout(second, &keys("no")))));

    let field = "table[0].layout[0].keys (s.t)";
    let item = "table[0].layout[0].keys[0] (s.t)";
    let refusals = [
        (
            layout(second, "keys = [\"no\"]"),
            field,
            "would be no in the lake, but the keys there are id",
        ),
        (format!("{rename}{}", layout(second, "keys = []")), field, "the keys there are id"),
        (
            format!(
                "{rename}{}\n{}",
                columns("id"),
                layout(second, &format!("keys = [\"no\"]\n{}", columns("number")))
            ),
            item,
            "missing from columns or from a layout",
        ),
        (layout(second, ""), "table[0].layout[0].columns (s.t)", "or keys alone"),
    ];
    for (more, field, words) in &refusals {
        assert_refused(&table(more), &[(field, words)]);
    }
    // Columns before the layout need not have the later name, nor those behind it the earlier.
    let forgotten = format!("{rename}{}\n{}", columns("id"), layout(second, &columns("no")));
    assert_refused(
        &table(&forgotten),
        &[("table[0].keys[0] (s.t)", "missing from columns or from a layout")],
    );
    let keyless = "[[table]]\nsource = \"s.t\"\nappend_only = true\n";
    assert_refused(
        &format!("{keyless}{}", layout(second, "keys = [\"no\"]")),
        &[(field, "contradicts append_only")],
    );
}

#[test]
fn layouts_rise_and_agree_on_letter_case() {
    let layout = |from: &str, name: &str| {
        format!(
            "[[table.layout]]\nfrom = \"{from}\"\ncolumns = [{{ name = \"id\", type = \"int\" }}, \
             {{ name = \"{name}\", type = \"int\" }}]\n"
        )
    };
    let table = |layouts: &str| table_of(&["\"id\"", "\"note\""], layouts);
    let (early, late) = ("20221024-175902985", "20221025-000000000");
    settings(&table(&(layout("LOAD00000002", "x") + &layout(early, "x") + &layout(late, "x"))));
    assert_refused(
        &table(&(layout(late, "x") + &layout(early, "x") + &layout("LOAD00000002", "x"))),
        &[
            ("table[0].layout[1].from (s.t)", "sort layouts by from"),
            ("table[0].layout[2].from (s.t)", "sort layouts by from"),
        ],
    );
    assert_refused(
        &table(&layout("yesterday", "x")),
        &[("table[0].layout[0].from (s.t)", "20221024-175902985")],
    );
    assert_refused(
        &table(&layout(early, "Note")),
        &[("table[0].layout (s.t)", "rename = { \"Note\" = \"note\" }")],
    );
    // A column that was renamed at the source goes on under one name.
    let renamed = format!("rename = {{ note = \"remark\" }}\n{}", layout(early, "remark"));
    let spec = settings(&table(&renamed)).tables.remove(0);
    assert_eq!((spec.lake_name("note"), spec.lake_name("remark")), ("remark", "remark"));
}

#[test]
fn only_what_is_not_stored_by_itself_can_be_named_in_store() {
    let store = |names: &str| table_of(&["\"id\""], &format!("store = [{names}]"));
    let spec = settings(&store("\"Op\", \"seq\", \"BI_id\"")).tables.remove(0);
    assert_eq!(spec.store, ["Op", "seq", "BI_id"]);
    assert_refused(
        &store("\"id\", \"seq\", \"seq\""),
        &[
            ("table[0].store[0] (s.t)", "allowed: Op, dms ts, seq, names that begin with BI_"),
            ("table[0].store[2] (s.t)", "already"),
        ],
    );
}

#[test]
fn switches_of_columns_fit_their_types() {
    let column = |switch: &str| {
        format!(
            "[[table]]\nsource = \"s.t\"\nkeys = [\"a\"]\ncolumns = [{{ name = \"a\", {switch} }}]"
        )
    };
    for switch in [
        "type = \"tinyint unsigned\", boolean = true",
        "type = \"blob\", hex = true",
        "type = \"bit(64)\", hex = true",
    ] {
        settings(&column(switch));
    }
    assert_refused(
        &column("type = \"int\", boolean = true"),
        &[("table[0].columns[0].boolean (s.t)", "only for tinyint")],
    );
    assert_refused(
        &column("type = \"text\", hex = true"),
        &[("table[0].columns[0].hex (s.t)", "only for binary")],
    );
    assert_refused(
        &column("type = \"int not null\""),
        &[("table[0].columns[0].type (s.t)", "nullable = false")],
    );
}

/// The `[dms]` section with one table beside it.
fn dms(section: &str) -> String {
    format!("[dms]\n{section}\n[[table]]\nsource = \"s.t\"\nkeys = [\"id\"]")
}

#[test]
fn settings_of_the_endpoint_that_change_bytes_are_kept() {
    let text = r#"
        csv_delimiter = "\\t"
        csv_row_delimiter = "\r\n"
        csv_null_value = "\\N"
        use_csv_no_sup_value = true
        csv_no_sup_value = "?"
        rfc_4180 = false
        add_column_name = true
        include_op_for_full_load = false
        timestamp_column_name = "dms_ts"
        change_seq_column = "cdc_seq"
        before_image_prefix = "before_"
        cdc_inserts_and_updates = "y"
        date_partition_enabled = "True"
        preserve_transactions = true
        add_trailing_padding_character = true"#;
    let expected = S3Settings {
        csv_delimiter: "\t".into(),
        csv_row_delimiter: "\r\n".into(),
        csv_row_delimiter_stated: true,
        csv_null_value: r"\N".into(),
        csv_no_sup_value: Some("?".into()),
        rfc_4180: false,
        add_column_name: true,
        add_column_name_stated: true,
        include_op_for_full_load: Some(false),
        timestamp_column_name: Some("dms_ts".into()),
        change_seq_column: Some("cdc_seq".into()),
        before_image_prefix: Some("before_".into()),
        cdc_inserts_only: false,
        cdc_inserts_and_updates: true,
        date_partition_enabled: true,
        preserve_transactions: true,
        add_trailing_padding_character: true,
    };
    assert_eq!(settings(&dms(text)).dms, expected);
    let off = settings(&dms(
        "before_image_prefix = \"\"\ntimestamp_column_name = \"\"\ncsv_no_sup_value = \"?\"",
    ))
    .dms;
    assert_eq!(off, S3Settings { before_image_prefix: None, ..S3Settings::default() });
}

#[test]
fn every_other_setting_of_the_endpoint_is_accepted_and_changes_nothing() {
    let text = r#"
        bucket_folder = "dms"
        bucket_name = "staging"
        canned_acl_for_objects = "none"
        cdc_max_batch_interval = 60
        cdc_min_file_size = "32000"
        cdc_path = "cdc"
        certificate_arn = ""
        compression_type = "GZIP"
        data_format = "parquet"
        data_page_size = 1024000
        date_partition_delimiter = "SLASH"
        date_partition_sequence = "YYYYMMDD"
        date_partition_timezone = "Asia/Seoul"
        detach_target_on_lob_lookup_failure_parquet = false
        dict_page_size_limit = 1024000
        enable_statistics = true
        encoding_type = "rle-dictionary"
        encryption_mode = "SSE_S3"
        endpoint_id = "lake"
        endpoint_type = "target"
        expected_bucket_owner = 123456789012
        external_table_definition = ""
        glue_catalog_generation = false
        ignore_header_rows = 0
        kms_key_arn = ""
        max_file_size = 1048576
        parquet_timestamp_in_millisecond = true
        parquet_version = "parquet-2-0"
        region = "eu-west-1"
        row_group_length = 10024
        server_side_encryption_kms_key_id = ""
        service_access_role_arn = "arn:aws:iam::123456789012:role/dms"
        ssl_mode = "none"
        tags = { team = "data" }
        tags_all = { team = "data" }
        timeouts = { create = "5m" }
        use_task_start_time_for_full_load_timestamp = true"#;
    assert_eq!(settings(&dms(text)).dms, S3Settings::default());
    for line in text.trim().lines() {
        let (name, _) = line.trim().split_once(" = ").expect("a setting");
        let field = format!("dms.{name}");
        assert_refused(
            &dms(&format!("{name} = []")),
            &[(&field, "a list is not allowed; allowed: ")],
        );
    }
}

#[test]
fn settings_of_the_endpoint_that_contradict_each_other_are_refused() {
    let cases = [
        ("csv_delimiter = \"\"", "dms.csv_delimiter", "one or more characters"),
        ("csv_delimiter = \"\\\\xff\"", "dms.csv_delimiter", "one or more characters"),
        ("csv_delimiter = \"a\\n\"", "dms.csv_delimiter", "may contain the other"),
        ("csv_row_delimiter = \"\\\"\"", "dms.csv_row_delimiter", "rfc_4180 = false"),
        (
            "use_csv_no_sup_value = true\ncsv_no_sup_value = \"NULL\"",
            "dms.csv_no_sup_value",
            "equals csv_null_value",
        ),
        (
            "cdc_inserts_only = true\ncdc_inserts_and_updates = true",
            "dms.cdc_inserts_only",
            "not both",
        ),
        (
            "timestamp_column_name = \"x\"\nchange_seq_column = \"x\"",
            "dms.change_seq_column",
            "same column",
        ),
        ("Rfc4180 = true", "dms.Rfc4180", "no such setting"),
    ];
    for (section, field, words) in cases {
        assert_refused(&dms(section), &[(field, words)]);
    }
}

#[test]
fn a_freshness_needs_a_schedule_that_comes_often_enough() {
    let with = |schedule: &str, freshness: &str| {
        let text = format!(
            "staging = \"s\"\nlake = \"l\"\n{schedule}\n[defaults]\nfreshness = \"5m\"\n\
             [[table]]\nsource = \"shop.orders\"\nkeys = [\"id\"]\n{freshness}\n"
        );
        parse(&text).map_err(|error| error.message().to_owned())
    };
    let refused = "table[0].freshness (shop.orders): cannot be kept: a doorbell may be lost, so \
                   look_every has to be 6m or less, as often as the schedule sends {\"sweep\": \"due\"}";
    assert_eq!(with("", "").expect_err("no schedule"), refused);
    assert_eq!(with("look_every = \"361s\"", "").expect_err("too seldom"), refused);
    let settings = with("look_every = \"6m\"", "retention = \"7 days\"").expect("often enough");
    let week = Duration::from_hours(7 * 24);
    assert_eq!(settings.tables[0].freshness, Duration::from_mins(5));
    assert_eq!(settings.tables[0].retention, Some(Retention { files: week, log: week }));
    let settings = with("", "freshness = \"0s\"").expect("no table waits");
    assert!(settings.tables[0].freshness.is_zero());
}
