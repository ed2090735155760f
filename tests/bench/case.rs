//! The cases themselves.

use std::path::Path;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::sum;
use arrow::datatypes::Decimal128Type;
use async_trait::async_trait;
use datafusion::prelude::SessionContext;
use deltalake::delta_datafusion::create_session;
use dmslake::change::{Changes, CurrentRows, NetChanges, net_changes};
use dmslake::clock::{Clock, SystemClock};
use dmslake::config::Settings;
use dmslake::decode::{Next, ReadAhead, ReadSettings};
use dmslake::error::Result;
use dmslake::pipeline::{Limits, Pipeline, Scope, Silent};
use dmslake::schema::TableSchema;
use dmslake::staging::list_everything;
use dmslake::storage::Location;

use crate::child::Run;
use crate::objects::{COPY_ON_WRITE, settings};

/// Ample, as on a machine of 4 GB.
const MEMORY_BUDGET: usize = 512 << 20;

/// Decodes all objects in order and reduces them as one slice, as the pipeline does where the
/// memory budget allows. Comes to: upserts, deletes, and of the upserts the sum of amounts and the
/// notes that are not NULL.
pub(crate) async fn reduce(staging: &Path) -> Run {
    let begun = SystemClock.instant();
    let net = decode_and_reduce(staging).await.unwrap_or_else(|error| panic!("{}", error.chain()));
    let seconds = begun.elapsed().as_secs_f64();
    let rows = |batches: &[RecordBatch]| batches.iter().map(RecordBatch::num_rows).sum::<usize>();
    let column = |name| net.upserts.iter().map(move |batch| batch.column_by_name(name).unwrap());
    let amount: i128 = column("amount")
        .map(|amounts| sum(amounts.as_primitive::<Decimal128Type>()).unwrap_or_default())
        .sum();
    let notes: usize = column("note").map(|notes| notes.len() - notes.null_count()).sum();
    let amount = i64::try_from(amount).expect("a small sum");
    let outcome = vec![rows(&net.upserts) as i64, rows(&net.deletes) as i64, amount, notes as i64];
    Run { seconds, peak: 0, outcome, version: 0 }
}

async fn decode_and_reduce(staging: &Path) -> Result<NetChanges> {
    let settings = settings(staging, Path::new("unused"), COPY_ON_WRITE);
    let table = &settings.tables[0];
    let staging = Location::open(&settings.staging).await?;
    let folder = staging.folder(&[&table.source.schema, &table.source.table])?;
    let objects = list_everything(&folder, false).await?.objects;
    let read = ReadSettings {
        table: table.clone(),
        dms: settings.dms.clone(),
        staging,
        changes: Vec::new(),
        memory_budget: MEMORY_BUDGET,
    };
    let mut ahead = ReadAhead::new(read, objects, 0, TableSchema::default());
    let mut batches = Vec::new();
    while let Next::Object(mut object) = ahead.next().await? {
        while let Some(batch) = object.next().await? {
            assert!(batch.bad_rows.is_empty(), "a bad row in {}", object.object.relative);
            batches.push(batch.changes);
        }
    }
    let changes = Changes::new(batches, ahead.schema(), &table.lake_keys())?;
    let session: SessionContext = create_session().into();
    net_changes(changes, &session, &NoTable).await
}

/// Every change carries all its values, so nothing is asked.
struct NoTable;

#[async_trait]
impl CurrentRows for NoTable {
    async fn rows(&self, _keys: RecordBatch, _columns: &[String]) -> Result<Vec<RecordBatch>> {
        unreachable!("a change left a value as it was")
    }
}

/// Applies everything that is staged. Comes to: rows taken in, rows that the table gained.
pub(crate) async fn apply(settings: Settings) -> Run {
    let begun = SystemClock.instant();
    let table = settings.tables[0].clone();
    let pipeline = Pipeline::open(settings, std::sync::Arc::new(SystemClock)).await;
    let pipeline = pipeline.unwrap_or_else(|error| panic!("{}", error.chain()));
    let report = pipeline.apply(&table, &Scope::Everything, &Limits::default(), &Silent).await;
    let seconds = begun.elapsed().as_secs_f64();
    assert!(report.is_caught_up(), "{report:?}");
    let gained = report.counts.inserted as i64 - report.counts.deleted as i64;
    let version = report.version.expect("a table");
    Run { seconds, peak: 0, outcome: vec![report.counts.rows as i64, gained], version }
}
