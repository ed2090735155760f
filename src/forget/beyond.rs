//! What forgetting does not reach, told with what reaches it.

use arrow::datatypes::Schema;
use chrono::{SecondsFormat, TimeDelta};
use std::sync::Arc;

use crate::config::TableSpec;
use crate::error::Result;
use crate::forget::erase::IDLE;
use crate::forget::report::Beyond;
use crate::forget::staged::StagedRows;
use crate::forget::subject::Subject;
use crate::forget::survey::Survey;
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
    /// Rows in quarantine whose key cannot be told.
    pub(super) untold: u64,
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
        let staging = self.pipeline.staging_folder(&source)?;
        if !self.staged.objects.is_empty() {
            let count = self.staged.objects.len();
            add(
                format!(
                    "{count} staged objects with {} changes of the keys: rebuild, replay and a \
                     release from quarantine read them",
                    self.staged.rows
                ),
                delete_objects(&staging, &self.staged.objects),
            );
        }
        if !self.staged.unread.is_empty() {
            let objects = self.staged.unread.join(", ");
            add(
                format!(
                    "{} staged objects with rows that cannot be read",
                    self.staged.unread.len()
                ),
                format!("look into {objects}, and delete what holds the keys"),
            );
        }
        if self.untold > 0 {
            add(
                format!("{} rows in quarantine whose keys cannot be told", self.untold),
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
            let after =
                (last + IDLE + TimeDelta::seconds(1)).to_rfc3339_opts(SecondsFormat::Secs, true);
            add(
                format!(
                    "{} files that no version names and a writer may be about to: they are younger \
                     than a day",
                    young.len()
                ),
                format!("forget again after {after}"),
            );
        }
        if !self.survey.unreadable.is_empty() {
            add(
                format!(
                    "{} files that no version names and that cannot be read: {}",
                    self.survey.unreadable.len(),
                    self.survey.unreadable.join(", ")
                ),
                "delete them, unless a writer is at work on them".to_owned(),
            );
        }
        if self.survey.elsewhere > 0 {
            add(
                format!("{} files outside of the table's folder", self.survey.elsewhere),
                "forget the keys in the table that they were cloned from".to_owned(),
            );
        }
        let tombstones = self.tombstones().await?;
        if tombstones > 0 {
            add(
                format!(
                    "{tombstones} tombstones, which are the keys alone: they keep late changes from \
                     bringing the rows back"
                ),
                format!(
                    "wait: they expire after {} days (tombstone_retention_days)",
                    self.spec.tombstone_retention_days
                ),
            );
        }
        if self.subject.location.kind() == StoreKind::S3 {
            self.of_s3(&staging, &mut all);
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

    fn of_s3(&self, staging: &Location, all: &mut Vec<Beyond>) {
        for folder in [self.subject.location, staging] {
            let uri = folder.uri();
            let (bucket, prefix) = uri
                .strip_prefix("s3://")
                .and_then(|rest| rest.split_once('/'))
                .unwrap_or((&uri, ""));
            all.push(Beyond {
                what: format!("noncurrent versions of objects in {uri}, if the bucket keeps them"),
                remedy: format!(
                    "aws s3api list-object-versions --bucket {bucket} --prefix {prefix}/ shows them; \
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

/// The commands that delete staged objects.
fn delete_objects(staging: &Location, objects: &[String]) -> String {
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
