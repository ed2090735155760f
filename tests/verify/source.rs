//! A table against MySQL: MariaDB, whose rows are staged as DMS would write them.

use std::fmt::Write as _;
use std::num::NonZeroU64;
use std::time::Duration;

use dmslake::clock::{Clock as _, SystemClock};
use dmslake::config::TableSpec;
use dmslake::inspect::verify::{
    Kind, MySqlRequest, Observer, Request, Step, Unobserved, Verdict, Verification, verify,
};
use dmslake::pipeline::{Limits, Pipeline, Scope, Silent};
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Opts};
use tempfile::TempDir;

use super::{differing, listed, of_mysql};
use crate::support::mariadb::MariaDb;
use crate::support::world::settings;

/// A server, and a site whose tables are staged from it.
pub(super) struct Site {
    pub(super) server: MariaDb,
    folder: TempDir,
    tables: String,
}

impl Site {
    /// A site with these `[[table]]`s, on a server that has executed these statements; none if
    /// there is no server.
    pub(super) fn start(statements: &str, tables: &str) -> Option<Self> {
        let statements = format!(
            "CREATE DATABASE shop;\nCREATE USER 'dms'@'%';\nGRANT ALL ON *.* TO 'dms'@'%';\n\
             {statements}"
        );
        let server = MariaDb::start(&statements)?;
        Some(Self { server, folder: tempfile::tempdir().unwrap(), tables: tables.to_owned() })
    }

    pub(super) fn url(&self) -> String {
        self.server.url("dms", "")
    }

    pub(super) fn stage(&self, table: &str, name: &str, content: &str) {
        let path = self.folder.path().join("staging/shop").join(table).join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        // Whole or not at all, as DMS uploads it.
        let beside = path.with_extension("tmp");
        std::fs::write(&beside, content).unwrap();
        std::fs::rename(beside, path).unwrap();
    }

    pub(super) async fn pipeline(&self) -> Pipeline {
        let root = self.folder.path().display();
        let text = format!("staging = '{root}/staging'\nlake = '{root}/lake'\n{}", self.tables);
        Pipeline::open((*settings(&text)).clone(), std::sync::Arc::new(SystemClock)).await.unwrap()
    }

    pub(super) async fn spec(&self, table: &str) -> TableSpec {
        let pipeline = self.pipeline().await;
        let mut specs = pipeline.settings().tables.iter();
        specs.find(|spec| spec.source.table == table).unwrap().clone()
    }

    pub(super) async fn apply(&self, table: &str) {
        let (pipeline, spec) = (self.pipeline().await, self.spec(table).await);
        let report = pipeline.apply(&spec, &Scope::Everything, &Limits::default(), &Silent).await;
        assert!(report.is_caught_up(), "{report:?}");
    }

    pub(super) async fn delta(&self, table: &str) -> deltalake::DeltaTable {
        let pipeline = self.pipeline().await;
        let location = pipeline.lake_folder(&self.spec(table).await.source).unwrap();
        dmslake::table::load(&location).await.unwrap().expect("a table")
    }

    pub(super) async fn connect(&self) -> Conn {
        Conn::new(Opts::from_url(&self.url()).unwrap()).await.unwrap()
    }

    pub(super) async fn execute(&self, statement: &str) {
        let mut connection = self.connect().await;
        connection.query_drop(statement).await.unwrap_or_else(|it| panic!("{statement}: {it}"));
        connection.disconnect().await.unwrap();
    }

    pub(super) async fn verify(&self, table: &str) -> Verification {
        self.verify_as(table, of_mysql(&self.url())).await
    }

    pub(super) async fn verify_as(&self, table: &str, mysql: MySqlRequest) -> Verification {
        let request = Request { at_object: None, limit: 20, mysql: Some(mysql) };
        let (pipeline, spec) = (self.pipeline().await, self.spec(table).await);
        let found = verify(&pipeline, &spec, &request, &Limits::default(), &Unobserved).await;
        found.unwrap_or_else(|error| panic!("{}", error.chain()))
    }
}

