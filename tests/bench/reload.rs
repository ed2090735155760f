//! A reload of a large table of which one row in a hundred has changed, from the new load's rows
//! beside the table to the commit: only what differs, all files, and what others take for the same.

use std::fs;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::{cast, filter_record_batch, not};
use datafusion::common::Column;
use datafusion::logical_expr::{Expr, Operator, binary_expr};
use datafusion::prelude::{DataFrame, SessionContext};
use deltalake::delta_datafusion::create_session;
use dmslake::clock::{Clock, SystemClock};
use dmslake::config::MergeMode;
use dmslake::error::Result;
use dmslake::merge::{self, Bounds, Compared};
use dmslake::progress::{CommitRecord, Counts};
use dmslake::table::{self, LakeTable, Transaction};
use futures::StreamExt as _;
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;
use url::Url;

use crate::child::{self, Case, Run};
use crate::folders;
use crate::merge::orders::{self, Key, random};
use crate::merge::python::{self, Spark};
use crate::merge::target::{self, Target, location};
use crate::objects::number;
use crate::report::Report;
use crate::{lake, machine};

const ROWS: u64 = 10_000_000;
const FILES: u64 = 20;
const RUNS: usize = 3;
const KEY: Key = Key::Integer;
const STEP: u64 = 50_000;
/// As on a machine of 4 GB.
const MEMORY_BUDGET: usize = 512 << 20;

/// Where the hundredth of the rows is that has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spread {
    Anywhere,
    /// Among the newest tenth.
    Recent,
}

impl Spread {
    fn name(self) -> &'static str {
        match self {
            Self::Anywhere => "anywhere",
            Self::Recent => "newest tenth",
        }
    }

    fn changes(self, row: u64, rows: u64) -> bool {
        match self {
            Self::Anywhere => random(row, 200).is_multiple_of(100),
            Self::Recent => row >= rows - rows / 10 && random(row, 200).is_multiple_of(10),
        }
    }
}

/// How the new rows take the place of the old ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Way {
    Vectors,
    CopyOnWrite,
    Swap,
    /// Into no table yet.
    Load,
    /// The library's MERGE with all of the new rows.
    MergeBuilder,
}

impl Way {
    const ALL: [Self; 5] =
        [Self::Vectors, Self::CopyOnWrite, Self::Swap, Self::Load, Self::MergeBuilder];

    fn name(self) -> &'static str {
        match self {
            Self::Vectors => "difference, deletion vectors",
            Self::CopyOnWrite => "difference, copy-on-write",
            Self::Swap => "swap",
            Self::Load => "new load, written again",
            Self::MergeBuilder => "MergeBuilder",
        }
    }
}

/// Measures both spreads.
pub(crate) fn measure(folder: &Path, report: &mut Report) {
    let rows = number("DMSLAKE_BENCH_ROWS").unwrap_or(ROWS);
    let runs = number("DMSLAKE_BENCH_RUNS").map_or(RUNS, |runs| runs as usize);
    let runtime = Runtime::new().expect("a runtime");
    let kept = folders::tables(folder);
    let old = runtime.block_on(Target::ready(&kept, KEY, rows, FILES));
    report.note(&old.described());
    for spread in [Spread::Anywhere, Spread::Recent] {
        let built = folder.join(format!("built-{}", spread.name().replace(' ', "-")));
        runtime.block_on(make(&built, spread, rows));
        if python::version("pyspark").is_some() {
            by_spark(&runtime, folder, &old, &built, spread, report);
        }
        for way in Way::ALL {
            let what = format!("reload, 1 % changed {}, {}", spread.name(), way.name());
            let measured: Result<Vec<Run>, ExitStatus> = (0..runs)
                .map(|_| {
                    let table = folder.join("reloaded");
                    runtime.block_on(old.copy(&table, way == Way::Vectors));
                    if way == Way::Swap {
                        link(&built, &table);
                    }
                    child::try_run(&Case::Reload { way, table, built: built.clone() })
                })
                .collect();
            match measured {
                Ok(measured) => {
                    let outcome = &measured[0].outcome;
                    assert!(measured.iter().all(|run| run.outcome == *outcome), "{measured:?}");
                    report.runs(&what, (rows, "rows"), &measured, "reload");
                }
                // It holds all rows in memory, and the system ends it.
                Err(status) if way == Way::MergeBuilder => {
                    report.line(&what, "no result", "", &status.to_string(), "reload");
                }
                Err(status) => panic!("{what}: {status}"),
            }
        }
    }
}

