//! Large things in little memory: a data file of 5 GB touched by copy-on-write, and one object of
//! 2 M changes, each in a process that has to stay below 512 MB.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{BinaryBuilder, Int64Array, RecordBatch};
use dmslake::change::NetChanges;
use dmslake::clock::{Clock, SystemClock};
use dmslake::config::MergeMode;
use dmslake::merge;
use dmslake::schema::{Column, ColumnType, TableSchema};
use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};

use crate::child::{self, Case, Run};
use crate::merge::target::{create, location};
use crate::objects::{COPY_ON_WRITE, DELETION_VECTORS, Format, number};
use crate::report::{Report, count, megabytes};
use crate::{folders, lake, rows};

const PART: &str = "memory";
/// The function's memory, and what a process may have at most.
const MEGABYTES: &str = "512";
const LIMIT: u64 = 512 << 10;
/// The rows that all sizes here are a share of.
const ROWS: u64 = 10_000_000;
/// Bytes of one wide row.
const WIDTH: usize = 4096;
/// Wide rows that are made at once.
const STEP: usize = 4096;
/// Of so many wide rows one is updated, so that every row group is encoded anew.
const UPDATE_EVERY: u64 = 1000;

pub(crate) fn measure(folder: &Path, report: &mut Report) {
    let rows = number("DMSLAKE_BENCH_ROWS").unwrap_or(ROWS);
    measure_wide_file(folder, rows / 8, report);
    measure_large_batch(folder, rows / 2, rows / 5, report);
}

fn measure_wide_file(folder: &Path, rows: u64, report: &mut Report) {
    let kept = folders::tables(folder).join(format!("wide-{rows}"));
    if !kept.exists() {
        let made = kept.with_extension("part");
        folders::remove(&made);
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let first = (0..rows).step_by(STEP);
        let batches = first.map(|first| wide(first..(first + STEP as u64).min(rows), 0));
        runtime.block_on(create(
            &made,
            &schema(),
            &keys(),
            |layout| layout,
            std::iter::once(batches),
        ));
        fs::rename(made, &kept).expect("renamed");
    }
    let table = folders::tables(folder).join("wide-copy");
    folders::remove(&table);
    folders::copy(&kept, &table);
    let bytes = folders::bytes(&table);
    let case = Case::UpdateWide { table: table.clone(), rows };
    let run = child::run_within(&case, Some(MEGABYTES));
    assert_eq!(run.outcome, [rows.div_ceil(UPDATE_EVERY), rows].map(|rows| rows as i64));
    let what = format!(
        "copy-on-write of one file of {:.1} GB, {} updates, every row group encoded",
        bytes as f64 / 1e9,
        count(rows.div_ceil(UPDATE_EVERY)),
    );
    print(&what, &run, report);
    folders::remove(&table);
}

fn print(what: &str, run: &Run, report: &mut Report) {
    let seconds = format!("{:.1} s", run.seconds);
    report.line(what, &seconds, &megabytes(run.peak), &format!("limit {MEGABYTES} MB"), PART);
    if run.peak > LIMIT {
        report.fail(&format!("{what}: {} KiB, {LIMIT} at most", run.peak));
    }
}

fn keys() -> Vec<String> {
    vec!["id".to_owned()]
}

fn schema() -> TableSchema {
    let column =
        |name: &str, column_type, nullable| Column { name: name.to_owned(), column_type, nullable };
    TableSchema::new(vec![
        column("id", ColumnType::Long, false),
        column("payload", ColumnType::Binary, true),
    ])
}

/// Rows of random bytes, which no compression makes smaller.
fn wide(rows: impl Iterator<Item = u64> + Clone, edition: u64) -> RecordBatch {
    let ids: Int64Array = rows.clone().map(|row| row as i64).collect();
    let mut payloads = BinaryBuilder::with_capacity(ids.len(), ids.len() * WIDTH);
    let mut payload = vec![0; WIDTH];
    for row in rows {
        StdRng::seed_from_u64(row ^ edition << 60).fill_bytes(&mut payload);
        payloads.append_value(&payload);
    }
    let columns: Vec<arrow::array::ArrayRef> = vec![Arc::new(ids), Arc::new(payloads.finish())];
    RecordBatch::try_new(schema().arrow(), columns).expect("as the schema says")
}

