//! Where values come from: how a table stands, and the process.

use chrono::{DateTime, Utc};

use crate::clock::seconds_between;
use crate::config::Settings;
use crate::disposition::{Action, Status, disposition};
use crate::error::ErrorKind;
use crate::inspect::TableStatus;
use crate::memory::peak_bytes;
use crate::pipeline::TableReport;
use crate::progress::Lag;
use crate::storage::is_on_s3;

/// How a table stands, as a report of a run tells it or a look without one.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// How late it is.
    pub lag: Lag,
    /// Seconds since the oldest object was staged that is not applied; 0 if there is none.
    pub oldest_pending_seconds: u64,
    /// Objects not applied.
    pub pending_objects: u64,
    /// Their bytes.
    pub pending_bytes: u64,
    /// Objects below its progress.
    pub late_objects: u64,
    /// Rows that wait in quarantine.
    pub in_quarantine: u64,
    /// Whether it is held until a person acts.
    pub is_held: bool,
    /// Whether it cannot be applied or seen.
    pub has_failed: bool,
    /// Seconds since it is held; 0 if it is not.
    pub held_seconds: u64,
}

impl Standing {
    /// After a run.
    pub(super) fn of_report(report: &TableReport, now: DateTime<Utc>) -> Self {
        Self {
            lag: report.lag.clone(),
            oldest_pending_seconds: report.oldest_pending_seconds,
            pending_objects: report.pending,
            pending_bytes: report.pending_bytes,
            late_objects: report.late.len() as u64,
            in_quarantine: report.in_quarantine,
            is_held: is_held(report.status, report.error_kind),
            has_failed: report.status == Status::Failed,
            held_seconds: report.held_since.map_or(0, |since| seconds_between(since, now)),
        }
    }

    /// As a look without a run sees it.
    pub(super) fn of_status(status: &TableStatus, now: DateTime<Utc>) -> Self {
        let after = status.kind.map_or(Status::Ok, Status::after);
        let is_held = is_held(after, status.kind);
        let age =
            |since: Option<DateTime<Utc>>| since.map_or(0, |since| seconds_between(since, now));
        Self {
            lag: status.lag.clone(),
            oldest_pending_seconds: age(status.pending.oldest),
            pending_objects: status.pending.objects,
            pending_bytes: status.pending.bytes,
            late_objects: status.late.len() as u64,
            in_quarantine: status.quarantined,
            is_held,
            has_failed: after == Status::Failed,
            held_seconds: if is_held { age(status.since) } else { 0 },
        }
    }
}

/// Whether a person has to act; where the table waits, nobody has to.
fn is_held(status: Status, kind: Option<ErrorKind>) -> bool {
    let waits = kind.is_some_and(|kind| disposition(kind).action == Action::Wait);
    status == Status::Held && !waits
}

/// The process that tells metrics.
#[derive(Clone, Copy, Debug)]
pub struct Process {
    /// When the run began, by the wall clock.
    pub begun: DateTime<Utc>,
    /// The time of the values.
    pub now: DateTime<Utc>,
    /// The most memory that it had at once, since it began; none if the system does not tell.
    pub peak_memory_bytes: Option<u64>,
    /// The memory of the function that it is, in GB; none if it is none.
    pub function_gigabytes: Option<f64>,
    /// Whether requests to staging and lake are paid for.
    pub pays_for_requests: bool,
}

impl Process {
    /// This process, in a run that began then.
    #[must_use]
    pub fn this(settings: &Settings, begun: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        // Lambda sets it, in MB.
        let megabytes = std::env::var("AWS_LAMBDA_FUNCTION_MEMORY_SIZE").ok();
        let megabytes = megabytes.and_then(|megabytes| megabytes.parse::<f64>().ok());
        Self {
            begun,
            now,
            peak_memory_bytes: peak_bytes(),
            function_gigabytes: megabytes.map(|megabytes| megabytes / 1024.0),
            pays_for_requests: is_on_s3(&settings.lake),
        }
    }
}