const STATEMENTS: &str = "\
CREATE TABLE shop.items (id INT PRIMARY KEY, name VARCHAR(40), size DECIMAL(8,2), doubled DECIMAL(9,2) AS (size * 2), added TIMESTAMP(6) NULL);
CREATE TABLE shop.words (lang CHAR(2), word VARCHAR(20) COLLATE utf8mb4_general_ci, n INT, PRIMARY KEY (lang, word));
CREATE TABLE shop.loose (id INT, name TEXT);
CREATE TABLE shop.days (day DATE PRIMARY KEY, n INT);
";
const TABLES: &str = r#"
[[table]]
source = "shop.items"
keys = ["id"]
rename = { name = "title" }
columns = [
  { name = "id", type = "int" }, { name = "name", type = "varchar(40)" },
  { name = "size", type = "decimal(8,2)" }, { name = "doubled", type = "decimal(9,2)" },
  { name = "gone", type = "text" },
]
[[table]]
source = "shop.words"
keys = ["lang", "word"]
columns = [
  { name = "lang", type = "char(2)" }, { name = "word", type = "varchar(20)" },
  { name = "n", type = "int" },
]
[[table]]
source = "shop.loose"
keys = ["id"]
columns = [{ name = "id", type = "int" }, { name = "name", type = "text" }]
[[table]]
source = "shop.days"
keys = ["day"]
columns = [{ name = "day", type = "date" }, { name = "n", type = "int" }]
"#;

