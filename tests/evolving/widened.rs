//! A column gets a wider type at the source, and then in the table, with all of its values.

use dmslake::error::ErrorKind;
use dmslake::pipeline::{Limits, Observer, Status, Step, Stop};
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use super::site::{LOAD, Site, change, ints, longs};
use crate::support::parquet_file::{Values, file_with, texts};

const KEYED: &str = "keys = [\"id\"]";

/// A table with an `int32` key and value, in two files.
async fn narrow(table: &str) -> Site {
    let site = Site::with(table);
    site.stage(LOAD, None, &[("int32 id", ints(&[1, 2])), ("int32 v", ints(&[7, 8]))]).await;
    site.stage(&change(1), Some("I"), &[("int32 id", ints(&[3])), ("int32 v", ints(&[9]))]).await;
    site.ok().await;
    site
}

#[tokio::test]
async fn int_becomes_bigint_by_itself() {
    for merge in ["copy-on-write", "deletion-vectors"] {
        let site = narrow(&format!("{KEYED}\nmerge = \"{merge}\"")).await;
        site.stage(&change(2), Some("U"), &[("int32 id", ints(&[1])), ("int32 v", ints(&[6]))])
            .await;
        let wide = [("int64 id", longs(&[2, 5_000_000_000])), ("int64 v", longs(&[1 << 40, 0]))];
        site.stage(&change(3), Some("U"), &wide).await;
        site.stage(&change(4), Some("D"), &[("int32 id", ints(&[3])), ("int32 v", ints(&[9]))])
            .await;
        let before = site.version().await;
        let old_rows = site.rows().await;
        let report = site.ok().await;
        assert_eq!(report.objects, 3, "{report:?}");
        assert_eq!(site.columns().await, ["id long", "v long"]);
        assert_eq!(site.rows().await, ["1|6", "2|1099511627776", "5000000000|0"], "{merge}");
        // Older versions are as they were, and nothing is left of the way.
        assert_eq!(site.rows_at(before).await, old_rows);
        assert_eq!(site.names("_dmslake/shadow").await, [""; 0]);
        assert!(site.names("_dmslake/state").await.len() == 1);
        // A narrower object of the time before, or after, goes on to fit.
        site.stage(&change(5), Some("U"), &[("int32 id", ints(&[1])), ("int32 v", ints(&[5]))])
            .await;
        site.ok().await;
        assert_eq!(site.rows().await[0], "1|5");
    }
}

#[tokio::test]
async fn every_kind_of_column_widens() {
    let date = |days: i32| Values::I32(vec![Some(days)]);
    let cases = [
        (
            "int32 v (INTEGER(8,true))",
            ints(&[-7]),
            "int32 v (INTEGER(8,false))",
            ints(&[200]),
            "v short",
            ["-7", "200"],
        ),
        (
            "int64 v",
            longs(&[-1]),
            "int64 v (INTEGER(64,false))",
            longs(&[1]),
            "v decimal(20,0)",
            ["-1", "1"],
        ),
        (
            "int32 v",
            ints(&[7]),
            "double v",
            Values::F64(vec![Some(0.5)]),
            "v double",
            ["7.0", "0.5"],
        ),
        (
            "float v",
            Values::F32(vec![Some(0.5)]),
            "double v",
            Values::F64(vec![Some(0.1)]),
            "v double",
            ["0.5", "0.1"],
        ),
        (
            "int64 v (DECIMAL(10,2))",
            longs(&[725]),
            "int64 v (DECIMAL(12,4))",
            longs(&[12345]),
            "v decimal(12,4)",
            ["7.2500", "1.2345"],
        ),
        (
            "int64 v (DECIMAL(10,2))",
            longs(&[725]),
            "int64 v (DECIMAL(10,4))",
            longs(&[12345]),
            "v decimal(12,4)",
            ["7.2500", "1.2345"],
        ),
        (
            "int32 v (DATE)",
            date(1),
            "int64 v (TIMESTAMP(MICROS,true))",
            longs(&[1]),
            "v timestamp",
            ["1970-01-02T00:00:00Z", "1970-01-01T00:00:00.000001Z"],
        ),
        (
            "boolean v",
            Values::Bool(vec![Some(true)]),
            "int32 v",
            ints(&[5]),
            "v integer",
            ["1", "5"],
        ),
    ];
    for (old, old_values, new, new_values, becomes, shown) in cases {
        let site = Site::with(KEYED);
        site.stage(LOAD, None, &[("int64 id", longs(&[1])), (old, old_values)]).await;
        site.ok().await;
        site.stage(&change(1), Some("I"), &[("int64 id", longs(&[2])), (new, new_values)]).await;
        site.ok().await;
        assert_eq!(site.columns().await[1], becomes, "{old} to {new}");
        let expected = [format!("1|{}", shown[0]), format!("2|{}", shown[1])];
        assert_eq!(site.rows().await, expected, "{old} to {new}");
    }
}

