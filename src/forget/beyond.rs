//! What forgetting does not reach, told with what reaches it.

use arrow::datatypes::Schema;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use std::sync::Arc;

use crate::config::{OWN, TableSpec};
use crate::error::Result;
use crate::forget::erase::IDLE;
use crate::forget::report::Beyond;
use crate::forget::staged::StagedRows;
use crate::forget::subject::Subject;
use crate::forget::survey::Survey;
use crate::forget::unfinished::Unfinished;
use crate::forget::workings::Workings;
use crate::merge::KeyFinder;
use crate::pipeline::Pipeline;
use crate::storage::{Location, StoreKind};
use crate::table::LakeTable;
use crate::tombstones::Tombstones;

/// What is known where it is told.
pub(super) struct Known<'a> {
    pub(super) pipeline: &'a Pipeline,
    pub(super) spec: &'a TableSpec,
    pub(super) subject: &'a Subject<'a>,
    pub(super) table: &'a LakeTable,
    pub(super) finder: &'a KeyFinder,
    /// The last search.
    pub(super) survey: &'a Survey,
    pub(super) staged: &'a StagedRows,
    /// What jobs and rebuilds have left.
    pub(super) workings: &'a Workings,
    /// What writers have left that died.
    pub(super) unfinished: &'a Unfinished,
    /// Rows in quarantine whose key cannot be told.
    pub(super) untold: u64,
    /// Rows of the keys that stay in quarantine, because others hold the table.
    pub(super) unreached: u64,
    /// Whether rows are, or were, in the newest version.
    pub(super) had_rows: bool,
    /// Whether older versions were, or are to be, amended.
    pub(super) amends: bool,
}

