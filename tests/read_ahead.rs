//! Objects read ahead of their turn are what they are when read one after another.

use dmslake::decode::{Next, ReadAhead, ReadSettings};
use dmslake::schema::{ColumnType, TableSchema};
use dmslake::staging::StagedObject;
use dmslake::storage::Location;
use url::Url;

use crate::support::staged::Staged;

const AMPLE: usize = 512 << 20;
/// Too little to read anything ahead.
const SCARCE: usize = 1;

fn reader(staged: &Staged, objects: &[StagedObject], skip: u64, budget: usize) -> ReadAhead {
    let url = Url::parse("s3://bucket/dms/shop/t").unwrap();
    let settings = ReadSettings {
        table: staged.table.clone(),
        dms: staged.dms.clone(),
        staging: Location::with_store(&url, staged.kind, staged.store.clone()).unwrap(),
        changes: Vec::new(),
        memory_budget: budget,
    };
    let schema = staged.lake.clone().unwrap_or_default();
    ReadAhead::new(settings, objects.to_vec(), skip, schema)
}

/// The objects 1 to 40 of a table that stands in the lake.
async fn forty(text: impl Fn(usize) -> &'static str) -> (Staged, Vec<StagedObject>) {
    let mut staged = Staged::new(&[("id", "int")]);
    staged.in_lake(&[("id", ColumnType::Int)]);
    let mut objects = Vec::new();
    for number in 1..=40 {
        let name = format!("20240101-0000000{number:02}.csv");
        objects.push(staged.put(&name, text(number)).await);
    }
    (staged, objects)
}

/// What each object comes to, and the error that ended reading.
async fn read(mut objects: ReadAhead) -> (Vec<String>, Option<String>) {
    let names = |schema: &TableSchema| {
        schema.columns().iter().map(|column| column.name.clone()).collect::<Vec<_>>().join(" ")
    };
    let mut seen = Vec::new();
    loop {
        let mut object = match objects.next().await {
            Ok(Next::Object(object)) => object,
            Ok(Next::Reshape(changes)) => return (seen, Some(format!("{changes:?}"))),
            Ok(Next::End) => return (seen, None),
            Err(error) => return (seen, Some(error.chain())),
        };
        let mut rows = 0;
        loop {
            match object.next().await {
                Ok(Some(batch)) => rows += batch.changes.num_rows() + batch.bad_rows.len(),
                Ok(None) => break,
                Err(error) => return (seen, Some(error.chain())),
            }
        }
        let columns = names(objects.schema());
        seen.push(format!("{}: {rows} rows, then {columns}", object.object.relative));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_is_read_under_the_columns_of_those_before_it() {
    let mut staged = Staged::new(&[("id", "int"), ("b", "int"), ("B", "int")]);
    staged.dms.add_column_name = true;
    for in_lake in [false, true] {
        if in_lake {
            staged.in_lake(&[("id", ColumnType::Int)]);
        }
        let mut objects = Vec::new();
        for (name, text) in [
            ("20240101-000000001.csv", "Op,id\nI,1\nI,2\nI,3\n"),
            ("20240101-000000002.csv", "Op,id\nI,4\n"),
            ("20240101-000000003.csv", "Op,id,b\nI,5,6\n"),
            ("20240101-000000004.csv", ""),
            ("20240101-000000005.csv", "Op,id\nI,7\n"),
            ("20240101-000000006.csv", "Op,id,B\nI,8,9\n"),
        ] {
            objects.push(staged.put(name, text).await);
        }
        let ahead = read(reader(&staged, &objects, 2, AMPLE)).await;
        assert_eq!(ahead, read(reader(&staged, &objects, 2, SCARCE)).await);
        let (seen, refusal) = ahead;
        assert_eq!(
            seen,
            [
                "20240101-000000001.csv: 1 rows, then id",
                "20240101-000000002.csv: 1 rows, then id",
                "20240101-000000003.csv: 1 rows, then id b",
                "20240101-000000004.csv: 0 rows, then id b",
                "20240101-000000005.csv: 1 rows, then id b",
            ]
        );
        assert!(refusal.unwrap().contains("differ only by letter case"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_waits_for_its_turn() {
    let bad = |number| if number == 30 { "I,\"1\n" } else { "I,1\n" };
    let (staged, objects) = forty(bad).await;
    for budget in [SCARCE, 1 << 20, AMPLE] {
        let (seen, error) = read(reader(&staged, &objects, 0, budget)).await;
        assert_eq!(seen.len(), 29);
        assert!(error.unwrap().contains("20240101-000000030.csv"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_ahead_stays_within_a_quarter_of_the_budget() {
    let (staged, objects) = forty(|_| "I,1\n").await;
    for (budget, most) in [(SCARCE, 0), (1 << 20, 256 << 10), (AMPLE, 16 * (64 << 10))] {
        let mut ahead = reader(&staged, &objects, 0, budget);
        let mut charged = 0;
        while let Next::Object(_) = ahead.next().await.unwrap() {
            charged = charged.max(ahead.charged());
        }
        assert_eq!(charged, most, "of {budget}");
    }
}
