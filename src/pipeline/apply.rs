//! One slice: its rows become net changes, a plan, and one commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use datafusion::prelude::SessionConfig;

use crate::change::{Changes, CurrentRows, NetChanges, net_changes};
use crate::config::{LookBack, OnBadRow, TableSpec};
use crate::error::{Error, ErrorKind, Result};
use crate::merge;
use crate::pipeline::Pipeline;
use crate::pipeline::budget::Pace;
use crate::pipeline::comparison::reading_takes;
use crate::pipeline::guard::{Guard, Guarded};
use crate::pipeline::hand_over::HandsOver;
use crate::pipeline::mass::Mass;
use crate::pipeline::meter::Phase;
use crate::pipeline::race::{Race, Settled};
use crate::pipeline::ready::{Target, ready_table};
use crate::pipeline::slice::{Portion, Slice, Turn};
use crate::pipeline::suspicion::Suspicion;
use crate::pipeline::tally::AppliedSlice;
use crate::progress::{Books, CommitRecord, CommittedObject, Counts, Ledger, Mark, Turns};
use crate::quarantine::{self, SetAside};
use crate::session::session;
use crate::table::{ForeignCommit, LakeTable, LostCommit, Transaction};

/// What ended a pass early. Everything committed by then is in the table.
#[derive(Debug)]
pub(super) struct Setback {
    pub(super) error: Error,
    /// A commit that may or may not be in the table.
    pub(super) lost: Option<LostCommit>,
}

impl From<Error> for Setback {
    fn from(error: Error) -> Self {
        Self { error, lost: None }
    }
}

/// A slice that is in the table.
pub(super) struct Applied {
    pub(super) table: Box<LakeTable>,
    pub(super) slice: AppliedSlice,
    /// What others did to the table's rows while it was applied.
    pub(super) foreign: Vec<ForeignCommit>,
    /// How long it took, from its rows to its commit.
    pub(super) took: Duration,
    /// Bytes of the objects that it finished.
    pub(super) object_bytes: u64,
    /// What its files came to; none where tasks of a job wrote them.
    pub(super) written: Option<WrittenBytes>,
}

/// Bytes of the data files of a commit.
#[derive(Clone, Copy, Debug)]
pub(super) struct WrittenBytes {
    /// As many as were foreseen before they were written.
    pub(super) foreseen: u64,
    /// As many as they came to.
    pub(super) actual: u64,
}

/// What became of a slice.
#[must_use]
pub(super) enum SliceOutcome {
    /// It is in the table.
    Committed(Applied),
    /// It holds neither rows nor columns and there is no table yet that could remember it: its
    /// objects go with the next slice.
    Empty(Vec<Portion>),
    /// It takes longer to write than any invocation has: it is for a job, and why.
    TooMuch(Box<LakeTable>, String),
}

