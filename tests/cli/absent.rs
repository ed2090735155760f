//! Tables of which there is nothing: told, with what may be meant, and no success.

use serde_json::{Value, json};

use super::{run, write};

fn configuration(source: &str) -> String {
    format!(
        "staging = \"staging\"\nlake = \"lake\"\n[[table]]\nsource = \"{source}\"\nkeys = [\"id\"]\n\
         columns = [{{ name = \"id\", type = \"int\" }}]\n"
    )
}

#[test]
fn a_source_in_another_case_than_its_folder_is_told_with_the_folder() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let file = home.path().join("dmslake.toml");
    write(&file, configuration("shop.orders"));
    write(&home.path().join("staging/shop/Orders/LOAD00000001.csv"), "1\n");
    let told = run(home.path(), &["apply"]);
    assert_eq!(told.code, Some(1), "{told:?}");
    let sentence = "shop.orders: nothing is staged for it, and there is no table; did you mean \
                    shop.Orders, which is staged?";
    assert!(told.out.contains(sentence), "{told:?}");

    let json = run(home.path(), &["apply", "--json"]);
    let lines: Vec<Value> =
        json.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((json.code, &lines[0]["absent"]), (Some(1), &json!(true)), "{json:?}");
    let absent = json!([{ "table": "shop.orders", "nearest": "shop.Orders" }]);
    assert_eq!(lines[1], json!({ "absent": absent, "unconfigured": ["shop.Orders"] }));

    // The remedy.
    write(&file, configuration("shop.Orders"));
    let done = run(home.path(), &["apply"]);
    assert_eq!(done.code, Some(0), "{done:?}");
}

#[test]
fn a_table_without_any_object_is_no_success_until_it_has_one() {
    let home = tempfile::tempdir().expect("a temporary folder");
    write(&home.path().join("dmslake.toml"), configuration("shop.orders"));
    write(&home.path().join("staging/shop/customers/LOAD00000001.csv"), "1\n");
    let told = run(home.path(), &["apply"]);
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(told.out.contains("if it is empty at the source"), "{told:?}");
    let object = home.path().join("staging/shop/orders/LOAD00000001.csv");
    write(&object, "1\n");
    assert_eq!(run(home.path(), &["apply"]).code, Some(0));
    // What is applied may expire.
    std::fs::remove_file(object).expect("it is there");
    assert_eq!(run(home.path(), &["apply"]).code, Some(0));
}

#[test]
fn a_staging_folder_that_is_not_there_is_not_made() {
    let home = tempfile::tempdir().expect("a temporary folder");
    write(&home.path().join("dmslake.toml"), configuration("shop.orders"));
    let refused = run(home.path(), &["apply"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.err.contains("there is no staging folder"), "{refused:?}");
    assert!(!home.path().join("staging").exists());
    write(&home.path().join("staging/shop/orders/LOAD00000001.csv"), "1\n");
    assert_eq!(run(home.path(), &["apply"]).code, Some(0));
}
