//! What applying a table would do, and what it would cost: it is applied, by the code that applies
//! tables everywhere, except that nothing of what is written goes to the lake.

mod rehearsal;
mod watch;

use std::io;

use serde::Serialize;
use tracing::{Instrument as _, error_span};

use crate::config::TableSpec;
use crate::disposition::Status;
use crate::error::{ErrorKind, Result};
use crate::files::external_sort::free_bytes;
use crate::inspect::plan::rehearsal::Rehearsal;
use crate::inspect::plan::watch::{Pending, Watch};
use crate::inspect::scratch::unwritable;
use crate::inspect::upkeep::{Monthly, Upkeep};
use crate::memory::peak_bytes;
use crate::pipeline::{Limits, Observer, Pipeline, Scope, TableReport};
use crate::price;
use crate::progress::Counts;
use crate::storage::{Bytes, Requests, is_on_s3};
use crate::table::{self, LakeTable};

/// With less room than this in the temporary folder, what failed there would not fail in the lake.
const LEAST_FREE: u64 = 16 << 20;

/// A commit to S3 waits for its data files, and then for its log entry, about so long: the plan writes
/// to a disk.
const SECONDS_OF_WRITES: f64 = 0.1;

/// How a plan is made.
#[derive(Clone, Copy, Debug)]
pub struct PlanAsked {
    /// Once so many bytes of staged objects are applied, the rest is inferred.
    pub most_bytes: u64,
    /// The memory of the function that is to apply the table, in MB. It tells the price.
    pub function_megabytes: u32,
    /// Whether this process is to apply the table: then its own memory tells how much one commit
    /// takes in, where the configuration does not say.
    pub applies_here: bool,
}

impl PlanAsked {
    /// The processors that the function has.
    fn processors(&self) -> f64 {
        f64::from(self.function_megabytes) / f64::from(price::MEGABYTES_OF_A_PROCESSOR)
    }

    fn gigabytes(&self) -> f64 {
        f64::from(self.function_megabytes) / 1024.0
    }
}

/// What would become of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlanOutcome {
    /// It would fail.
    Fails,
    /// It would be held, after what can be applied.
    Held,
    /// What is pending would be applied.
    Applies,
    /// Nothing would be done.
    Nothing,
}

impl PlanOutcome {
    /// The worst first.
    pub const ALL: [Self; 4] = [Self::Fails, Self::Held, Self::Applies, Self::Nothing];

    /// Its name in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fails => "fails",
            Self::Held => "held",
            Self::Applies => "applies",
            Self::Nothing => "nothing",
        }
    }
}

/// What applying a table would do, and what it would cost.
///
/// Where only a part of what is pending was read, the numbers are those of the part in proportion to
/// the bytes that are pending.
#[derive(Clone, Debug, Serialize)]
pub struct TablePlan {
    /// The name and the version of this schema: `plan/1`.
    pub schema: &'static str,
    /// `schema.table`
    pub table: String,
    /// What would become of it.
    pub outcome: PlanOutcome,
    /// Why, where it would be held or fail.
    pub reason: Option<String>,
    /// What a person does about it.
    pub remedy: Option<String>,
    /// The kind of that error.
    #[serde(skip)]
    pub error_kind: Option<ErrorKind>,
    /// What keeps the table from being what its readers may expect, although it is not held.
    pub warnings: Vec<String>,
    /// The version that it would be applied to; none if there is no table yet.
    pub version: Option<u64>,
    /// Objects that are pending.
    pub objects: u64,
    /// Their bytes.
    pub object_bytes: u64,
    /// Bytes of those that were read for the plan.
    pub object_bytes_read: u64,
    /// Whether more is pending than was read: the numbers are inferred.
    pub inferred: bool,
    /// What would become of the changes.
    pub changes: Counts,
    /// Commits.
    pub commits: u64,
    /// Data files that would be searched for keys, a file as often as a commit searches it.
    pub files_searched: u64,
    /// Data files that would be written again, or be left with no row.
    pub files_rewritten: u64,
    /// Data files of which rows would be masked.
    pub files_masked: u64,
    /// Data files that would be added.
    pub files_added: u64,
    /// Bytes that would be read and written, of staging and lake.
    pub bytes: Bytes,
    /// Requests to staging and lake.
    pub requests: Requests,
    /// The most memory that the plan's process had by then; none if the system does not tell.
    pub peak_memory_bytes: Option<u64>,
    /// Seconds in the function, about.
    pub seconds: f64,
    /// Whether the function would leave it to a job, if one is configured.
    pub is_for_job: bool,
    /// US dollars for the function and for requests to S3, about.
    pub dollars: f64,
    /// What the table costs a month by how its newest commits went, and would with a longer
    /// freshness; empty if too few of them tell.
    pub monthly: Vec<Monthly>,
    /// What would make it much cheaper; none if nothing would.
    pub advice: Option<String>,
}