/// By Spark in a JVM of its own, warmed up by one such reload in each mode.
fn by_spark(
    runtime: &Runtime,
    folder: &Path,
    old: &Target,
    built: &Path,
    spread: Spread,
    report: &mut Report,
) {
    let mut spark = Spark::start();
    for (vectors, mode) in [(true, "deletion vectors"), (false, "copy-on-write")] {
        let mut run = |round: usize| {
            // Spark remembers tables by their folder.
            let table = folder.join(format!("spark-{vectors}-{round}"));
            runtime.block_on(old.copy(&table, vectors));
            let run = spark.reload(KEY, &table, built);
            runtime.block_on(async {
                must_be_equal(&target::open(&table).await, built, "Spark").await;
            });
            folders::remove(&table);
            run
        };
        run(0);
        let measured = [run(1), run(2)];
        let what = format!("reload, 1 % changed {}, Spark, {mode}", spread.name());
        report.runs(&what, (old.rows, "rows"), &measured, "reload");
    }
}

/// Links the data files of one table into the folder of another.
fn link(built: &Path, table: &Path) {
    for entry in fs::read_dir(built).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|suffix| suffix == "parquet") {
            let target = table.join(path.file_name().expect("a name"));
            fs::hard_link(path, target).expect("linked");
        }
    }
}

/// The new rows: of those that change a twentieth is gone, and as many are new.
async fn make(folder: &Path, spread: Spread, rows: u64) {
    folders::remove(folder);
    let end = rows + rows / 2_000;
    let each = end.div_ceil(FILES);
    let steps = |file: u64| {
        let until = ((file + 1) * each).min(end);
        (file * each..until).step_by(STEP as usize).flat_map(move |first| {
            let numbers: Vec<u64> = (first..(first + STEP).min(until))
                .filter(|row| !(is_changed(spread, *row, rows) && is_gone(*row)))
                .collect();
            let changed: BooleanArray =
                numbers.iter().map(|row| Some(is_changed(spread, *row, rows))).collect();
            let of = |edition: u64, which: &BooleanArray| {
                filter_record_batch(&orders::images(KEY, &numbers, edition), which).expect("rows")
            };
            [of(0, &not(&changed).expect("bits")), of(1, &changed)]
        })
    };
    let files = (0..FILES).map(steps);
    target::create(folder, &orders::schema(KEY), &KEY.names(), |layout| layout, files).await;
}

fn is_changed(spread: Spread, row: u64, rows: u64) -> bool {
    row < rows && spread.changes(row, rows)
}

fn is_gone(row: u64) -> bool {
    random(row, 201).is_multiple_of(20)
}

/// From the unopened tables to the commit. Comes to the rows of the table.
pub(crate) async fn reload_here(way: Way, table: &Path, built: &Path) -> Run {
    let begun = SystemClock.instant();
    let replaced = async {
        match way {
            Way::Vectors => difference(table, built, MergeMode::DeletionVectors).await,
            Way::CopyOnWrite => difference(table, built, MergeMode::CopyOnWrite).await,
            Way::Swap => {
                let (old, new) = (target::open(table).await, target::open(built).await);
                let ledger = new.ledger().clone();
                table::replace(&old, &new, ledger, |_| false, &lake::clock()).await?.committed()
            }
            Way::Load => Ok(load(table, built).await),
            Way::MergeBuilder => Ok(library(table, built).await),
        }
    };
    let replaced = Box::pin(replaced).await.unwrap_or_else(|error| panic!("{}", error.chain()));
    let seconds = begun.elapsed().as_secs_f64();
    let (rows, version) = (replaced.rows() as i64, replaced.version());
    let peak = machine::peak_memory();
    must_be_equal(&replaced, built, way.name()).await;
    Run { seconds, peak, outcome: vec![rows], version }
}

async fn must_be_equal(table: &LakeTable, built: &Path, who: &str) {
    let new = target::open(built).await;
    let left = merge::difference(table, &new, &KEY.names(), bounds(), &SystemClock).await;
    let Ok(Compared::Little(left)) = left else { panic!("{who}: {left:?}") };
    assert_eq!(left.rows(), 0, "{who} leaves other rows");
}

