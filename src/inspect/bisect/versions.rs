//! The search among the versions of a table.

use deltalake::kernel::Version;

use crate::config::TableSpec;
use crate::error::{ErrorKind, Result};
use crate::inspect::bisect::check::{Check, Columns};
use crate::inspect::bisect::{Evaluated, Watcher};
use crate::inspect::replay::newest_of;
use crate::pipeline::{Limits, Pipeline};
use crate::storage::Location;
use crate::table::{self, Commit, LakeTable};

/// The versions of a table, and the check of them.
pub(super) struct Timeline<'a> {
    pub(super) pipeline: Pipeline,
    pub(super) spec: &'a TableSpec,
    pub(super) check: &'a Check,
    pub(super) limits: &'a Limits,
    pub(super) watcher: Watcher<'a>,
    pub(super) newest: LakeTable,
    /// The oldest version that can be read, once it is known.
    pub(super) oldest: Option<Version>,
    /// Where another table was replayed from, if this is a replay.
    pub(super) original: Option<Location>,
    /// Evaluations of the check so far; the first one is at the newest version.
    pub(super) checks: u64,
    pub(super) location: Location,
}

/// What the versions show.
pub(super) enum Found {
    /// The check holds at a version, and fails after the commit that follows.
    Between { good: Version, commit: Box<Commit> },
    /// It holds at the newest version.
    Holds,
    /// It fails at the oldest version that can be read.
    FailsAlready { oldest: Version },
    /// It cannot be told, for this reason.
    Nothing(String),
}

impl<'a> Timeline<'a> {
    /// The versions of a table that exists.
    ///
    /// # Errors
    /// `TableRefused` if there is none; as [`table::open`].
    pub(super) async fn open(
        pipeline: &Pipeline,
        spec: &'a TableSpec,
        check: &'a Check,
        limits: &'a Limits,
        watcher: Watcher<'a>,
    ) -> Result<Self> {
        let location = pipeline.lake_folder(&spec.source)?;
        let newest = newest_of(&location, spec).await?;
        let (pipeline, oldest) = (pipeline.clone(), None);
        let (original, checks) = (None, 0);
        Ok(Self {
            pipeline,
            spec,
            check,
            limits,
            watcher,
            newest,
            oldest,
            original,
            checks,
            location,
        })
    }

    /// Whether these are not the versions of the table itself.
    pub(super) fn is_replay(&self) -> bool {
        self.original.is_some()
    }

    /// The table as it was at a version.
    pub(super) async fn at(&self, version: Version) -> Result<LakeTable> {
        if version == self.newest.version() {
            return Ok(self.newest.clone());
        }
        table::open_at(&self.location, version).await
    }

    /// Whether the check fails for a table.
    pub(super) async fn fails(&mut self, table: &LakeTable, at: &str) -> Result<bool> {
        // What the newest version has need not be there before.
        let columns = if self.checks == 0 { Columns::Needed } else { Columns::MayLack };
        let fails = self.check.fails(self.spec, table, columns).await?;
        self.checks += 1;
        tracing::info!(table = %self.spec.source, fails, "the check was evaluated at {at}");
        (self.watcher)(Evaluated { checks: self.checks, at, fails });
        Ok(fails)
    }

    async fn fails_at(&mut self, version: Version) -> Result<bool> {
        let table = self.at(version).await?;
        self.fails(&table, &format!("version {version}")).await
    }

    /// Whether all of a version is still there. A version without files tells nothing of those
    /// behind it: then the next one decides.
    async fn is_readable(&self, version: Version) -> Result<bool> {
        for version in version..=self.newest.version() {
            let older = match self.at(version).await {
                Ok(older) => older,
                Err(error) if error.kind() == ErrorKind::TableCorrupt => return Ok(false),
                Err(error) => return Err(error),
            };
            if !older.file_paths()?.is_empty() {
                return Ok(table::deleted_files(&self.newest, &older).await?.is_empty());
            }
        }
        Ok(true)
    }

    /// The oldest version from which on all can be read, as far as halving tells.
    async fn find_oldest(&self) -> Result<Version> {
        let (mut unreadable, mut readable) = (None, self.newest.version());
        if readable == 0 || self.is_readable(0).await? {
            return Ok(0);
        }
        while readable - unreadable.unwrap_or(0) > 1 {
            let middle = u64::midpoint(unreadable.unwrap_or(0), readable);
            if self.is_readable(middle).await? {
                readable = middle;
            } else {
                unreadable = Some(middle);
            }
        }
        Ok(readable)
    }

    /// Why the search ends here, if somebody asked it to.
    pub(super) fn is_stopped(&self) -> bool {
        self.limits.stop.is_requested()
    }
}

/// Searches for two versions, one after the other, of which the check holds at the first alone.
pub(super) async fn search(timeline: &mut Timeline<'_>) -> Result<Found> {
    let newest = timeline.newest.version();
    if !timeline.fails_at(newest).await? {
        return Ok(Found::Holds);
    }
    let oldest = timeline.find_oldest().await?;
    timeline.oldest = Some(oldest);
    if oldest == newest || timeline.fails_at(oldest).await? {
        return Ok(Found::FailsAlready { oldest });
    }
    let (mut good, mut bad) = (oldest, newest);
    while bad - good > 1 {
        if timeline.is_stopped() {
            return Ok(Found::Nothing(format!(
                "it was stopped; the change is behind version {good}, and not behind {bad}"
            )));
        }
        let middle = u64::midpoint(good, bad);
        if timeline.fails_at(middle).await? {
            bad = middle;
        } else {
            good = middle;
        }
    }
    let log_store = timeline.newest.delta().log_store();
    Ok(match table::commit(&log_store, bad).await? {
        Some(commit) => Found::Between { good, commit: Box::new(commit) },
        None => Found::Nothing(format!(
            "the check fails from version {bad} on, whose commit the log no longer holds"
        )),
    })
}
