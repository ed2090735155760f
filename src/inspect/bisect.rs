//! Finds the change after which a check of a table fails: the version, the object that it took in,
//! and the row of that.
//!
//! Versions are read by time travel. Within one, the objects that it took in are applied again, row
//! by row as far as the search needs, to a table that goes on from the version before. Where older
//! versions can no longer be read, what is staged is replayed first, and its versions are searched.
//! The table and what is staged are only read.

mod check;
mod narrow;
mod place;
mod row;
mod versions;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

pub use check::Check;

use crate::config::TableSpec;
use crate::error::{Error, ErrorKind, Result};
use crate::inspect::bisect::narrow::{Narrowed, narrow};
use crate::inspect::bisect::place::place_of;
use crate::inspect::bisect::versions::{Found, Timeline, search};
use crate::inspect::replay::{Extent, Until};
use crate::inspect::scratch::Scratch;
use crate::inspect::writer::writer_of;
use crate::pipeline::{Limits, Pipeline, Silent};
use crate::storage::Location;
use crate::table::Commit;

/// What came of a search.
#[derive(Clone, Debug, Serialize)]
pub struct Bisected {
    /// The name and the version of this schema: `bisect/1`.
    pub schema: &'static str,
    /// `schema.table`
    pub table: String,
    /// Whether a change was found after which the check fails.
    pub found: bool,
    /// Why not, or why it was not followed down to a row.
    pub reason: Option<String>,
    /// How often the check was evaluated.
    pub checks: u64,
    /// The oldest version that can be read, where that was looked for.
    pub oldest: Option<u64>,
    /// The newest version, at which the check fails if it fails at all.
    pub newest: u64,
    /// Whether what is staged was replayed, because older versions can no longer be read.
    pub replayed: bool,
    /// The commit after which it fails; none where the log no longer has the one of this object.
    pub commit: Option<CulpritCommit>,
    /// The object; none where the commit took in none, or where it was not found.
    pub object: Option<String>,
    /// Its row.
    pub row: Option<CulpritRow>,
    /// Commands that show more.
    pub next: Vec<String>,
}

/// The commit after which a check fails.
#[derive(Clone, Debug, Serialize)]
pub struct CulpritCommit {
    /// The version that it made; the check holds at the version before.
    pub version: u64,
    /// When it was written, by its writer's clock.
    pub at: Option<DateTime<Utc>>,
    /// Who wrote it: `dmslake`, `Spark`, …
    pub writer: String,
    /// Its `engineInfo`.
    pub engine: Option<String>,
    /// What it did, such as `MERGE` or `UPDATE`.
    pub operation: Option<String>,
    /// Whether it changed rows.
    pub changes_rows: bool,
    /// The objects that it took in, whole or in part.
    pub objects: Vec<String>,
}

/// The row of an object after which a check fails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CulpritRow {
    /// Its number in the object, from 1 on.
    pub number: u64,
    /// `insert`, `update` or `delete`.
    pub operation: &'static str,
    /// The values of the key columns, by their names in the lake.
    pub key: BTreeMap<String, String>,
    /// Its change sequence, where the source gives one.
    pub change_sequence: Option<String>,
    /// When it was committed at the source, where that is known.
    pub source_time: Option<DateTime<Utc>>,
}

/// One evaluation of a check, as it happens.
#[derive(Clone, Copy, Debug)]
pub struct Evaluated<'a> {
    /// How many there were, this one included.
    pub checks: u64,
    /// What it was evaluated at, such as `version 7`.
    pub at: &'a str,
    /// Whether it fails there.
    pub fails: bool,
}