fn bounds() -> Bounds {
    Bounds { memory_budget: MEMORY_BUDGET, most_rows: u64::MAX }
}

async fn difference(table: &Path, built: &Path, mode: MergeMode) -> Result<LakeTable> {
    let (old, new) = (target::open(table).await, target::open(built).await);
    let compared = merge::difference(&old, &new, &KEY.names(), bounds(), &SystemClock).await?;
    let Compared::Little(difference) = compared else { panic!("{compared:?}") };
    let plan = merge::plan(&old, &KEY.names(), difference.net).await?;
    let plan = plan.with_mode(mode).sparing_others();
    let (inserted, updated, deleted) = (plan.inserted, plan.updated, plan.deleted);
    let rows = inserted + updated + deleted;
    let counts = Counts { rows, inserted, updated, deleted, ..Counts::default() };
    let (clock, ledger) = (lake::clock(), new.ledger().clone());
    let attempt = clock.attempt_id();
    let record = CommitRecord::replacing(attempt, counts, old.rows(), new.rows(), ledger)?;
    merge::commit(Transaction::on(&old, record, &clock), plan).await?.outcome.committed()
}

/// Decodes the new rows and writes them into a table of their own.
async fn load(table: &Path, built: &Path) -> LakeTable {
    let (to, session) = (table.with_extension("loaded"), SessionContext::new());
    folders::remove(&to);
    let mut rows = rows_of(built, &session).await.execute_stream().await.expect("rows");
    let (sender, receiver) = std::sync::mpsc::sync_channel::<RecordBatch>(4);
    let reading = tokio::spawn(async move {
        while let Some(batch) = rows.next().await {
            let batch = batch.expect("rows");
            let sender = sender.clone();
            tokio::task::spawn_blocking(move || sender.send(batch))
                .await
                .expect("sent")
                .expect("read");
        }
    });
    let schema = orders::schema(KEY).arrow();
    let batches = receiver.into_iter().map(|batch| {
        let columns = batch.columns().iter().zip(schema.fields());
        let columns = columns.map(|(column, field)| cast(column, field.data_type()).expect("cast"));
        RecordBatch::try_new(Arc::clone(&schema), columns.collect()).expect("rows")
    });
    target::create(&to, &orders::schema(KEY), &KEY.names(), |layout| layout, [batches].into_iter())
        .await;
    reading.await.expect("read");
    target::open(&to).await
}

async fn rows_of(folder: &Path, session: &SessionContext) -> DataFrame {
    let url = Url::from_directory_path(folder).expect("a folder");
    let table = deltalake::open_table(url).await.expect("a table");
    session.read_table(table.table_provider().await.expect("a table")).expect("a table")
}

/// The statement that others would write: rows that differ are updated, new ones inserted, and
/// those that the source lacks deleted.
async fn library(table: &Path, built: &Path) -> LakeTable {
    let session: SessionContext = create_session().into();
    let source = rows_of(built, &session).await;
    let of = |relation: &str, name: &str| Expr::Column(Column::new(Some(relation), name));
    let schema = orders::schema(KEY).arrow();
    let names: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
    let differs = names
        .iter()
        .map(|name| binary_expr(of("old", name), Operator::IsDistinctFrom, of("new", name)));
    let differs = differs.reduce(Expr::or).expect("columns");
    let url = Url::from_directory_path(table).expect("a folder");
    let old = deltalake::open_table(url).await.expect("a table");
    let all = names.clone();
    old.merge(source, of("old", "id").eq(of("new", "id")))
        .with_source_alias("new")
        .with_target_alias("old")
        .when_matched_update(|update| {
            names.iter().fold(update.predicate(differs), |update, name| {
                update.update(Column::from_name(name.as_str()), of("new", name))
            })
        })
        .expect("an update")
        .when_not_matched_insert(|insert| {
            all.iter().fold(insert, |insert, name| {
                insert.set(Column::from_name(name.as_str()), of("new", name))
            })
        })
        .expect("an insert")
        .when_not_matched_by_source_delete(|delete| delete)
        .expect("a delete")
        .await
        .expect("committed");
    let url = location(table).await;
    let delta = table::load(&url).await.expect("a table").expect("a table");
    LakeTable::without_progress(delta).expect("a table")
}