impl Known<'_> {
    /// All of it, as far as it concerns this table.
    ///
    /// # Errors
    /// `Unavailable` if tombstones cannot be read.
    pub(super) async fn beyond(&self) -> Result<Vec<Beyond>> {
        let source = &self.spec.source;
        let mut all = Vec::new();
        let mut add = |what: String, remedy: String| all.push(Beyond { what, remedy });
        if self.had_rows {
            add(
                "the source: if it still has the rows, the next change or load brings them back, and \
                 until then dmslake verify finds that they are missing"
                    .to_owned(),
                format!("delete them in MySQL as well, and then dmslake verify {source}"),
            );
        }
        let staging = self.pipeline.staging_folder(source)?;
        let StagedRows { objects, pending, rows, .. } = self.staged;
        if !objects.is_empty() {
            let applied: Vec<&String> = objects.iter().filter(|it| !pending.contains(it)).collect();
            let mut remedies = Vec::new();
            if !pending.is_empty() {
                remedies.push(format!(
                    "for {} not applied yet: dmslake apply --table {source} first (dmslake status \
                     {source} says what holds it), and then forget again",
                    some(pending.len() as u64, "object")
                ));
            }
            if !applied.is_empty() {
                remedies.push(delete_objects(&staging, &applied));
            }
            add(
                format!(
                    "{} with {} of the keys: rebuild, replay and a release from quarantine read them, \
                     and lack them once they are deleted",
                    some(objects.len() as u64, "staged object"),
                    some(*rows, "change")
                ),
                remedies.join("; "),
            );
        }
        if !self.staged.unread.is_empty() {
            let objects = self.staged.unread.join(", ");
            add(
                format!(
                    "{} with rows that cannot be read",
                    some(self.staged.unread.len() as u64, "staged object")
                ),
                format!("look into {objects}, and delete what holds the keys"),
            );
        }
        if self.unreached > 0 {
            add(
                format!(
                    "{} in quarantine, because others hold the table",
                    some(self.unreached, "row")
                ),
                format!("do what dmslake status {source} says, and forget again"),
            );
        }
        if self.untold > 0 {
            add(
                format!("{} in quarantine whose key cannot be told", some(self.untold, "row")),
                format!(
                    "dmslake quarantine show {source}, and dmslake quarantine discard those that are \
                     of the keys"
                ),
            );
        }
        let young = self.survey.leftovers.iter().filter(|left| !left.was_removed);
        let cutoff = self.subject.clock.now() - IDLE;
        let young: Vec<_> = young.filter(|left| left.meta.last_modified >= cutoff).collect();
        if let Some(last) = young.iter().map(|left| left.meta.last_modified).max() {
            add(
                format!(
                    "{} that no version names and a writer may be about to: younger than a day",
                    some(young.len() as u64, "file")
                ),
                again_after(last),
            );
        }
        if let Some(last) = self.workings.young.iter().map(|left| left.last_modified).max() {
            add(
                format!(
                    "{} that a job or a rebuild has left within a day",
                    some(self.workings.young.len() as u64, "object")
                ),
                again_after(last),
            );
        }
        if let Some(last) = self.unfinished.young.iter().max() {
            let files = some(self.unfinished.young.len() as u64, "file");
            add(
                format!("{files} that a writer has not finished: younger than a day"),
                again_after(*last),
            );
        }
        let noted = self.survey.log.noted;
        if noted > 0 {
            add(
                format!(
                    "{} of other writers with a note of their own (userMetadata), which stays",
                    some(noted, "commit")
                ),
                format!(
                    "dmslake history {source} names them; a note goes with its commit, once \
                     delta.logRetentionDuration has passed"
                ),
            );
        }
        if !self.survey.unreadable.is_empty() {
            add(
                format!(
                    "{} that no version names and that cannot be read: {}",
                    some(self.survey.unreadable.len() as u64, "file"),
                    self.survey.unreadable.join(", ")
                ),
                "delete them, unless a writer is at work on them".to_owned(),
            );
        }
        if self.survey.elsewhere > 0 {
            add(
                format!("{} outside of the table's folder", some(self.survey.elsewhere, "file")),
                "forget the keys in the table that they were cloned from".to_owned(),
            );
        }
        let tombstones = self.tombstones().await?;
        if tombstones > 0 {
            add(
                format!(
                    "{}, which is the key alone: it keeps late changes from bringing the row back",
                    some(tombstones, "tombstone")
                ),
                format!(
                    "wait: they expire after {} days (tombstone_retention_days)",
                    self.spec.tombstone_retention_days
                ),
            );
        }
        if self.subject.location.kind() == StoreKind::S3 {
            self.of_s3(&staging, &mut all)?;
        }
        all.push(Beyond {
            what:
                "copies: what queries, exports and backups hold, results of Athena and Spark, and \
                   replicas of the buckets"
                    .to_owned(),
            remedy: "delete or expire them where they are".to_owned(),
        });
        Ok(all)
    }

    fn of_s3(&self, staging: &Location, all: &mut Vec<Beyond>) -> Result<()> {
        let quarantine = self.pipeline.quarantine_folder(&self.spec.source)?;
        // Tombstones, states, and what jobs have left.
        let own = self.pipeline.lake().folder(&[OWN])?;
        for folder in [self.subject.location, &quarantine, &own, staging] {
            let (uri, prefix) = (folder.uri(), folder.prefix());
            let Some(bucket) = folder.bucket() else { continue };
            all.push(Beyond {
                what: format!("noncurrent versions of objects in {uri}, if the bucket keeps them"),
                remedy: format!(
                    "aws s3api list-object-versions --bucket {bucket} --prefix '{prefix}/' shows them; \
                     aws s3api delete-objects deletes them, and so does a lifecycle rule with \
                     NoncurrentVersionExpiration"
                ),
            });
        }
        if self.amends {
            all.push(Beyond {
                what:
                    "the times of amended versions in S3: readers that take the time of a version \
                       from its log file (Spark, Trino) find another version by TIMESTAMP AS OF"
                        .to_owned(),
                remedy:
                    "use VERSION AS OF there, or dmslake show --at and dmslake query, which go by \
                         the time in the commit"
                        .to_owned(),
            });
        }
        Ok(())
    }

    /// How many tombstones the table has of the keys.
    async fn tombstones(&self) -> Result<u64> {
        let Some(mut guard) = self.table.ledger().guard.clone() else { return Ok(0) };
        let folder = self.pipeline.tombstones_folder(&self.spec.source)?;
        let days = TimeDelta::days(self.spec.tombstone_retention_days.into());
        let keys = self.subject.keys.schema();
        let mut count = 0;
        let tombstones = Tombstones::new(folder, days);
        let schema = Arc::new(Schema::clone(&keys));
        let each = |batch: &arrow::array::RecordBatch| {
            let columns = &batch.columns()[..batch.num_columns() - 1];
            self.finder.probe(columns, |_| count += 1)
        };
        Box::pin(tombstones.since("", &mut guard, &schema, each)).await?;
        Ok(count)
    }
}

/// `1 file`, `3 files`.
fn some(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// What to do once an object of that time is old.
fn again_after(last: DateTime<Utc>) -> String {
    let after = last + IDLE + TimeDelta::seconds(1);
    format!("forget again after {}", after.to_rfc3339_opts(SecondsFormat::Secs, true))
}

/// The commands that delete staged objects.
fn delete_objects(staging: &Location, objects: &[&String]) -> String {
    let command = match staging.kind() {
        StoreKind::S3 => "aws s3 rm",
        StoreKind::File => "rm",
    };
    let commands: Vec<String> = objects
        .iter()
        .map(|object| format!("{command} '{}'", object.replace('\'', "'\\''")))
        .collect();
    commands.join("; ")
}