/// A site whose `items` has so many rows on both sides.
async fn with_items(rows: i32) -> Option<Site> {
    let site = Site::start(STATEMENTS, TABLES)?;
    let mut csv = String::new();
    let mut values = Vec::new();
    for id in 0..rows {
        let price = format!("{}.{:02}", id * 3, id % 100);
        writeln!(csv, "{id},name {id},{price},NULL,was").unwrap();
        values.push(format!("({id}, 'name {id}', {price})"));
    }
    site.stage("items", "LOAD00000001.csv", &csv);
    for some in values.chunks(5000) {
        let rows = some.join(", ");
        site.execute(&format!("INSERT INTO shop.items (id, name, size) VALUES {rows}")).await;
    }
    site.apply("items").await;
    Some(site)
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_rows_are_equal_and_each_column_that_is_not_compared_is_named() {
    let Some(site) = with_items(30_000).await else { return };
    let found = site.verify("items").await;
    assert_eq!(found.verdict, Verdict::Equal, "{found:?}");
    assert_eq!((found.lake_rows, found.source_rows), (30_000, Some(30_000)));
    assert_eq!(found.compared, ["id", "title", "size"]);
    let left: Vec<(&str, &str)> = found
        .not_compared
        .iter()
        .map(|left| (left.column.as_str(), left.because.as_str()))
        .collect();
    let computed = "the source computes it, so that its changes are not captured";
    let expected = [
        ("doubled", computed),
        ("added", "the lake has no such column"),
        ("gone", "the source has no such column"),
    ];
    assert_eq!(left, expected);
    assert!(found.parts > 3, "{}", found.parts);
    assert_eq!((found.parts_differing, found.settled), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_are_narrowed_to_their_keys() {
    let Some(site) = with_items(30_000).await else { return };
    let table = site.delta("items").await;
    let (table, _) = table.delete().with_predicate("id IN (0, 12345)").await.unwrap();
    let update = table.update().with_predicate("id = 29999").with_update("size", "size + 0.01");
    let (table, _) = update.await.unwrap();
    let update = table.update().with_predicate("id = 17").with_update("title", "''");
    let _ = update.await.unwrap();
    site.execute("DELETE FROM shop.items WHERE id = 20000").await;
    site.execute("UPDATE shop.items SET id = -5, name = NULL WHERE id = 3").await;
    site.execute("INSERT INTO shop.items (id) VALUES (40000)").await;

    let found = site.verify("items").await;
    assert_eq!(found.verdict, Verdict::Different);
    assert_eq!((found.lake_rows, found.source_rows), (29_998, Some(30_000)));
    // The keys of the lake are 0 and 12345 without those of the source, and the reverse.
    assert_eq!(found.differing, differing([4, 2, 2, 0]), "{found:?}");
    let missing = |key| (vec![key], Kind::Missing, vec![]);
    let extra = |key| (vec![key], Kind::Extra, vec![]);
    let expected = [
        missing("-5"),
        missing("0"),
        extra("3"),
        (vec!["17"], Kind::OtherValues, vec!["title"]),
        missing("12345"),
        extra("20000"),
        (vec!["29999"], Kind::OtherValues, vec!["size"]),
        missing("40000"),
    ];
    assert_eq!(listed(&found), expected);
    assert!(found.parts_differing < found.parts, "{found:?}");

    // As it is then, the rest is equal: what another writer has doubled is found too.
    let table = site.delta("items").await;
    let rows = super::faults::rows_where(&table, "id = 5").await;
    let _ = table.write([rows]).await.unwrap();
    let found = site.verify("items").await;
    assert_eq!(found.differing, differing([4, 2, 2, 1]), "{found:?}");
    assert!(listed(&found).contains(&(vec!["5"], Kind::Repeated, vec![])));
}

#[tokio::test(flavor = "multi_thread")]
async fn at_an_object_nothing_that_comes_later_counts() {
    let Some(site) = with_items(10).await else { return };
    site.stage("items", "20260101-000000001.csv", "U,3,three,9.09,NULL,was\n");
    site.apply("items").await;
    site.execute("UPDATE shop.items SET name = 'three', size = 9.09 WHERE id = 3").await;
    let (pipeline, spec) = (site.pipeline().await, site.spec("items").await);
    let at = async |object: &str| {
        let at_object = Some(object.to_owned());
        let request = Request { at_object, limit: 20, mysql: Some(of_mysql(&site.url())) };
        super::verified(&pipeline, &spec, &request).await
    };
    let found = at("20260101-000000001.csv").await;
    assert_eq!(found.verdict, Verdict::Equal, "{found:?}");
    let before = at("LOAD00000001.csv").await;
    let expected = [(vec!["3"], Kind::OtherValues, vec!["title", "size"])];
    assert_eq!(listed(&before), expected, "{before:?}");
    assert_eq!((before.version + 1, before.checked_until), (found.version, before.version));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_text_are_compared_by_their_bytes() {
    let Some(site) = Site::start(STATEMENTS, TABLES) else { return };
    let mut csv = String::new();
    // Collation orders these otherwise than bytes do.
    let words = ["a", "B", "ö", "z", "Ω", "it's", "a b", "日本", "\u{1F600}"];
    for (n, word) in words.iter().enumerate() {
        for lang in ["de", "fr"] {
            writeln!(csv, "{lang},{word},{n}").unwrap();
            let word = word.replace('\'', "''");
            site.execute(&format!("INSERT INTO shop.words VALUES ('{lang}', '{word}', {n})")).await;
        }
    }
    site.stage("words", "LOAD00000001.csv", &csv);
    site.apply("words").await;
    let found = site.verify("words").await;
    assert_eq!(found.verdict, Verdict::Equal, "{found:?}");
    assert_eq!(found.source_rows, Some(18));

    // To MySQL, `b` is the key `B`; the lake has another row then.
    site.execute("UPDATE shop.words SET word = 'b' WHERE lang = 'fr' AND word = 'B'").await;
    site.execute("UPDATE shop.words SET n = 99 WHERE lang = 'de' AND word = '日本'").await;
    let found = site.verify("words").await;
    let expected = [
        (vec!["de", "日本"], Kind::OtherValues, vec!["n"]),
        (vec!["fr", "B"], Kind::Extra, vec![]),
        (vec!["fr", "b"], Kind::Missing, vec![]),
    ];
    assert_eq!(listed(&found), expected);
    assert_eq!(found.differing, differing([1, 1, 1, 0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_not_unique_at_the_source_is_refused() {
    let Some(site) = Site::start(STATEMENTS, TABLES) else { return };
    site.stage("loose", "LOAD00000001.csv", "1,one\n");
    site.apply("loose").await;
    let refused = async |mysql: &MySqlRequest| {
        let request = Request { at_object: None, limit: 1, mysql: Some(mysql.clone()) };
        let (pipeline, spec) = (site.pipeline().await, site.spec("loose").await);
        let found = verify(&pipeline, &spec, &request, &Limits::default(), &Unobserved).await;
        found.expect_err("refused").chain()
    };
    let mysql = of_mysql(&site.url());
    let said = refused(&mysql).await;
    assert!(said.contains("the configured key has no unique index at the source"), "{said}");
    site.execute("ALTER TABLE shop.loose CHANGE id id FLOAT PRIMARY KEY").await;
    let said = refused(&mysql).await;
    assert!(said.contains("a key column cannot be found at the source"), "{said}");
    site.execute("DROP TABLE shop.loose").await;
    let said = refused(&mysql).await;
    assert!(said.contains("the source has no such table"), "{said}");
    // The remedy of all of them.
    let (pipeline, spec) = (site.pipeline().await, site.spec("loose").await);
    let found = super::verified(&pipeline, &spec, &super::of_staging()).await;
    assert_eq!(found.verdict, Verdict::Equal, "{found:?}");
}

/// Requests the stop once so many rows of the source are read.
struct StopAfter(Limits, std::sync::atomic::AtomicU64, u64);

impl Observer for StopAfter {
    fn step(&self, step: Step) {
        use std::sync::atomic::Ordering::Relaxed;
        if let Step::Source { rows } = step
            && self.1.fetch_add(rows, Relaxed) + rows >= self.2
        {
            self.0.stop.request();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_verification_goes_on_behind_the_last_range() {
    let Some(site) = with_items(20_000).await else { return };
    let state = site.folder.path().join("items.verify");
    let mysql = MySqlRequest { resume: Some(state.clone()), ..of_mysql(&site.url()) };
    let request = Request { at_object: None, limit: 20, mysql: Some(mysql.clone()) };
    let (pipeline, spec) = (site.pipeline().await, site.spec("items").await);
    let limits = Limits::default();
    let observer = StopAfter(limits.clone(), 0.into(), 8000);
    let stopped = verify(&pipeline, &spec, &request, &limits, &observer).await.unwrap();
    assert_eq!((stopped.verdict, stopped.source_rows), (Verdict::Undecided, None), "{stopped:?}");
    assert!(state.exists());

    // Behind what was counted: it is read in the new snapshot. Before it: it is not.
    site.execute("UPDATE shop.items SET size = 1 WHERE id IN (0, 19999)").await;
    let counting = StopAfter(Limits::default(), 0.into(), u64::MAX);
    let found = verify(&pipeline, &spec, &request, &Limits::default(), &counting).await.unwrap();
    assert_eq!(found.source_rows, Some(20_000));
    assert_eq!(listed(&found), [(vec!["19999"], Kind::OtherValues, vec!["size"])]);
    assert!(found.notes[0].contains("were counted before, in earlier snapshots"), "{found:?}");
    assert!(!state.exists(), "it is over");

    // The same file for another table is refused.
    std::fs::write(&state, "{}").unwrap();
    let error = verify(&pipeline, &spec, &request, &Limits::default(), &Unobserved).await;
    let said = error.expect_err("refused").chain();
    assert!(said.contains("the file of --resume is not one of dmslake verify"), "{said}");
    let other = MySqlRequest { resume: Some(state.with_extension("new one")), ..mysql };
    assert_eq!(site.verify_as("items", other).await.differing.keys(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_the_lake_cannot_have_is_refused() {
    let Some(site) = Site::start(STATEMENTS, TABLES) else { return };
    let mut connection = site.connect().await;
    for statement in ["SET sql_mode = ''", "INSERT INTO shop.days VALUES ('0000-00-00', 1)"] {
        connection.query_drop(statement).await.unwrap();
    }
    site.stage("days", "LOAD00000001.csv", "2026-01-01,2\n");
    site.apply("days").await;
    let request = Request { at_object: None, limit: 1, mysql: Some(of_mysql(&site.url())) };
    let (pipeline, spec) = (site.pipeline().await, site.spec("days").await);
    let found = verify(&pipeline, &spec, &request, &Limits::default(), &Unobserved).await;
    let said = found.expect_err("refused").chain();
    assert!(said.contains("a row of the source has a key that the lake cannot have"), "{said}");
    site.execute("UPDATE shop.days SET day = '2026-01-01', n = 2").await;
    assert_eq!(site.verify("days").await.verdict, Verdict::Equal);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_load_of_the_source_is_bounded() {
    let Some(site) = with_items(2000).await else { return };
    let begun = SystemClock.instant();
    let rows_per_second = NonZeroU64::new(1000);
    let found = site.verify_as("items", MySqlRequest { rows_per_second, ..of_mysql(&site.url()) });
    assert_eq!(found.await.verdict, Verdict::Equal);
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(1900), "{took:?} for two seconds' rows");
}