/// Updates one of every so many rows of the wide table. Comes to: rows updated, rows afterwards.
pub(crate) async fn update(table: &Path, rows: u64) -> Run {
    let few = (0..rows).step_by(usize::try_from(UPDATE_EVERY).expect("few"));
    let upserts = vec![wide(few, 1)];
    let changes = upserts[0].num_rows() as u64;
    let net = NetChanges { upserts, deletes: Vec::new(), changes, ..NetChanges::default() };
    let begun = SystemClock.instant();
    let location = location(table).await;
    let opened = lake::open(&location).await;
    let plan = merge::plan(&opened, &keys(), net).await;
    let plan = plan.unwrap_or_else(|error| panic!("{}", error.chain()));
    let (plan, updated) = (plan.clone().with_mode(MergeMode::CopyOnWrite), plan.updated);
    let record = lake::record(&opened, &plan);
    let merged = lake::commit(&opened, &record, plan).await;
    let committed = merged.and_then(|merged| merged.outcome.committed());
    committed.unwrap_or_else(|error| panic!("{}", error.chain()));
    let seconds = begun.elapsed().as_secs_f64();
    let rows = lake::open(&location).await.rows();
    Run { seconds, peak: 0, outcome: vec![updated as i64, rows as i64], version: 0 }
}

fn measure_large_batch(folder: &Path, rows: u64, changes: u64, report: &mut Report) {
    const LOAD_OBJECTS: u64 = 50;
    let each = rows / LOAD_OBJECTS;
    let rows = each * LOAD_OBJECTS;
    let load = folder.join("large/load");
    for object in 0..LOAD_OBJECTS {
        let rows = rows::loaded(object * each, each);
        stage(&load, &format!("LOAD{:08X}", object + 1), Format::Parquet, &rows);
    }
    let base = folder.join("large/base");
    let apply = |staging: &Path, lake: &Path, merge: &str| {
        let (staging, lake) = (staging.to_owned(), lake.to_owned());
        child::run_within(&Case::Apply { staging, lake, merge: merge.into() }, Some(MEGABYTES))
    };
    let run = apply(&load, &base, COPY_ON_WRITE);
    print(&format!("full load of {} rows, Parquet", count(rows)), &run, report);

    let backlog = rows::changes(0, changes, rows);
    let mut agreed: Option<Vec<i64>> = None;
    for format in Format::ALL {
        let staging = folder.join("large").join(format.suffix());
        stage(&staging, "20261103-100000000", format, &backlog);
        for merge in [COPY_ON_WRITE, DELETION_VECTORS] {
            let lake = folder.join("large/lake");
            folders::remove(&lake);
            folders::copy(&base, &lake);
            let run = apply(&staging, &lake, merge);
            assert_eq!(run.outcome[0], changes as i64, "changes taken in");
            let agreed = agreed.get_or_insert_with(|| run.outcome.clone());
            assert_eq!(&run.outcome, agreed, "changes taken in, rows gained");
            let what = format!(
                "one {} object of {} changes into {} rows, {merge}",
                format.name(),
                count(changes),
                count(rows)
            );
            print(&what, &run, report);
        }
    }
    folders::remove(&folder.join("large"));
}

fn stage(staging: &Path, name: &str, format: Format, rows: &[rows::Row]) -> PathBuf {
    let folder = staging.join("shop/orders");
    fs::create_dir_all(&folder).expect("a folder");
    let object = folder.join(format!("{name}.{}", format.suffix()));
    fs::write(&object, format.bytes(rows)).expect("written");
    object
}
