//! What is staged, compared with what is configured.

use std::time::Duration;

use super::{Patient, TABLE, next};

const DAY: Duration = Duration::from_hours(24);

#[test]
fn tables_that_are_staged_and_not_configured_and_the_reverse_are_named() {
    let patient = Patient::loaded("");
    patient.stage("shop/orders/LOAD00000001.csv", "1\n");
    let found = patient.examined("");
    let only = found.only("tables", "warning", &["no [[table]] takes it"]);
    assert_eq!(only["table"], "shop.orders");
    // The command prints the [[table]].
    let printed = patient.shell(next(only));
    let printed = String::from_utf8(printed.stdout).unwrap();
    assert!(printed.contains("source = \"shop.orders\""), "{printed}");

    // Names that differ by case.
    let patient = Patient::loaded("");
    patient.stage("shop/Items/LOAD00000001.csv", "1,one\n");
    let found = patient.examined("");
    let only = found.only("tables", "problem", &["shop.items is", "differ by case"]);
    assert_eq!(only["table"], "shop.Items");
    // Tables that are named on the command line are not compared with others.
    assert!(patient.examined("shop.items").of("tables").is_empty());

    // Two of them that nobody has configured.
    let patient = Patient::loaded("");
    for name in ["orders", "Orders"] {
        patient.stage(&format!("shop/{name}/LOAD00000001.csv"), "1\n");
    }
    let found = patient.examined("");
    let told = found.of("tables");
    let alike = "shop.Orders and shop.orders are staged: the names differ by case only";
    assert!(told.contains(&("warning", "", alike)), "{told:?}");

    // Configured, and nothing is staged: misspelled, or empty at the source.
    let patient = Patient::with("");
    patient.stage("shop/item/LOAD00000001.csv", "1,one\n");
    let found = patient.examined("");
    let told = found.of("tables");
    let misspelled =
        "nothing is staged for it, and there is no table; shop.item is staged: is that meant?";
    assert!(told.contains(&("warning", "shop.items", misspelled)), "{told:?}");
    let patient = Patient::with("");
    let found = patient.examined("");
    found.only("tables", "note", &["nothing is staged for it"]);
    found.is_healthy();
}

#[test]
fn transaction_ordered_objects_are_a_problem() {
    let patient = Patient::loaded("");
    patient.stage("CDC_TXN-20260301080000000.csv", "I,shop,items,1,one\n");
    let found = patient.examined("");
    let only = found.only("tables", "problem", &["transaction-ordered objects"]);
    assert!(only["remedy"].as_str().unwrap().contains("preserve_transactions off"), "{only}");
}

#[test]
fn settings_that_the_objects_contradict_are_told_one_by_one() {
    let settings = "[dms]\nadd_column_name = true\ntimestamp_column_name = \"ts\"\n\
                    change_seq_column = \"seq\"\n";
    let patient = Patient::with(settings);
    patient.configure(settings, &format!("{TABLE}guard = \"off\"\n"));
    patient.stage("shop/items/LOAD00000001.csv", "ts,id,name\n2026-03-01 08:00:00.000000,1,one\n");
    patient.stage("shop/items/2026/03/01/20260301-080100000.csv", "Op,id,name\nU,1,eins\n");
    patient.stage("shop/items/notes.txt", "who wrote this?");
    let found = patient.examined("");
    let told = found.of("settings");
    let mut expected = [
        "timestamp_column_name is ts, and 2026/03/01/20260301-080100000.csv has no such column",
        "change_seq_column is seq, and 2026/03/01/20260301-080100000.csv has no such column",
        "change objects are in folders of dates, and date_partition_enabled is not set",
        "objects with names that DMS does not give, which are not applied: 1, such as notes.txt",
    ];
    expected.sort_unstable();
    let mut warned: Vec<&str> =
        told.iter().filter(|it| it.0 == "warning").map(|(_, _, what)| *what).collect();
    warned.sort_unstable();
    assert_eq!(warned, expected, "{told:#?}");
    let noted: Vec<&str> = told.iter().filter(|it| it.0 == "note").map(|it| it.2).collect();
    assert_eq!(noted, ["change objects have no before images (BI_…) of the key columns"]);

    // As they say, and the load brings the image.
    std::fs::remove_file(patient.path().join("staging/shop/items/notes.txt")).unwrap();
    let settings = "[dms]\nadd_column_name = true\ndate_partition_enabled = true\n";
    patient.configure(settings, TABLE);
    patient.stage("shop/items/LOAD00000001.csv", "id,name\n1,one\n");
    patient.stage("shop/items/2026/03/01/20260301-080200000.csv", "Op,id,name,BI_id\nU,1,uno,1\n");
    let found = patient.examined("");
    assert!(found.of("settings").is_empty(), "{found:#?}");
    // The reverse: folders that there are not.
    patient.stage("shop/items/20260301-080300000.csv", "Op,id,name,BI_id\nU,1,un,1\n");
    patient.examined("").only("settings", "note", &["is in no folder of a date"]);
}

