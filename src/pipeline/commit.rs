//! One slice into one commit.

use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use datafusion::prelude::SessionContext;
use uuid::Uuid;

use crate::change::{Changes, CurrentRows, NetChanges, net_changes};
use crate::config::{LookBack, OnBadRow, TableSpec};
use crate::error::{Error, Result};
use crate::merge::{self, CommitOutcome};
use crate::pipeline::Pipeline;
use crate::pipeline::ready::ready_table;
use crate::pipeline::slice::{Portion, Slice};
use crate::progress::{Books, CommitRecord, Ledger, Mark};
use crate::quarantine::{self, SetAside};
use crate::storage::Location;
use crate::table::LakeTable;

/// What became of a slice.
#[must_use]
pub(super) enum SliceOutcome {
    /// It stands in the table.
    Committed { table: Box<LakeTable>, books: Books, replayed: u64 },
    /// It holds neither rows nor columns and there is no table yet that could remember it: it
    /// goes with the next slice.
    Nothing(Slice),
    /// The commit call failed, with or without effect; the attempt id tells which.
    Unknown { attempt: Uuid, error: Error },
}

/// Takes a slice into the table: creates or widens it, sets bad rows aside, reduces to net
/// changes, merges, and commits rows and ledger together.
///
/// # Errors
/// What was met before the commit was tried, and any imbalance of the books.
pub(super) async fn commit_slice(
    pipeline: &Pipeline,
    spec: &TableSpec,
    location: &Location,
    table: Option<LakeTable>,
    mut slice: Slice,
) -> Result<SliceOutcome> {
    if table.is_none() && slice.schema.columns().is_empty() {
        return Ok(SliceOutcome::Nothing(slice));
    }
    let table = ready_table(pipeline, spec, location, table, &slice).await?;

    let keys = spec.lake_keys();
    let (ledger, replayed) = ledger_after(table.ledger(), &slice, pipeline.settings().look_back);
    let objects = slice.portions.iter().map(Portion::record).collect();
    let quarantined = slice.bad_rows();
    let batches = slice.take_batches();
    // Bad rows must be set aside before the commit; planning reads nothing of them.
    let planning = async {
        let net = reduce(&table, &keys, batches).await?;
        let (changes, superseded) = (net.changes, net.superseded);
        let plan = merge::plan(&table, &keys, net).await?.with_mode(spec.merge);
        Ok::<_, Error>((plan, changes, superseded))
    };
    let setting_aside = set_aside(pipeline, spec, &slice);
    let ((plan, changes, superseded), ()) = tokio::try_join!(planning, setting_aside)?;
    let books = Books {
        rows: changes + quarantined,
        inserted: plan.inserted,
        updated: plan.updated,
        deleted: plan.deleted,
        superseded,
        ignored: plan.ignored,
        quarantined,
        before: table.rows(),
        after: table.rows() + plan.inserted - plan.deleted,
    };
    books.check()?;
    let record = CommitRecord {
        format: CommitRecord::FORMAT,
        attempt: pipeline.clock.attempt_id(),
        objects,
        books,
        ledger: Ledger { rows: books.after, ..ledger },
    };
    match merge::commit(&table, plan, &record, &pipeline.clock).await? {
        CommitOutcome::Committed(delta) => {
            let table = Box::new(table.succeeded_by(*delta, record)?);
            Ok(SliceOutcome::Committed { table, books, replayed })
        }
        CommitOutcome::Unknown(error) => {
            Ok(SliceOutcome::Unknown { attempt: record.attempt, error })
        }
    }
}

async fn set_aside(pipeline: &Pipeline, spec: &TableSpec, slice: &Slice) -> Result<()> {
    if spec.on_bad_row != OnBadRow::Quarantine {
        return Ok(());
    }
    let aside: Vec<SetAside<'_>> = slice
        .portions
        .iter()
        .map(|portion| SetAside {
            object: &portion.object,
            mark: Mark::of(&portion.object, &portion.identity),
            rows: portion.from + 1..=portion.from + portion.rows,
            bad_rows: &portion.bad_rows,
        })
        .collect();
    let location = pipeline.quarantine_folder(&spec.source)?;
    quarantine::set_aside(&location, &spec.source, &aside, &pipeline.clock).await
}

/// The ledger after a slice, and how many of its objects a resume of DMS wrote again.
fn ledger_after(before: &Ledger, slice: &Slice, look_back: LookBack) -> (Ledger, u64) {
    let mut ledger = before.clone();
    let mut replayed = 0;
    for portion in &slice.portions {
        let mark = Mark::of(&portion.object, &portion.identity);
        if portion.is_done {
            ledger.finish(&portion.object, mark, look_back);
        } else {
            ledger.advance(&portion.object, mark, portion.from + portion.rows);
        }
        if let Some((first, last)) = &portion.sequence
            && ledger.saw_sequence(first, last)
        {
            replayed += 1;
            tracing::warn!(
                object = portion.object.relative,
                "the change sequence goes back: a resume of DMS writes changes again"
            );
        }
    }
    (ledger, replayed)
}

async fn reduce(
    table: &LakeTable,
    keys: &[String],
    batches: Vec<RecordBatch>,
) -> Result<NetChanges> {
    let session = SessionContext::new();
    let changes = Changes::new(batches, table.schema(), keys)?;
    let current = Current { table, keys };
    net_changes(changes, &session, &current).await
}

/// The table as the reduction asks for rows of it.
struct Current<'a> {
    table: &'a LakeTable,
    keys: &'a [String],
}

#[async_trait]
impl CurrentRows for Current<'_> {
    async fn rows(&self, keys: RecordBatch, columns: &[String]) -> Result<Vec<RecordBatch>> {
        merge::rows_of(self.table, self.keys, &[keys], columns).await
    }
}