/// Takes a slice into the table: creates or widens it, sets bad rows aside, reduces to net
/// changes, merges, and commits rows and ledger together. Where somebody else commits meanwhile
/// and applies no object, only the plan is made again, for the files that are new.
///
/// # Errors
/// What was met before the commit was tried, and any imbalance of the books.
pub(super) async fn apply_slice(
    target: &Target<'_>,
    table: Option<LakeTable>,
    mut slice: Slice,
    pace: &mut Pace,
) -> Result<SliceOutcome, Setback> {
    let Target { pipeline, spec, .. } = *target;
    let (clock, source) = (pipeline.clock(), &spec.source);
    let meter = pipeline.meter(source);
    let taken_up = clock.instant();
    let has_columns = !slice.schema.columns().is_empty() || !target.columns.is_empty();
    if table.is_none() && !has_columns {
        return Ok(SliceOutcome::Empty(slice.portions));
    }
    let making_ready = ready_table(target, table, &slice);
    let mut table = pipeline.phase(source, Phase::Commit, making_ready).await?;

    let keys = spec.lake_keys();
    let (mut ledger, replayed) = ledger_after(table.ledger(), &slice, target.bound)?;
    ledger.keys = Some(keys.clone());
    ledger.quarantined += slice.bad_rows();
    let objects: Vec<CommittedObject> = slice.portions.iter().map(Portion::record).collect();
    let (quarantined, finished) = (slice.bad_rows(), slice.finished_objects());
    let object_bytes = slice.finished_bytes();
    let suspicion = Suspicion::of(spec, table.ledger(), &slice, target.accepts_loss);
    let mass = Mass::of(target, &slice);
    let mut guard = Guard::of(pipeline, spec, table.ledger(), &slice)?;
    let batches = slice.take_batches();
    // Bad rows must be set aside before the commit; planning reads nothing of them.
    let planning = async {
        let current = Current { table: &table, keys: &keys, asked: AtomicBool::new(false) };
        let reducing = reduce(&current, batches, &suspicion, guard.as_mut());
        let net = pipeline.phase(source, Phase::Change, reducing).await?;
        // Values that were taken from the table may be others in another snapshot of it.
        let kept = (!current.asked.into_inner()).then(|| net.clone());
        let (changes, superseded) = (net.changes, net.superseded);
        let deletes = net.deletes.clone();
        let leaving = async {
            match guard {
                Some(mut guard) => {
                    guard.leave_tombstones(&deletes, pipeline).await?;
                    Ok(Some(guard.into_progress()))
                }
                None => Ok(None),
            }
        };
        let planning = async {
            let (plan, guard) = tokio::try_join!(merge::plan(&table, &keys, net), leaving)?;
            let plan = plan.with_mode(spec.merge).begun_at(slice.begun);
            suspicion.check(&table, &keys, &plan).await?;
            Ok::<_, Error>((plan, guard))
        };
        let (plan, guard) = pipeline.phase(source, Phase::Merge, planning).await?;
        Ok::<_, Error>((plan, changes, superseded, kept, guard))
    };
    let setting_aside = set_aside(pipeline, spec, &slice);
    let ((mut plan, changes, superseded, kept, guard), ()) =
        tokio::try_join!(planning, setting_aside)?;
    if let Some(why) = is_too_much(pipeline, pace, plan.bytes_rewritten(&table)) {
        return Ok(SliceOutcome::TooMuch(Box::new(table), why));
    }
    ledger.guard = guard;
    let mut race = Race::default();
    loop {
        let counts = Counts {
            rows: changes + quarantined,
            inserted: plan.inserted,
            updated: plan.updated,
            deleted: plan.deleted,
            superseded,
            ignored: plan.ignored,
            quarantined,
        };
        ledger.recent = mass.as_ref().map(|mass| mass.judge(&table, &counts)).transpose()?;
        let after = table.rows() + plan.inserted - plan.deleted;
        let books = Books { counts, before: table.rows(), after };
        books.check()?;
        let attempt = clock.attempt_id();
        let record = CommitRecord::of(attempt, objects.clone(), books, ledger.clone())
            .with_newest(slice.newest(), clock.now());
        let begun = clock.instant();
        let transaction = Transaction::on(&table, record, clock);
        let writing = merge::write_files(transaction, plan.clone());
        let written = pipeline.phase(source, Phase::Merge, writing).await?;
        let (files, file_counts) = (written.files(), written.file_counts());
        let bytes = WrittenBytes { foreseen: written.bytes_foreseen(), actual: written.bytes() };
        let merged = pipeline.phase(source, Phase::Commit, written.commit()).await?;
        pace.committed(clock.instant() - begun);
        let lost = match Settled::from(merged.outcome) {
            Settled::Committed(table) => {
                meter.touched(files);
                meter.counted(file_counts);
                let took = clock.instant() - taken_up;
                pace.committed(took);
                let version = table.version();
                let slice = AppliedSlice { version, counts, objects: finished, replayed };
                let foreign = race.foreign;
                let written = Some(bytes);
                let applied = Applied { table, slice, foreign, took, object_bytes, written };
                return Ok(SliceOutcome::Committed(applied));
            }
            Settled::Lost(lost) => {
                meter.conflicted();
                lost
            }
            Settled::Failed(setback) => return Err(setback),
        };
        let net = kept.clone().filter(|_| pace.has_time(clock.as_ref()));
        let newer = race.again(lost, spec, &table, net.is_some())?;
        if let Some(net) = net {
            let planning = merge::replan(&newer, net, &table, &plan, merged.written);
            plan = pipeline.phase(source, Phase::Merge, planning).await?;
        }
        table = newer;
    }
}