#[test]
fn a_change_sequence_that_nobody_has_configured_is_noticed_by_its_form() {
    let tables =
        TABLE.replace("\"text\" },", "\"text\" },\n  { name = \"seq\", type = \"text\" },");
    let patient = Patient::with("");
    patient.configure("", &tables);
    patient.stage("shop/items/LOAD00000001.csv", "1,one,\n");
    let change = |sequence: &str| {
        patient.stage("shop/items/20260301-080000000.csv", &format!("U,1,eins,{sequence}\n"));
        let found = patient.examined("");
        found.of("settings").into_iter().filter(|it| it.2.contains("seq")).count()
    };
    let sequence = "20260301080000000000000000000000001";
    assert_eq!(sequence.len(), 35);
    assert_eq!(change(sequence), 1);
    assert_eq!(change(&sequence[1..]), 0);
    patient.configure("[dms]\nchange_seq_column = \"seq\"\n", &tables);
    assert_eq!(change(sequence), 0);
}

#[test]
fn an_endpoint_that_leaves_changes_out_is_a_warning() {
    let patient = Patient::loaded("[dms]\ncdc_inserts_and_updates = true\n");
    let found = patient.examined("");
    let warned: Vec<_> = found.of("settings").into_iter().filter(|it| it.0 == "warning").collect();
    let [(_, "shop.items", what)] = warned[..] else { panic!("{found:#?}") };
    assert!(what.ends_with("deleted rows stay"), "{what}");
}

#[test]
fn objects_that_cannot_be_decoded_are_found_before_they_are_applied() {
    // A header that the configuration does not know of.
    let patient = Patient::with("");
    patient.stage("shop/items/LOAD00000001.csv", "id,name\n1,one\n");
    let found = patient.examined("");
    let only = found.only("decoding", "problem", &["LOAD00000001.csv"]);
    assert!(only["remedy"].as_str().unwrap().contains("add_column_name"), "{only}");
    patient.configure("[dms]\nadd_column_name = true\n", TABLE);
    assert!(patient.examined("").of("decoding").is_empty());

    // Rows: two of the first five.
    let patient = Patient::loaded("");
    let rows = "I,4,four\nI,five,5\nI,6,six\nI,seven,7\nI,8,eight\n";
    patient.stage("shop/items/20260301-090000000.csv", rows);
    let found = patient.examined("");
    let words = ["the first 5 of 20260301-090000000.csv: 2; row 2, column id"];
    let only = found.only("decoding", "problem", &words);
    assert!(only["remedy"].as_str().unwrap().contains("on_bad_row"), "{only}");
    patient.configure("[defaults]\non_bad_row = \"quarantine\"\n", TABLE);
    let found = patient.examined("");
    let only = found.only("decoding", "warning", &words);
    patient.must("dmslake apply");
    let listed = patient.shell(next(only));
    assert!(String::from_utf8_lossy(&listed.stdout).contains('2'), "{listed:?}");
}

#[test]
fn what_expires_before_it_is_applied_is_told_while_there_is_time() {
    let patient = Patient::loaded("staging_expiry_days = 8\n");
    patient.stage("shop/items/20260301-090000000.csv", "I,4,four\n");
    let staged = |days: u32| {
        patient.age("shop/items/20260301-090000000.csv", DAY * days + Duration::from_mins(30));
        patient.examined("")
    };
    staged(5).is_healthy();
    // In two days of eight less half an hour: 47 whole hours.
    staged(6).only("expiry", "warning", &["in 47 h"]);
    let found = staged(7);
    let only = found.only("expiry", "problem", &["in 23 h"]);
    staged(9).only("expiry", "problem", &["may be deleted since"]);
    patient.must(next(only));
    patient.examined("").is_healthy();
}

#[test]
fn a_table_that_gets_nothing_while_others_do_is_told() {
    let patient = Patient::with("");
    let table = |name: &str| TABLE.replace("shop.items", name);
    patient.configure("", &[table("shop.items"), table("shop.orders")].concat());
    let stage = |name: &str, minutes: u64, number: u64| {
        let object = format!("shop/{name}/20260301-08{number:02}00000.csv");
        patient.stage(&object, &format!("I,{number},x\n"));
        patient.age(&object, Duration::from_mins(minutes));
    };
    for name in ["items", "orders"] {
        patient.stage(&format!("shop/{name}/LOAD00000001.csv"), "99,x\n");
    }
    // One each minute: of orders until now, of items until two hours ago.
    for number in 0..8 {
        stage("items", 128 - number, number);
        stage("orders", 8 - number, number);
    }
    patient.must("dmslake apply");
    let found = patient.examined("");
    let only = found.only("silence", "warning", &["no change object since"]);
    assert_eq!(only["table"], "shop.items");
    // Both: the source may be idle.
    for number in 0..8 {
        stage("orders", 128 - number, number);
    }
    patient.examined("").only("silence", "note", &["no table has got"]);
}