/// As `init --mysql` states all types: what an object says of itself is newer.
#[tokio::test]
async fn a_parquet_column_outgrows_the_type_that_is_stated() {
    let unsigned = |bits: u8| format!("int{} v (INTEGER({bits},false))", bits.max(32));
    let medium = (unsigned(32), ints(&[200]), "v integer", "200");
    let int = ("int32 v".to_owned(), ints(&[7]), "v integer", "7");
    let wide = |value: i64| ("int64 v".to_owned(), longs(&[value]));
    let huge = (unsigned(64), longs(&[-1]));
    let instant = ("int64 v (TIMESTAMP(MICROS,true))".to_owned(), longs(&[1]));
    let day = ("int32 v (DATE)".to_owned(), ints(&[1]), "v date", "1970-01-02");
    let cents = ("int64 v (DECIMAL(10,2))".to_owned(), longs(&[725]), "v decimal(10,2)", "7.25");
    let more = ("int64 v (DECIMAL(14,2))".to_owned(), longs(&[99_999_999_999_999]));
    let half = ("double v".to_owned(), Values::F64(vec![Some(0.5)]));
    let cases = [
        ("int", int.clone(), wide(1 << 40), "v long", ["7", "1099511627776"]),
        ("int", int.clone(), wide(8), "v integer", ["7", "8"]),
        ("int", int, half, "v double", ["7.0", "0.5"]),
        // Its own form is that of an int unsigned.
        ("mediumint unsigned", medium, huge, "v decimal(20,0)", ["200", "18446744073709551615"]),
        ("decimal(10,2)", cents, more, "v decimal(14,2)", ["7.25", "999999999999.99"]),
        (
            "date",
            day,
            instant,
            "v timestamp",
            ["1970-01-02T00:00:00Z", "1970-01-01T00:00:00.000001Z"],
        ),
    ];
    for (stated, (old, old_values, was, first), (new, new_values), becomes, shown) in cases {
        let site =
            Site::with(&format!("{KEYED}\ncolumns = [{{ name = \"v\", type = \"{stated}\" }}]"));
        let before = |id| [("int64 id", longs(&[id])), (&*old, old_values.clone())];
        site.stage(LOAD, None, &before(1)).await;
        site.ok().await;
        assert_eq!(site.columns().await[1], was, "{stated}");
        assert_eq!(site.rows().await, [format!("1|{first}")], "{stated}");
        let after = [("int64 id", longs(&[2])), (&*new, new_values)];
        site.stage(&change(1), Some("I"), &after).await;
        site.ok().await;
        assert_eq!(site.columns().await[1], becomes, "{stated} to {new}");
        // An object of before still fits, as it may come from another reading of the source.
        site.stage(&change(2), Some("I"), &before(3)).await;
        site.ok().await;
        let expected = [(1, shown[0]), (2, shown[1]), (3, shown[0])];
        let expected = expected.map(|(id, value)| format!("{id}|{value}"));
        assert_eq!(site.rows().await, expected, "{stated} to {new}");
    }
}

/// The first rows of a large object say nothing; the statistics of its row groups do.
#[tokio::test]
async fn statistics_tell_that_a_stated_type_is_outgrown() {
    let stated = "columns = [{ name = \"v\", type = \"int\" }]";
    let site = narrow(&format!("{KEYED}\n{stated}")).await;
    let ids: Vec<i32> = (10..40_000).collect();
    let mut values = vec![5_i64; ids.len()];
    values[ids.len() - 1] = 1 << 40;
    let wide = [("int32 id", ints(&ids)), ("int64 v", longs(&values))];
    site.stage(&change(2), Some("I"), &wide).await;
    site.ok().await;
    assert_eq!(site.columns().await, ["id integer", "v long"]);
    assert!(site.rows().await.contains(&"39999|1099511627776".to_owned()));
}

