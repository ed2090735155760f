//! The commits of a table, as people ask for them.

use chrono::{DateTime, Utc};
use futures::TryStreamExt as _;
use futures::stream::Stream;
use serde::Serialize;

use crate::dms::{Classified, classify};
use crate::error::Result;
use crate::inspect::writer::writer_of;
use crate::progress::{CommittedObject, Counts};
use crate::table::{self, Commit, LakeTable, OurCommit};

/// One commit of a table. None is what its writer does not say.
#[derive(Clone, Debug, Serialize)]
pub struct HistoryEntry {
    /// The name and the version of this schema: `history/1`.
    pub schema: &'static str,
    /// `schema.table`
    pub table: String,
    /// The version that it made.
    pub version: u64,
    /// When it was written, by its writer's clock.
    pub at: Option<DateTime<Utc>>,
    /// Who wrote it: `dmslake`, `Spark`, …
    pub writer: String,
    /// Its `engineInfo`.
    pub engine: Option<String>,
    /// What it did, such as `MERGE` or `OPTIMIZE`.
    pub operation: Option<String>,
    /// Whether it changed rows. Compaction does not.
    pub changes_rows: bool,
    /// Whether it took in rows of a full load.
    pub full_load: bool,
    /// Objects that it finished; none if it is not ours.
    pub objects: Option<u64>,
    /// What became of the changes that it took in; none if it is not ours.
    pub changes: Option<Counts>,
    /// Rows that were new.
    pub inserted: Option<u64>,
    /// Rows that were replaced.
    pub updated: Option<u64>,
    /// Rows that were removed.
    pub deleted: Option<u64>,
    /// Rows in the table after it; none if it is not ours.
    pub rows_after: Option<u64>,
    /// Bytes of the objects that it finished.
    pub bytes_read: Option<u64>,
    /// Bytes of the data files that it added.
    pub bytes_written: Option<u64>,
    /// Bytes of the data files that it removed.
    pub bytes_removed: Option<u64>,
    /// Data files that it searched for keys.
    pub files_searched: Option<u64>,
    /// Data files that it added.
    pub files_added: Option<u64>,
    /// Data files that it removed.
    pub files_removed: Option<u64>,
    /// Files of which it masked rows by a deletion vector.
    pub vectors: Option<u64>,
    /// How long it took.
    pub seconds: Option<f64>,
    /// The greatest commit time at the source among its changes.
    pub source_time: Option<DateTime<Utc>>,
    /// The greatest change sequence among them.
    pub change_sequence: Option<String>,
    /// The objects that it took in, where they are asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intake: Option<Vec<IntakeEntry>>,
}

/// An object, or rows of one, that a commit took in.
#[derive(Clone, Debug, Serialize)]
pub struct IntakeEntry {
    /// Its path below the table's folder.
    pub object: String,
    /// When it was staged.
    pub staged: DateTime<Utc>,
    /// Its size in bytes.
    pub bytes: u64,
    /// Rows of it that earlier commits had taken in.
    pub from: u64,
    /// Rows that this commit took in.
    pub rows: u64,
    /// Whether it ends here.
    pub done: bool,
}

/// The commits of a table from its newest version downwards, as far as the log has them.
///
/// The stream fails as [`table::history()`] does.
pub fn history(
    table: &LakeTable,
    name: &str,
    with_objects: bool,
) -> impl Stream<Item = Result<HistoryEntry>> + use<> {
    let name = name.to_owned();
    let commits = table::history(&table.delta().log_store(), table.version());
    commits.map_ok(move |commit| entry(commit, &name, with_objects))
}

fn entry(commit: Commit, table: &str, with_objects: bool) -> HistoryEntry {
    let writer = writer_of(&commit);
    let Commit { version, timestamp, engine, operation, changes_rows, metrics, ours, .. } = commit;
    let record = ours.map(|OurCommit { record, .. }| record);
    let record = record.as_ref();
    let counts = record.map(|record| record.books.counts).filter(|_| changes_rows);
    let finished =
        || record.map(|record| record.objects.iter().filter(|object| object.done).collect());
    let finished: Option<Vec<&CommittedObject>> = finished();
    let vectors = [metrics.vectors_added, metrics.vectors_updated].into_iter().flatten();
    HistoryEntry {
        schema: "history/1",
        table: table.to_owned(),
        version,
        at: timestamp,
        writer,
        engine,
        operation,
        changes_rows,
        full_load: record.is_some_and(|record| record.objects.iter().any(is_of_load)),
        objects: finished.as_ref().map(|it| it.len() as u64),
        changes: record.map(|record| record.books.counts),
        inserted: counts.map(|it| it.inserted).or(metrics.rows_inserted),
        updated: counts.map(|it| it.updated).or(metrics.rows_updated),
        deleted: counts.map(|it| it.deleted).or(metrics.rows_deleted),
        rows_after: record.map(|record| record.books.after),
        bytes_read: finished.as_ref().map(|it| it.iter().map(|object| object.size).sum()),
        bytes_written: metrics.bytes_added,
        bytes_removed: metrics.bytes_removed,
        files_searched: metrics.files_searched,
        files_added: metrics.files_added,
        files_removed: metrics.files_removed,
        vectors: vectors.reduce(|one, other| one + other),
        seconds: metrics.duration.map(|took| took.as_secs_f64()),
        source_time: record.and_then(|record| record.newest.time),
        change_sequence: record.and_then(|record| record.newest.sequence.clone()),
        intake: with_objects.then(|| intake(record.map_or(&[], |record| &record.objects))),
    }
}

/// Whether an object is one of a full load.
pub(super) fn is_of_load(object: &CommittedObject) -> bool {
    let class = classify(&object.key);
    matches!(class, Classified::Changes(name) if name.phase.is_full_load())
}

fn intake(objects: &[CommittedObject]) -> Vec<IntakeEntry> {
    let entry = |object: &CommittedObject| IntakeEntry {
        object: object.key.clone(),
        staged: DateTime::from_timestamp_millis(object.modified).unwrap_or_default(),
        bytes: object.size,
        from: object.from,
        rows: object.rows,
        done: object.done,
    };
    objects.iter().map(entry).collect()
}