/// Plans the application of a table, as it is staged and as it stands now. Nothing of it is changed;
/// what would be written goes to the temporary folder, and away in the end.
///
/// What would hold the table, or fail, is part of the plan. None if somebody asked to stop.
///
/// # Errors
/// `Unavailable` if the temporary folder cannot be written; what keeps the table from being read.
pub async fn plan(
    pipeline: &Pipeline,
    spec: &TableSpec,
    asked: &PlanAsked,
    limits: &Limits,
    observer: &dyn Observer,
) -> Result<Option<TablePlan>> {
    let rehearsal = Box::pin(Rehearsal::begin(pipeline, spec, asked)).await?;
    let (rehearsed, clock) = (rehearsal.pipeline(), pipeline.clock().as_ref());
    let location = rehearsed.lake_folder(&spec.source)?;
    let base = Box::pin(table::open(&location, None)).await.ok().flatten();
    let upkeep = match &base {
        Some(base) => Box::pin(Upkeep::of(base)).await?,
        None => None,
    };
    let base = base.as_ref().map(LakeTable::version);
    let watch = Watch::new(observer, limits, asked.most_bytes);
    let working = clock.processor_time();
    let rehearsing = rehearsed.apply(spec, &Scope::Everything, watch.limits(), &watch);
    // What is logged of it is not taken for what happens to the table, at any level.
    let report = rehearsing.instrument(error_span!("plan", table = %spec.source)).await;
    let worked = clock.processor_time().saturating_sub(working).as_secs_f64();
    if limits.stop.is_requested() {
        return Ok(None);
    }
    if report.error.is_some() && free_bytes() < LEAST_FREE {
        return Err(unwritable(io::ErrorKind::StorageFull.into()));
    }
    let mut plan = TablePlan::of(spec, base, &report, watch.pending());
    let share = asked.processors();
    plan.seconds = report.seconds.max(worked / share);
    if is_on_s3(&pipeline.settings().lake) {
        plan.seconds += SECONDS_OF_WRITES * number(plan.commits);
    }
    if watch.pending().is_stopped {
        plan.infer();
    }
    plan.dollars =
        price::of_time(plan.seconds, asked.gigabytes()) + price::of_requests(&plan.requests);
    if let Some(upkeep) = upkeep {
        plan.monthly = upkeep.monthly(asked.gigabytes());
        plan.advice = upkeep.advice(asked.gigabytes());
    }
    plan.is_for_job = pipeline.is_for_job(plan.object_bytes);
    Ok(Some(plan))
}

impl TablePlan {
    fn of(spec: &TableSpec, version: Option<u64>, report: &TableReport, pending: Pending) -> Self {
        let is_stopped = pending.is_stopped && report.pending_bytes > 0;
        let outcome = match report.status {
            // A rebuild that is not complete yet is told as an error.
            _ if is_stopped && report.error_kind == Some(ErrorKind::Deadline) => {
                PlanOutcome::Applies
            }
            Status::Failed => PlanOutcome::Fails,
            Status::Held => PlanOutcome::Held,
            Status::Ok if report.commits > 0 || report.version != version => PlanOutcome::Applies,
            Status::Ok => PlanOutcome::Nothing,
        };
        let is_bad = matches!(outcome, PlanOutcome::Fails | PlanOutcome::Held);
        let left = report.pending_bytes;
        let files = report.effort.file_counts;
        Self {
            schema: "plan/1",
            table: spec.source.to_string(),
            outcome,
            reason: report.error.clone().filter(|_| is_bad),
            remedy: report.remedy.clone().filter(|_| is_bad),
            error_kind: report.error_kind.filter(|_| is_bad),
            warnings: report.warnings.clone(),
            version,
            objects: pending.objects.max(report.pending),
            object_bytes: pending.bytes.max(left),
            object_bytes_read: pending.bytes.saturating_sub(left),
            inferred: false,
            changes: report.counts,
            commits: report.commits,
            files_searched: files.searched,
            files_rewritten: files.rewritten,
            files_masked: files.masked,
            files_added: files.added,
            bytes: report.effort.bytes,
            requests: report.effort.requests,
            peak_memory_bytes: peak_bytes(),
            seconds: 0.0,
            is_for_job: false,
            dollars: 0.0,
            monthly: Vec::new(),
            advice: None,
        }
    }

    /// Infers the whole from the part that was read.
    fn infer(&mut self) {
        let (whole, part) = (self.object_bytes, self.object_bytes_read);
        if part == 0 || part >= whole {
            return;
        }
        self.inferred = true;
        let scaled = |count: u64| {
            let count = u128::from(count) * u128::from(whole) / u128::from(part);
            u64::try_from(count).unwrap_or(u64::MAX)
        };
        self.changes = self.changes.map(scaled);
        for count in [
            &mut self.commits,
            &mut self.files_searched,
            &mut self.files_rewritten,
            &mut self.files_masked,
            &mut self.files_added,
            &mut self.bytes.read,
            &mut self.bytes.written,
            &mut self.requests.get,
            &mut self.requests.head,
            &mut self.requests.list,
            &mut self.requests.put,
            &mut self.requests.delete,
        ] {
            *count = scaled(*count);
        }
        self.seconds *= number(whole) / number(part);
    }
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn number(count: u64) -> f64 {
    count as f64
}