/// Once the table has followed, nothing has to tell that a value may be as wide.
#[tokio::test]
async fn a_table_that_has_followed_takes_every_value_of_the_columns_own_type() {
    let stated = "columns = [{ name = \"id\", type = \"int\" }, { name = \"v\", type = \"int\" }]";
    let site = Site {
        dms: "before_image_prefix = \"BI_\"".into(),
        ..Site::with(&format!("{KEYED}\n{stated}"))
    };
    let huge = 1 << 40;
    site.stage(LOAD, None, &[("int64 id", longs(&[huge])), ("int64 v", longs(&[huge]))]).await;
    site.ok().await;
    assert_eq!(site.columns().await, ["id long", "v long"]);
    // Only the before image exceeds the stated type.
    let moved =
        [("int64 id", longs(&[5])), ("int64 v", longs(&[6])), ("int64 BI_id", longs(&[huge]))];
    site.stage(&change(1), Some("U"), &moved).await;
    site.ok().await;
    assert_eq!(site.rows().await, ["5|6"]);
    // Without statistics, only the last row.
    let ids: Vec<i64> = (10..30_000).collect();
    let values: Vec<i64> = ids.iter().map(|id| if *id == 29_999 { huge } else { 1 }).collect();
    let inserts = texts(&vec![Some("I"); ids.len()]);
    let columns =
        [("binary Op (UTF8)", inserts), ("int64 id", longs(&ids)), ("int64 v", longs(&values))];
    let silent = WriterProperties::builder().set_statistics_enabled(EnabledStatistics::None);
    let object = file_with(&columns, silent.build(), 1);
    site.put(&format!("{}.parquet", change(2)), object).await;
    site.ok().await;
    assert!(site.rows().await.contains(&format!("29999|{huge}")));
}

#[tokio::test]
async fn what_no_type_holds_keeps_holding() {
    for (old, new) in [("int64 v", "double v"), ("double v", "int64 v")] {
        let values = |declared: &str| match declared {
            "double v" => Values::F64(vec![Some(0.5)]),
            _ => longs(&[1]),
        };
        let site = Site::with(KEYED);
        site.stage(LOAD, None, &[("int64 id", longs(&[1])), (old, values(old))]).await;
        site.ok().await;
        site.stage(&change(1), Some("I"), &[("int64 id", longs(&[2])), (new, values(new))]).await;
        site.held(&["does not fit the column's type in the lake"]).await;
    }
}

#[tokio::test]
async fn the_first_objects_of_a_table_may_differ_in_their_types() {
    let site = Site::with(KEYED);
    site.stage(LOAD, None, &[("int32 id", ints(&[1])), ("int32 v", ints(&[7]))]).await;
    site.stage("LOAD00000002", None, &[("int64 id", longs(&[2])), ("int64 v", longs(&[8]))]).await;
    site.stage(
        &change(1),
        Some("U"),
        &[("int32 id", ints(&[1])), ("double v", { Values::F64(vec![Some(0.5)]) })],
    )
    .await;
    // A whole number of 64 bits and a fraction have no type in common.
    site.held(&["double does not fit", "long"]).await;
    assert_eq!(site.rows().await, ["1|7", "2|8"]);
    assert_eq!(site.columns().await, ["id long", "v long"]);
}

#[tokio::test]
async fn a_rebuild_reads_all_of_it_with_the_wider_type() {
    let site = narrow(KEYED).await;
    site.stage(&change(2), Some("I"), &[("int64 id", longs(&[4])), ("int64 v", longs(&[1 << 40]))])
        .await;
    site.ok().await;
    let before = site.version().await;
    let report = site.rebuild().await;
    assert_eq!((report.status, report.pending), (Status::Ok, 0), "{report:?}");
    assert_eq!(site.version().await, before + 1);
    assert_eq!(site.columns().await, ["id long", "v long"]);
    assert_eq!(site.rows().await, ["1|7", "2|8", "3|9", "4|1099511627776"]);
}