/// Somebody who watches a search.
pub type Watcher<'a> = &'a (dyn Fn(Evaluated<'_>) + Send + Sync);

/// Searches for the change of a table after which a check fails.
///
/// That there is none, or that it cannot be found, is part of the result.
///
/// # Errors
/// `Config` if the check cannot be evaluated; what keeps the table from being read.
pub async fn bisect(
    pipeline: &Pipeline,
    spec: &TableSpec,
    check: &Check,
    limits: &Limits,
    watcher: Watcher<'_>,
) -> Result<Bisected> {
    let mut timeline = Box::pin(Timeline::open(pipeline, spec, check, limits, watcher)).await?;
    let mut bisected = Bisected::of(&timeline);
    let scratch = Scratch::create(pipeline.clock().as_ref())?;
    let mut found = search(&mut timeline).await?;
    bisected.oldest = timeline.oldest;
    if let Found::FailsAlready { oldest } = &found {
        let oldest = *oldest;
        match Box::pin(replayed(&timeline, oldest, &scratch)).await? {
            Ok(replayed) => {
                bisected.replayed = true;
                let checks = timeline.checks;
                timeline = Timeline { checks, ..replayed };
                found = search(&mut timeline).await?;
                if let Found::Holds = &found {
                    found = Found::Nothing(format!(
                        "the check fails at version {oldest}, before which none can be read, and \
                         holds after a replay of what that took in: another writer or an operator \
                         has changed rows before"
                    ));
                }
            }
            Err(why) => found = Found::Nothing(why),
        }
    }
    match found {
        Found::Between { good, commit } => {
            bisected.found = true;
            Box::pin(bisected.take(&mut timeline, good, *commit, &scratch)).await?;
        }
        Found::Holds => {
            bisected.reason = Some("the check holds at the newest version".to_owned());
        }
        Found::FailsAlready { oldest } => {
            bisected.reason = Some(format!(
                "the check fails at version {oldest} already, before which there is none"
            ));
        }
        Found::Nothing(why) => bisected.reason = Some(why),
    }
    bisected.checks = timeline.checks;
    bisected.next = bisected.commands();
    Ok(bisected)
}

/// The versions of a replay of what a version of the table and those before it took in, or why
/// there are none.
async fn replayed<'a>(
    timeline: &Timeline<'a>,
    version: u64,
    scratch: &Scratch,
) -> Result<Result<Timeline<'a>, String>> {
    let fails = format!("the check fails at version {version} already");
    if version == 0 {
        return Ok(Err(format!("{fails}, the first one")));
    }
    let (pipeline, spec) = (&timeline.pipeline, timeline.spec);
    let extent = Extent::until(pipeline, spec, &Until::Version(version)).await?;
    if !extent.missing.is_empty() {
        return Ok(Err(format!(
            "{fails}, before which none can be read, and what that took in is no longer staged: {}",
            extent.missing.join("; ")
        )));
    }
    let lake = Location::open(&scratch.folder("replay")).await?;
    let again = extent.pipeline(pipeline, spec, lake);
    let Some(spec_again) = again.settings().tables.first() else {
        return Err(Error::new(ErrorKind::Internal, "a replay is about no table"));
    };
    let report =
        again.apply_first_rows(spec_again, &extent.first_rows, timeline.limits, &Silent).await;
    if let Some(error) = report.error {
        return Ok(Err(format!("{fails}, and its objects cannot be replayed: {error}")));
    }
    if timeline.is_stopped() {
        return Ok(Err("it was stopped".to_owned()));
    }
    let (check, limits, watcher) = (timeline.check, timeline.limits, timeline.watcher);
    let mut replayed = Timeline::open(&again, spec, check, limits, watcher).await?;
    replayed.original = Some(pipeline.lake_folder(&spec.source)?);
    Ok(Ok(replayed))
}

impl Bisected {
    fn of(timeline: &Timeline<'_>) -> Self {
        Self {
            schema: "bisect/1",
            table: timeline.spec.source.to_string(),
            found: false,
            reason: None,
            checks: 0,
            oldest: None,
            newest: timeline.newest.version(),
            replayed: false,
            commit: None,
            object: None,
            row: None,
            next: Vec::new(),
        }
    }

    /// Takes in a commit, and what of the objects that it took in makes the check fail.
    async fn take(
        &mut self,
        timeline: &mut Timeline<'_>,
        good: u64,
        commit: Commit,
        scratch: &Scratch,
    ) -> Result<()> {
        let taken_in = commit.ours.as_ref().map(|ours| ours.record.objects.clone());
        if !timeline.is_replay() {
            self.commit = Some(CulpritCommit::of(&commit));
        }
        let Some(objects) = taken_in.filter(|objects| !objects.is_empty()) else {
            if timeline.is_replay() {
                self.reason = Some("a commit of the replay that took in no object".to_owned());
            }
            return Ok(());
        };
        match narrow(timeline, good, &objects, scratch).await? {
            Narrowed::Row { object, row } => {
                if timeline.is_replay() {
                    self.commit = place_of(timeline, &object, row.number).await?;
                }
                (self.object, self.row) = (Some(object), Some(row));
            }
            Narrowed::Object { object, why } => {
                (self.object, self.reason) = (Some(object), Some(why));
            }
            Narrowed::Not(why) => self.reason = Some(why),
        }
        Ok(())
    }

    /// The commands that show more of what was found.
    fn commands(&self) -> Vec<String> {
        let mut next = Vec::new();
        if !self.found {
            return next;
        }
        if let Some(row) = &self.row {
            let key = match row.key.iter().collect::<Vec<_>>()[..] {
                [] => None,
                [(_, value)] => Some(value.clone()),
                ref several => {
                    let pairs = several.iter().map(|(name, value)| format!("{name}={value}"));
                    Some(pairs.collect::<Vec<_>>().join(","))
                }
            };
            next.extend(key.map(|key| format!("dmslake why {} {}", self.table, quoted(&key))));
        }
        next.push(format!("dmslake history {} --objects", self.table));
        if let Some(object) = &self.object {
            let rows = self.row.as_ref().map(|row| format!(" --rows {}", row.number - 1));
            next.push(format!(
                "dmslake replay {} --into DIR --until {}{}",
                self.table,
                quoted(object),
                rows.unwrap_or_default()
            ));
        }
        next
    }
}

impl CulpritCommit {
    fn of(commit: &Commit) -> Self {
        let objects = commit.ours.iter().flat_map(|ours| &ours.record.objects);
        Self {
            version: commit.version,
            at: commit.timestamp,
            writer: writer_of(commit),
            engine: commit.engine.clone(),
            operation: commit.operation.clone(),
            changes_rows: commit.changes_rows,
            objects: objects.map(|object| object.key.clone()).collect(),
        }
    }
}

/// A text as a shell takes it for one word.
fn quoted(text: &str) -> String {
    let is_plain = |sign: char| sign.is_ascii_alphanumeric() || "-_./:=,".contains(sign);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}
