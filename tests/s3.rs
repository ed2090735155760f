//! Staging and lake on an S3 server, through the real command line and the ordinary AWS chain.

use std::process::{Command, Output};

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Int32Type};
use serde_json::{Value, json};
use tempfile::TempDir;
use url::Url;

use crate::support::glue::Glue;
use crate::support::moto::{BUCKET, Moto};

const FOLDER: &str = "dms/shop/order items";

struct S3Shop {
    moto: Moto,
    folder: TempDir,
}

impl S3Shop {
    fn start(extra: &str) -> Option<Self> {
        let moto = Moto::start()?;
        let folder = TempDir::new().unwrap();
        let text = format!(
            "staging = \"s3://{BUCKET}/dms\"\nlake = \"s3://{BUCKET}/tables\"\n{extra}\n\
             [[table]]\nsource = \"shop.order items\"\nkeys = [\"id\"]\ncolumns = [\n\
             {{ name = \"id\", type = \"int\" }},\n{{ name = \"name\", type = \"text\" }},\n]\n"
        );
        std::fs::write(folder.path().join("dmslake.toml"), text).unwrap();
        Some(Self { moto, folder })
    }

    async fn stage(&self, name: &str, content: &str) {
        self.moto.put(&format!("{FOLDER}/{name}"), content.to_owned()).await;
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dmslake"));
        let config = self.folder.path().join("dmslake.toml");
        command.args(arguments).arg("--config").arg(config).envs(self.moto.environment());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs `dmslake apply --json`: exit code, the table's line, the last line.
    fn apply(&self) -> (i32, Value, Value) {
        let output = self.run(&["apply", "--json"]);
        let text = String::from_utf8(output.stdout).unwrap();
        let mut lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        let errors = String::from_utf8_lossy(&output.stderr);
        let table = lines.next().unwrap_or_else(|| panic!("{errors}"));
        (output.status.code().unwrap(), table, lines.next().unwrap_or_else(|| panic!("{errors}")))
    }

    async fn rows(&self) -> Vec<(i32, String)> {
        let url = Url::parse(&format!("s3://{BUCKET}/tables/shop/order%20items/")).unwrap();
        let table = deltalake::DeltaTableBuilder::from_url(url.clone())
            .unwrap()
            .with_storage_backend(self.moto.bucket(), url)
            .load()
            .await
            .unwrap();
        let context = datafusion::prelude::SessionContext::new();
        let frame = context.read_table(table.table_provider().await.unwrap()).unwrap();
        let mut rows = vec![];
        for batch in frame.collect().await.unwrap() {
            let names = arrow::compute::cast(batch.column(1), &DataType::Utf8).unwrap();
            let ids = batch.column(0).as_primitive::<Int32Type>().values().to_vec();
            let names = names.as_string::<i32>().clone();
            rows.extend(ids.into_iter().zip(names.iter().map(|name| name.unwrap().to_owned())));
        }
        rows.sort();
        rows
    }
}

fn row(id: i32, name: &str) -> (i32, String) {
    (id, name.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_with_a_space_in_its_name_is_loaded_changed_and_held_on_s3() {
    let Some(shop) = S3Shop::start("") else { return };
    shop.stage("LOAD00000001.csv", "1,a\n2,b\n").await;
    shop.stage("20240101-000000001.csv", "U,1,A\nI,3,c\nD,2,b\n").await;
    shop.moto.put("dms/shop/other/LOAD00000001.csv", "1\n").await;
    let (code, table, last) = shop.apply();
    assert_eq!((code, &table["status"]), (0, &json!("ok")), "{table}");
    assert_eq!(last, json!({"absent": [], "unconfigured": ["shop.other"]}));
    assert_eq!(shop.rows().await, [row(1, "A"), row(3, "c")]);

    let (code, again, _) = shop.apply();
    assert_eq!((code, &again["rows"], &again["version"]), (0, &json!(0), &table["version"]));

    // The same bytes under the same key may be a reload, or put back from a backup, which would
    // undo all changes: a person must say.
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    shop.stage("LOAD00000001.csv", "1,a\n2,b\n").await;
    let (code, held, _) = shop.apply();
    assert_eq!((code, &held["status"], &held["kind"]), (1, &json!("held"), &json!("Reload")));
    assert!(held["error"].as_str().unwrap().contains("a reload"), "{held}");
    shop.stage("20240102-000000001.csv", "I,4,d\n").await;
    let (code, held, _) = shop.apply();
    assert_eq!((code, &held["kind"]), (1, &json!("Reload")), "{held}");
    assert_eq!(shop.rows().await, [row(1, "A"), row(3, "c")]);
    let refused = shop.run(&["rebuild", "shop.order items", "--yes"]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(told.contains("all changes since would be undone"), "{told}");
    // Applied objects need not be staged.
    shop.moto.remove(&format!("{FOLDER}/LOAD00000001.csv")).await;
    let (code, applied, _) = shop.apply();
    assert_eq!((code, &applied["inserted"]), (0, &json!(1)), "{applied}");
    // What has other content is a new load; the change before it is of an earlier second.
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    shop.stage("LOAD00000001.csv", "1,z\n").await;
    let (code, waits, _) = shop.apply();
    assert_eq!((code, &waits["kind"]), (1, &json!("Reloading")), "{waits}");
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    shop.stage("20240103-000000001.csv", "I,5,e\n").await;
    let (code, applied, _) = shop.apply();
    assert_eq!((code, &applied["status"]), (0, &json!("ok")), "{applied}");
    assert_eq!(shop.rows().await, [row(1, "z"), row(5, "e")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn below_the_window_a_later_time_tells_a_late_object_and_expiry_means_nothing() {
    let Some(shop) = S3Shop::start("look_back = { objects = 2 }") else { return };
    for number in 1..=6 {
        let name = format!("20240101-00000000{number}.csv");
        shop.stage(&name, &format!("I,{number},n{number}\n")).await;
    }
    let (code, table, _) = shop.apply();
    assert_eq!((code, &table["objects"]), (0, &json!(6)), "{table}");
    shop.moto.remove(&format!("{FOLDER}/20240101-000000001.csv")).await;
    shop.moto.remove(&format!("{FOLDER}/20240101-000000006.csv")).await;
    let (code, after_expiry, _) = shop.apply();
    assert_eq!((code, &after_expiry["objects"]), (0, &json!(0)), "{after_expiry}");

    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    shop.stage("20231231-235959999.csv", "I,99,late\n").await;
    let (code, held, _) = shop.apply();
    assert_eq!((code, &held["late"]), (1, &json!(["20231231-235959999.csv"])), "{held}");
    assert_eq!(shop.rows().await.len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_command_lines_on_one_table_never_apply_twice() {
    let Some(shop) = S3Shop::start("memory_budget = 10_000") else { return };
    let load = (0..9_000).map(|id| format!("{id},n\n")).collect::<Vec<_>>().concat();
    shop.stage("LOAD00000001.csv", &load).await;
    for number in 1..=9 {
        let changes = (0..100)
            .map(|id| format!("U,{},m{number}\n", id * number))
            .collect::<Vec<_>>()
            .concat();
        shop.stage(&format!("20240101-00000000{number}.csv"), &changes).await;
    }
    let (first, second) = std::thread::scope(|scope| {
        let other = scope.spawn(|| shop.apply());
        (shop.apply(), other.join().unwrap())
    });
    let total = |key: &str| first.1[key].as_u64().unwrap() + second.1[key].as_u64().unwrap();
    assert_eq!((first.0, second.0), (0, 0), "{first:?} {second:?}");
    assert_eq!((total("objects"), total("rows"), total("inserted")), (10, 9_900, 9_000));
    assert_eq!(shop.rows().await.len(), 9_000);
}

fn said(output: &Output) -> (i32, String) {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    (output.status.code().unwrap(), text + &errors)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_registered_in_glue_and_again_when_its_columns_change() {
    let Some(shop) = S3Shop::start("") else { return };
    let glue = Glue::at(&shop.moto).await;
    shop.stage("LOAD00000001.csv", "1,a\n").await;
    assert_eq!(shop.apply().0, 0);

    let (code, text) = said(&shop.run(&["register"]));
    assert_eq!(code, 1, "the database is not there: {text}");
    assert!(text.contains("the Glue database does not exist"), "{text}");
    assert!(text.contains("aws glue create-database --database-input Name=shop"), "{text}");

    glue.make_database("shop").await;
    let register = || said(&shop.run(&["register"]));
    assert_eq!(register(), (0, "shop.order items: shop.order_items created\n".to_owned()));
    assert_eq!(register(), (0, "shop.order items: shop.order_items unchanged\n".to_owned()));
    let entry = glue.entry("shop", "order_items").await;
    assert_eq!(entry.columns, ["id int", "name string"]);
    assert_eq!(entry.place, format!("s3://{BUCKET}/tables/shop/order items"));
    assert_eq!(entry.parameters["table_type"], "delta");
    assert_eq!(entry.parameters["spark.sql.sources.provider"], "delta");

    glue.describe("shop", "order_items", "what customers ordered").await;
    let path = shop.folder.path().join("dmslake.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let wider =
        "{ name = \"name\", type = \"text\" },\n{ name = \"price\", type = \"decimal(9,2)\" },";
    let text = text.replace("{ name = \"name\", type = \"text\" },", wider);
    let text = text.replacen("[[table]]", "[catalog]\nglue = true\n[[table]]", 1);
    std::fs::write(&path, text).unwrap();
    shop.stage("20240101-000000001.csv", "I,2,b,1.50\n").await;
    let (code, table, _) = shop.apply();
    assert_eq!((code, &table["status"]), (0, &json!("ok")), "{table}");
    let entry = glue.entry("shop", "order_items").await;
    assert_eq!(entry.columns, ["id int", "name string", "price decimal(9,2)"]);
    assert_eq!(entry.description.as_deref(), Some("what customers ordered"), "not ours: it stays");
}

/// Glue that refuses, and Glue that never answers: rows come first.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_glue_does_not_take_is_applied_all_the_same() {
    let Some(shop) = S3Shop::start("[catalog]\nglue = true") else { return };
    shop.stage("LOAD00000001.csv", "1,a\n").await;
    let refused = shop.run(&["apply"]);
    let (code, text) = said(&refused);
    assert_eq!((code, text.matches("not registered in Glue").count()), (0, 1), "{text}");
    assert!(text.contains("the Glue database does not exist"), "{text}");

    shop.stage("20240101-000000001.csv", "I,2,b\n").await;
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let waited = shop.command(&["apply"]).env("AWS_ENDPOINT_URL_GLUE", endpoint).output().unwrap();
    let (code, text) = said(&waited);
    assert_eq!((code, text.matches("not registered in Glue").count()), (0, 1), "{text}");
    assert_eq!(shop.rows().await, [row(1, "a"), row(2, "b")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_key_is_in_no_object_of_the_lake_and_the_bucket_is_told_of() {
    let Some(shop) = S3Shop::start("[defaults]\nmerge = \"deletion-vectors\"") else { return };
    shop.stage("LOAD00000001.csv", "1,a\n2,Zq7Secret\n3,c\n").await;
    assert_eq!(shop.apply().0, 0);
    shop.stage("20240101-000000001.csv", "U,2,Zq7Secret too\nU,3,C\n").await;
    assert_eq!(shop.apply().0, 0);
    let done = shop.run(&["forget", "shop.order items", "2", "--yes", "--json"]);
    let (code, text) = said(&done);
    assert_eq!(code, 0, "{text}");
    let report: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(report["proof"]["files_found"], 0, "{report}");
    assert_eq!(report["found"]["versions"], 2, "{report}");
    let beyond = report["beyond"].to_string();
    for words in [
        "aws s3 rm 's3://test-bucket/dms/shop/order items/LOAD00000001.csv'",
        "aws s3api list-object-versions --bucket test-bucket --prefix 'tables/shop/order items/'",
        "TIMESTAMP AS OF",
    ] {
        let words = words.replace("test-bucket", BUCKET);
        assert!(beyond.contains(&words), "{words}: {beyond}");
    }
    assert_eq!(shop.rows().await, [row(1, "a"), row(3, "C")]);
    let earlier = shop.run(&["show", "shop.order items", "--version", "1", "--format", "csv"]);
    let earlier = String::from_utf8(earlier.stdout).unwrap();
    let mut lines: Vec<&str> = earlier.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["1,a", "3,c", "id,name"]);
    shop.stage("20240101-000000002.csv", "U,1,later\n").await;
    assert_eq!(shop.apply().0, 0);
    assert_eq!(shop.rows().await, [row(1, "later"), row(3, "C")]);
}