#[tokio::test]
async fn the_type_of_a_csv_column_is_the_configurations() {
    let columns = |of_type: &str| {
        format!(
            "{KEYED}\ncolumns = [{{ name = \"id\", type = \"int\" }}, {{ name = \"v\", type = \
             \"{of_type}\" }}]"
        )
    };
    for (old, new, value, shown) in [
        ("int", "bigint", "5000000000", "5000000000"),
        ("tinyint", "smallint", "-500", "-500"),
        ("bigint", "bigint unsigned", "18446744073709551615", "18446744073709551615"),
        ("decimal(5,2)", "decimal(7,4)", "1.2345", "1.2345"),
        ("date", "datetime", "2024-02-03 04:05:06", "2024-02-03T04:05:06Z"),
    ] {
        let mut site = Site::with(&columns(old));
        let first = if old == "date" { "2024-02-03" } else { "7" };
        site.put("LOAD00000001.csv", format!("1,{first}\n")).await;
        site.ok().await;
        site.put("20240101-000000001.csv", format!("I,2,{value}\n")).await;
        let line = format!("type = \"{old}\"");
        if old != "date" {
            site.held(&["`columns`", &line, "`v`", "apply again"]).await;
        }
        site.table = columns(new);
        site.ok().await;
        let rows = site.rows().await;
        assert_eq!(rows[1], format!("2|{shown}"));
        assert!(rows[0].starts_with(&format!("1|{first}")), "{rows:?}");
    }
}

#[tokio::test]
async fn a_load_without_rows_is_followed_by_other_columns() {
    let columns = |id: &str, value: &str| {
        format!(
            "{KEYED}\ncolumns = [{{ name = \"id\", type = \"{id}\" }}, {{ name = \"{value}\", \
             type = \"int\" }}]"
        )
    };
    let mut site = Site::with(&columns("int", "v"));
    site.put("LOAD00000001.csv", "1,7\n").await;
    site.ok().await;
    site.table = format!("{}\nrenamed = {{ v = \"w\" }}", columns("bigint", "w"));
    site.put("LOAD00000001.csv", "").await;
    site.put("20240101-000000002.csv", "I,5000000000,1\n").await;
    site.ok().await;
    assert_eq!(site.columns().await, ["id long", "w integer"]);
    assert_eq!(site.rows().await, ["5000000000|1"]);
}

#[tokio::test]
async fn a_column_is_no_longer_read_as_boolean() {
    let columns = |more: &str| {
        format!(
            "{KEYED}\ncolumns = [{{ name = \"id\", type = \"int\" }}, {{ name = \"v\", type = \
             \"tinyint(1)\"{more} }}]"
        )
    };
    let mut site = Site::with(&columns(", boolean = true"));
    site.put("LOAD00000001.csv", "1,1\n2,0\n").await;
    site.ok().await;
    site.put("20240101-000000001.csv", "I,3,5\n").await;
    site.held(&["boolean = true takes 0 and 1 only"]).await;
    site.table = columns("");
    site.ok().await;
    assert_eq!(site.rows().await, ["1|1", "2|0", "3|5"]);
    // The other way round, values could be lost.
    site.table = columns(", boolean = true");
    site.put("20240101-000000002.csv", "I,4,1\n").await;
    site.held(&["boolean (of tinyint) does not fit", "dmslake rebuild shop.t"]).await;
}

#[tokio::test]
async fn a_widening_that_runs_out_of_time_is_gone_on_with() {
    let site = narrow(KEYED).await;
    for number in 2..6 {
        let columns = [("int32 id", ints(&[10 + number])), ("int32 v", ints(&[0]))];
        site.stage(&change(number.unsigned_abs()), Some("I"), &columns).await;
        site.ok().await;
    }
    let wide = [("int64 id", longs(&[6_000_000_000])), ("int64 v", longs(&[1]))];
    site.stage(&change(6), Some("I"), &wide).await;
    let before = site.rows().await;
    let mut runs = 0;
    loop {
        let limits = Limits { stop: Stop::default(), ..Limits::default() };
        let report = site.apply_within(&limits, &AfterOneFile(limits.stop.clone())).await;
        runs += 1;
        if site.columns().await == ["id long", "v long"] {
            break;
        }
        assert_eq!(report.error_kind, Some(ErrorKind::Deadline), "{report:?}");
        assert_eq!(report.status, Status::Failed);
        assert_eq!(site.rows().await, before, "readers see the old rows");
        // Others may write meanwhile, and nothing of what is written is deleted.
        site.maintain().await;
    }
    assert!(runs > 2, "{runs}");
    site.ok().await;
    assert_eq!(site.rows().await.len(), before.len() + 1);
}

/// Requests a stop when a file is written with other columns.
struct AfterOneFile(Stop);

impl Observer for AfterOneFile {
    fn step(&self, step: Step) {
        if let Step::Reshaped { .. } = step {
            self.0.request();
        }
    }
}
