//! A table against a replay of what is staged.

use dmslake::inspect::verify::{Kind, Verdict, Verification};
use url::Url;

use super::{differing, listed, of_staging, verified};
use crate::support::other_writer::Shop;

async fn of(shop: &Shop) -> Verification {
    at(shop, None).await
}

async fn at(shop: &Shop, object: Option<&str>) -> Verification {
    let pipeline = shop.pipeline().await;
    let spec = pipeline.settings().tables[0].clone();
    let request = super::Request { at_object: object.map(str::to_owned), ..of_staging() };
    verified(&pipeline, &spec, &request).await
}

async fn delta(shop: &Shop) -> deltalake::DeltaTable {
    deltalake::open_table(Url::from_directory_path(shop.root()).unwrap()).await.unwrap()
}

/// Five rows, after a load of four and some changes.
async fn five_rows() -> Shop {
    let shop = Shop::with("");
    shop.stage("LOAD00000001.csv", "1,one\n2,two\n3,NULL\n4,\n");
    shop.change("I,5,five\nU,2,deux\nD,1,one\nI,1,uno\n");
    shop.change("I,6,six\nD,6,six\nI,7,seven\nD,7,\n");
    let report = shop.apply().await;
    assert!(report.is_caught_up(), "{report:?}");
    shop
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_was_applied_is_equal_and_what_is_pending_is_none_of_it() {
    let shop = five_rows().await;
    shop.change("I,8,eight\n");
    let found = of(&shop).await;
    assert_eq!(found.verdict, Verdict::Equal, "{found:?}");
    assert_eq!((found.lake_rows, found.source_rows), (5, Some(5)));
    assert_eq!(found.version, shop.version());
    assert_eq!(found.compared, ["id", "name"]);
    assert!(found.keys.is_empty() && found.not_compared.is_empty(), "{found:?}");
    shop.apply().await;
    let found = of(&shop).await;
    assert_eq!((found.verdict, found.lake_rows), (Verdict::Equal, 6), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_fault_is_found() {
    let shop = five_rows().await;
    let table = delta(&shop).await;
    let (table, _) = table.delete().with_predicate("id = 5").await.unwrap();
    let update = table.update().with_predicate("id = 4").with_update("name", "NULL");
    let (table, _) = update.await.unwrap();
    let update = table.update().with_predicate("id = 3").with_update("name", "''");
    let (table, _) = update.await.unwrap();
    let rows = table_rows(&[(1, "uno"), (9, "nine")]);
    table.write([rows]).await.unwrap();

    let found = of(&shop).await;
    assert_eq!(found.verdict, Verdict::Different);
    assert_eq!((found.lake_rows, found.source_rows), (6, Some(5)));
    assert_eq!(found.differing, differing([1, 1, 2, 1]));
    let expected = [
        (vec!["1"], Kind::Repeated, vec![]),
        (vec!["3"], Kind::OtherValues, vec!["name"]),
        (vec!["4"], Kind::OtherValues, vec!["name"]),
        (vec!["5"], Kind::Missing, vec![]),
        (vec!["9"], Kind::Extra, vec![]),
    ];
    assert_eq!(listed(&found), expected, "in key order");
}

fn table_rows(rows: &[(i32, &str)]) -> arrow::array::RecordBatch {
    use arrow::array::{Int32Array, StringArray};
    let ids = Int32Array::from_iter_values(rows.iter().map(|(id, _)| *id));
    let names = StringArray::from_iter_values(rows.iter().map(|(_, name)| *name));
    let columns: Vec<(&str, arrow::array::ArrayRef)> =
        vec![("id", std::sync::Arc::new(ids)), ("name", std::sync::Arc::new(names))];
    let nullable = columns.into_iter().map(|(name, column)| (name, column, true));
    arrow::array::RecordBatch::try_from_iter_with_nullable(nullable).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn at_an_object_the_version_that_took_it_in_is_compared() {
    let shop = five_rows().await;
    let before = shop.version();
    shop.change("U,5,cinq\n");
    shop.apply().await;
    let table = delta(&shop).await;
    let _ = table.delete().with_predicate("id = 1").await.unwrap();
    assert_eq!(of(&shop).await.differing, differing([1, 0, 0, 0]));

    let found = at(&shop, Some("20240101-000000002.csv")).await;
    assert_eq!((found.verdict, found.version), (Verdict::Equal, before), "{found:?}");
    let found = at(&shop, Some("20240101-000000003.csv")).await;
    assert_eq!((found.verdict, found.version), (Verdict::Equal, before + 1), "{found:?}");

    let pipeline = shop.pipeline().await;
    let spec = pipeline.settings().tables[0].clone();
    let request =
        super::Request { at_object: Some("20240101-000000009.csv".into()), ..of_staging() };
    let limits = dmslake::pipeline::Limits::default();
    let unknown =
        super::verify(&pipeline, &spec, &request, &limits, &super::Unobserved).await.unwrap_err();
    assert!(unknown.chain().contains("no commit in the table's log took in that object"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_longer_staged_cannot_be_replayed_and_that_is_said() {
    let shop = five_rows().await;
    let gone = shop.folder.path().join("staging/shop/items/20240101-000000001.csv");
    std::fs::remove_file(gone).unwrap();
    let found = of(&shop).await;
    assert_eq!((found.verdict, found.source_rows), (Verdict::Undecided, None));
    let said = ["1 change objects that it took in are no longer staged"];
    assert_eq!(found.undecided_because, said, "{found:?}");
    assert_eq!(found.differing, differing([0; 4]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_was_emptied_cannot_be_replayed() {
    let shop = five_rows().await;
    let pipeline = shop.pipeline().await;
    let spec = pipeline.settings().tables[0].clone();
    pipeline.truncate(&spec).await.unwrap();
    let found = of(&shop).await;
    assert_eq!(found.verdict, Verdict::Undecided);
    assert_eq!(found.undecided_because, ["all rows were removed since its full load"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_without_keys_is_compared_by_whole_rows() {
    let shop = Shop::with("append_only = true").without_keys();
    shop.stage("LOAD00000001.csv", "1,one\n1,one\n2,two\n");
    shop.change("I,1,one\nI,3,three\n");
    shop.apply().await;
    let pipeline = shop.pipeline().await;
    let spec = pipeline.settings().tables[0].clone();
    let mysql = super::of_mysql("mysql://reader@127.0.0.1:1");
    let request = super::Request { mysql: Some(mysql), ..of_staging() };
    let limits = dmslake::pipeline::Limits::default();
    let refused = super::verify(&pipeline, &spec, &request, &limits, &super::Unobserved).await;
    let said = refused.unwrap_err().chain();
    assert!(said.contains("a table without keys cannot be compared with MySQL"), "{said}");
    // As that says.
    let found = of(&shop).await;
    assert_eq!((found.verdict, found.lake_rows), (Verdict::Equal, 5), "{found:?}");

    let _ = delta(&shop).await.write([table_rows(&[(1, "one"), (2, "zwei")])]).await.unwrap();
    let found = of(&shop).await;
    assert_eq!(found.differing, differing([0, 1, 0, 1]), "{found:?}");
    let expected =
        [(vec!["1", "one"], Kind::Repeated, vec![]), (vec!["2", "zwei"], Kind::Extra, vec![])];
    assert_eq!(listed(&found), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_went_away_with_its_values_and_came_back_is_not_compared() {
    let with = |names: &str| {
        let columns =
            names.split(',').map(|name| format!("{{ name = \"{name}\", type = \"int\" }}"));
        format!("columns = [{}]", columns.collect::<Vec<_>>().join(", "))
    };
    let layout =
        |from: &str, names: &str| format!("[[table.layout]]\nfrom = \"{from}\"\n{}\n", with(names));
    let layouts = layout("20240101-000000001", "id") + &layout("20240101-000000002", "id,n");
    let home = tempfile::tempdir().unwrap();
    let root = home.path().display();
    let text = format!(
        "staging = '{root}/staging'\nlake = '{root}/lake'\n[[table]]\nsource = \"shop.items\"\n\
         keys = [\"id\"]\non_column_gone = \"drop\"\n{}\n{layouts}",
        with("id,n")
    );
    let folder = home.path().join("staging/shop/items");
    std::fs::create_dir_all(&folder).unwrap();
    let pipeline = dmslake::pipeline::Pipeline::open(
        dmslake::parse_settings(&text).unwrap(),
        std::sync::Arc::new(dmslake::SystemClock),
    )
    .await
    .unwrap();
    let spec = pipeline.settings().tables[0].clone();
    for (name, content) in [
        ("LOAD00000001.csv", "1,10\n2,20\n"),
        ("20240101-000000001.csv", "I,3\n"),
        ("20240101-000000002.csv", "I,4,40\n"),
    ] {
        std::fs::write(folder.join(name), content).unwrap();
        let (scope, limits) = (dmslake::Scope::Everything, dmslake::Limits::default());
        let report = pipeline.apply(&spec, &scope, &limits, &dmslake::Silent).await;
        assert!(report.is_caught_up(), "{report:?}");
    }
    let found = verified(&pipeline, &spec, &of_staging()).await;
    assert_eq!(found.verdict, Verdict::Equal, "{found:?}");
    assert_eq!((found.lake_rows, found.source_rows), (4, Some(4)));
    assert_eq!(found.compared, ["id"]);
    assert_eq!(found.not_compared[0].column, "n");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_so_many_keys_are_listed_as_asked_for() {
    let shop = five_rows().await;
    let _ = delta(&shop).await.update().with_update("name", "'x'").await.unwrap();
    let pipeline = shop.pipeline().await;
    let spec = pipeline.settings().tables[0].clone();
    let request = super::Request { limit: 2, ..of_staging() };
    let found = verified(&pipeline, &spec, &request).await;
    assert_eq!(found.differing, differing([0, 0, 5, 0]));
    let expected = [
        (vec!["1"], Kind::OtherValues, vec!["name"]),
        (vec!["2"], Kind::OtherValues, vec!["name"]),
    ];
    assert_eq!(listed(&found), expected);
}
