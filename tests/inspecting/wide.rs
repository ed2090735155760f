//! Rows of large values: a batch of them is more than a sort may take at once.

use std::fmt::Write as _;
use std::fs;
use std::sync::Arc;

use dmslake::inspect;
use dmslake::pipeline::{Limits, Pipeline, Scope, Silent, Status};
use dmslake::table::AsOf;
use futures::TryStreamExt as _;

use crate::support::clock::StoppedClock;
use crate::support::world::settings;

const ROWS: usize = 500;
/// Bytes of a value: all rows in one batch are more than one of the sorts could take.
const VALUE: usize = 40_000;

#[tokio::test(flavor = "multi_thread")]
async fn versions_of_large_values_are_compared() {
    let home = tempfile::tempdir().expect("a folder");
    let root = home.path().canonicalize().expect("it exists").display().to_string();
    let text = format!(
        "staging = \"{root}/staging\"\nlake = \"{root}/lake\"\n[[table]]\nsource = \"shop.t\"\n\
         keys = [\"id\"]\ncolumns = [{{ name = \"id\", type = \"int\" }}, \
         {{ name = \"note\", type = \"longtext\" }}]\n"
    );
    let staging = home.path().join("staging/shop/t");
    fs::create_dir_all(&staging).expect("created");
    let rows = |operation: &str, letter: &str| {
        (0..ROWS).fold(String::new(), |mut text, id| {
            writeln!(text, "{operation}{id},{}", letter.repeat(VALUE)).expect("a String");
            text
        })
    };
    let settings = Arc::unwrap_or_clone(settings(&text));
    let pipeline = Pipeline::open(settings, StoppedClock::new()).await.expect("opened");
    let spec = &pipeline.settings().tables[0];
    let mut versions = Vec::new();
    for (name, rows) in
        [("LOAD00000001.csv", rows("", "a")), ("20240101-000000001.csv", rows("U,", "b"))]
    {
        fs::write(staging.join(name), rows).expect("written");
        let report = pipeline.apply(spec, &Scope::Everything, &Limits::default(), &Silent).await;
        assert_eq!(report.status, Status::Ok, "{report:?}");
        versions.push(AsOf::Version(report.version.expect("a table")));
    }
    let diff = inspect::diff(&pipeline, spec, versions[0], Some(versions[1]), None).await;
    let diff = diff.expect("compared").expect("a table");
    let batches: Vec<_> = diff.changes.try_collect().await.expect("within the memory");
    assert_eq!(batches.iter().map(arrow::array::RecordBatch::num_rows).sum::<usize>(), ROWS);
}
