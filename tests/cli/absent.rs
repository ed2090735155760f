//! Tables for which nothing exists: the report says so and suggests a name, and the exit code is 1.

use serde_json::{Value, json};

use super::{run, write};

fn configuration(source: &str) -> String {
    format!(
        "staging = \"staging\"\nlake = \"lake\"\n[[table]]\nsource = \"{source}\"\nkeys = [\"id\"]\n\
         columns = [{{ name = \"id\", type = \"int\" }}]\n"
    )
}

#[test]
fn a_source_spelled_in_another_case_is_reported_with_the_right_spelling() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let file = home.path().join("dmslake.toml");
    write(&file, configuration("shop.orders"));
    write(&home.path().join("staging/shop/Orders/LOAD00000001.csv"), "1\n");
    let reported = run(home.path(), &["apply"]);
    assert_eq!(reported.code, Some(1), "{reported:?}");
    let sentence = "shop.orders: nothing is staged for it, and there is no table; did you mean \
                    shop.Orders, which is staged?";
    assert!(reported.out.contains(sentence), "{reported:?}");

    let json = run(home.path(), &["apply", "--json"]);
    let lines: Vec<Value> =
        json.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((json.code, &lines[0]["absent"]), (Some(1), &json!(true)), "{json:?}");
    let absent = json!([{ "table": "shop.orders", "nearest": "shop.Orders" }]);
    assert_eq!(lines[1], json!({ "absent": absent, "unconfigured": ["shop.Orders"] }));

    // The remedy works.
    write(&file, configuration("shop.Orders"));
    let done = run(home.path(), &["apply"]);
    assert_eq!(done.code, Some(0), "{done:?}");
}

#[test]
fn a_table_without_objects_needs_attention_until_it_has_one() {
    let home = tempfile::tempdir().expect("a temporary folder");
    write(&home.path().join("dmslake.toml"), configuration("shop.orders"));
    write(&home.path().join("staging/shop/customers/LOAD00000001.csv"), "1\n");
    let reported = run(home.path(), &["apply"]);
    assert_eq!(reported.code, Some(1), "{reported:?}");
    assert!(reported.out.contains("if it is empty at the source"), "{reported:?}");
    let object = home.path().join("staging/shop/orders/LOAD00000001.csv");
    write(&object, "1\n");
    assert_eq!(run(home.path(), &["apply"]).code, Some(0));
    // Applied objects may expire.
    std::fs::remove_file(object).expect("the object exists");
    assert_eq!(run(home.path(), &["apply"]).code, Some(0));
}

#[test]
fn a_missing_staging_folder_is_not_created() {
    let home = tempfile::tempdir().expect("a temporary folder");
    write(&home.path().join("dmslake.toml"), configuration("shop.orders"));
    let refused = run(home.path(), &["apply"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.err.contains("the staging folder does not exist"), "{refused:?}");
    assert!(!home.path().join("staging").exists());
    write(&home.path().join("staging/shop/orders/LOAD00000001.csv"), "1\n");
    assert_eq!(run(home.path(), &["apply"]).code, Some(0));
}