/// Why writing these bytes again is for a job, where it is left to one.
fn is_too_much(pipeline: &Pipeline, pace: &Pace, bytes: u64) -> Option<String> {
    let hands_over = matches!(pipeline.hands_over(), HandsOver::To(_));
    let is_it = hands_over && pace.is_beyond_any_run(reading_takes(bytes));
    is_it.then(|| {
        let megabytes = bytes / 1_000_000;
        format!("{megabytes} MB of data files are to be written again for one commit")
    })
}

pub(super) async fn set_aside(pipeline: &Pipeline, spec: &TableSpec, slice: &Slice) -> Result<()> {
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
    quarantine::set_aside(&location, &spec.source, &aside, pipeline.clock()).await
}

/// The ledger after a slice, and how many of its objects a resume of DMS wrote again.
///
/// # Errors
/// `TableRefused` if two tasks write the table.
pub(super) fn ledger_after(
    before: &Ledger,
    slice: &Slice,
    bound: Option<LookBack>,
) -> Result<(Ledger, u64)> {
    let mut ledger = before.clone();
    let mut replayed = 0;
    for portion in &slice.portions {
        let mark = Mark::of(&portion.object, &portion.identity);
        if portion.is_done {
            ledger.finish(&portion.object, mark, bound);
        } else {
            ledger.advance(&portion.object, mark, portion.from + portion.rows);
        }
        let Some((first, last)) = &portion.sequence else { continue };
        if slice.turn != Turn::Due {
            // What is out of its turn tells nothing about the order of the others.
            ledger.raise_sequence(last);
            continue;
        }
        if ledger.saw_sequence(first, last, portion.from > 0) {
            replayed += 1;
            tracing::warn!(
                object = portion.object.relative,
                "the change sequence goes back: a resume of DMS writes changes again"
            );
        }
        if ledger.turns.as_ref().is_some_and(Turns::are_of_two_tasks) {
            return Err(two_tasks(&portion.object.relative));
        }
    }
    Ok((ledger, replayed))
}

fn two_tasks(object: &str) -> Error {
    Error::new(
        ErrorKind::TableRefused,
        "the change sequences of its objects interleave, as they do when two DMS tasks write one table",
    )
    .with("object", object)
    .with_remedy(
        "stop one of the tasks and move its objects that are not applied yet out of staging (or \
         give it a folder of its own), then dmslake resume TABLE --accept-loss and apply again; \
         have DMS reload the table if the two tasks did not write the same changes",
    )
}

async fn reduce(
    current: &Current<'_>,
    batches: Vec<RecordBatch>,
    suspicion: &Suspicion,
    guard: Option<&mut Guard>,
) -> Result<NetChanges> {
    let session = session(SessionConfig::new(), Arc::default());
    let changes = Changes::new(batches, current.table.schema(), current.keys)?;
    let Guarded { changes, older } = match guard {
        Some(guard) => guard.guarded(changes, current).await?,
        None => Guarded { changes, older: 0 },
    };
    let net = net_changes(suspicion.watch(changes), &session, current).await?;
    Ok(NetChanges { changes: net.changes + older, superseded: net.superseded + older, ..net })
}

/// The table as the reduction asks for rows of it.
pub(super) struct Current<'a> {
    pub(super) table: &'a LakeTable,
    pub(super) keys: &'a [String],
    /// Whether it did.
    pub(super) asked: AtomicBool,
}

#[async_trait]
impl CurrentRows for Current<'_> {
    async fn rows(&self, keys: RecordBatch, columns: &[String]) -> Result<Vec<RecordBatch>> {
        self.asked.store(true, Ordering::Relaxed);
        merge::rows_of(self.table, self.keys, &[keys], columns).await
    }
}
