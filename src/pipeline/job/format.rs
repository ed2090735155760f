//! What the driver of a job and its tasks tell each other: JSON, one line a task, one line a result.
//!
//! Driver and tasks are one program. A task refuses what another version of it has written.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use deltalake::kernel::{Add, Version};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::config::TableSpec;
use crate::dms::S3Settings;
use crate::error::{Error, ErrorKind, Result, ToldError};
use crate::maintenance::RewritePart;
use crate::merge::Metrics;
use crate::pipeline::Pipeline;
use crate::pipeline::job::scratch::Segment;
use crate::pipeline::job::workers::Job;
use crate::schema::{Column, ColumnChange};
use crate::staging::Identity;
use crate::table::LakeTable;

/// The format of tasks and results.
pub(crate) const FORMAT: u32 = 1;

/// One task, as a line of JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TaskLine {
    /// [`FORMAT`].
    pub(crate) format: u32,
    /// What it shares with the other tasks of its round.
    pub(crate) round: RoundSpec,
    /// What is to be done.
    pub(crate) task: Task,
}

impl TaskLine {
    /// Parses a line.
    ///
    /// # Errors
    /// `Config` if another version of the program wrote it.
    pub(crate) fn parse(line: &str) -> Result<Self> {
        let refused = || {
            Error::new(ErrorKind::Config, "a task of a job cannot be read")
                .with_remedy("run driver and tasks of a job with the same dmslake")
        };
        let parsed: Self = serde_json::from_str(line).map_err(|error| refused().because(error))?;
        if parsed.format == FORMAT { Ok(parsed) } else { Err(refused()) }
    }
}

/// What all tasks of one round share: what one commit takes in, and into which table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RoundSpec {
    /// URI of the DMS bucket folder.
    pub(crate) staging: String,
    /// URI of the folder with the tables.
    pub(crate) lake: String,
    /// The endpoint's settings.
    pub(crate) dms: S3Settings,
    /// The table's settings.
    pub(crate) table: TableSpec,
    /// Bytes of decoded rows that a task may hold; none: a share of its machine's memory.
    pub(crate) memory_budget: Option<u64>,
    /// The folder of what tasks leave for later ones.
    pub(crate) scratch: Uuid,
    /// The table's columns.
    pub(crate) columns: Vec<Column>,
    /// How the columns will have changed when the objects are applied.
    pub(crate) changes: Vec<ColumnChange>,
    /// The version of the table that the round is planned for.
    pub(crate) version: Version,
    /// Where the table is to take another's place: its log beside that.
    pub(crate) shadow: Option<Uuid>,
}

impl RoundSpec {
    /// Of a table as it is, in its place.
    pub(super) fn of(
        pipeline: &Pipeline,
        spec: &TableSpec,
        job: &Job<'_>,
        table: &LakeTable,
        scratch: Uuid,
    ) -> Self {
        Self {
            staging: pipeline.staging().address(),
            lake: pipeline.lake().address(),
            dms: pipeline.settings().dms.clone(),
            table: spec.clone(),
            memory_budget: job.task_memory,
            scratch,
            columns: table.schema().columns().to_vec(),
            changes: Vec::new(),
            version: table.version(),
            shadow: None,
        }
    }
}

/// What one task does.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "kebab-case")]
pub(crate) enum Task {
    /// Objects become data files.
    Load(Chunk),
    /// Objects become net changes in key order.
    Net(Chunk),
    /// Net changes of one key range, from all chunks, become one.
    Reduce(ReduceTask),
    /// Data files are replaced or masked where their rows change.
    Files(FilesTask),
    /// New rows become data files.
    Insert(InsertTask),
    /// Data files are written again, without any row's change.
    Rewrite(RewritePart),
}

/// Consecutive objects.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Chunk {
    pub(crate) objects: Vec<ObjectSpec>,
    /// Rows of the first one that are applied already.
    pub(crate) skip_rows: u64,
}

/// A staged object as it was listed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ObjectSpec {
    /// Its path in the store.
    pub(crate) path: String,
    /// Its path below the table's folder.
    pub(crate) object: String,
    pub(crate) size: u64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) e_tag: Option<String>,
    /// When it was stored, in nanoseconds since the epoch.
    pub(crate) modified: i64,
}

/// Net changes of several slices within one key range.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ReduceTask {
    /// Keys from here on, as comparable bytes; none: from the least.
    pub(crate) from: Option<KeyBytes>,
    /// Keys below this; none: to the greatest.
    pub(crate) below: Option<KeyBytes>,
    /// Where they are, in the order of the slices.
    pub(crate) runs: Vec<RunPart>,
    /// Whether they are of a full load, which holds no key in two rows that differ.
    pub(crate) is_load: bool,
}

/// Consecutive blocks of one run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RunPart {
    pub(crate) object: String,
    pub(crate) blocks: Vec<Segment>,
}

/// Some data files, and the key ranges that meet them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FilesTask {
    /// Their paths in the log.
    pub(crate) files: Vec<String>,
    pub(crate) ranges: Vec<RangeChanges>,
}

/// The net changes of one key range: each key once, in key order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RangeChanges {
    /// Its number.
    pub(crate) range: u32,
    /// Where they are.
    pub(crate) object: String,
    /// The keys of upserts, then those of deletes.
    pub(crate) keys: Segment,
    /// Deletes with their sequences, if there are any.
    pub(crate) deletes: Option<Segment>,
    /// Where the blocks with the images of upserts are listed.
    pub(crate) index: Segment,
    /// Bytes of the images, as they are stored.
    pub(crate) image_bytes: u64,
    pub(crate) upserted: u64,
    pub(crate) removed: u64,
    /// The least and the greatest key; none of a range without changes.
    pub(crate) bounds: Option<(KeyBytes, KeyBytes)>,
}

/// The new rows of some key ranges.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct InsertTask {
    pub(crate) ranges: Vec<InsertRange>,
}

/// The changes of a key range and what has been done with them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct InsertRange {
    pub(crate) changes: RangeChanges,
    pub(crate) marks: Vec<Marks>,
}

/// Which changes of one key range met a row in some data files. Changes are counted from 0: upserts,
/// then deletes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Marks {
    pub(crate) range: u32,
    pub(crate) object: String,
    /// The bitmap of those that found their row.
    pub(crate) found: Segment,
    /// The bitmap of upserts among them whose images are in its place.
    pub(crate) placed: Segment,
    pub(crate) updated: u64,
    pub(crate) deleted: u64,
    pub(crate) placed_count: u64,
}

/// A key as bytes that compare as keys do, in Base64.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct KeyBytes(
    #[serde(with = "crate::pipeline::job::base64_bytes")] pub(crate) Vec<u8>,
);

/// What came of one task, as a line of JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ResultLine {
    /// It is done.
    Done(Box<Outcome>),
    /// It has failed.
    Failed(ToldError),
}

/// What came of one task.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "kebab-case")]
pub(crate) enum Outcome {
    Load(ChunkOutcome),
    Net(ChunkOutcome),
    Reduce(ReduceOutcome),
    Files(FilesOutcome),
    Insert(InsertOutcome),
    Rewrite(RewriteOutcome),
}

/// What came of a chunk: slices in order, as far as it could be read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ChunkOutcome {
    pub(crate) slices: Vec<SliceOutcome>,
    /// Columns of the table that objects lack.
    pub(crate) gone: BTreeSet<String>,
    pub(crate) end: ChunkEnd,
}

/// Where reading a chunk ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ChunkEnd {
    /// At its end.
    Complete,
    /// Before an object that brings columns: the table's with them.
    Columns(Vec<Column>),
    /// Before an object for which the table's columns must change first.
    Reshape(Vec<ColumnChange>),
    /// Before changes that only the driver can apply: they keep values of rows, and so depend on
    /// what is applied before them.
    KeepsValues,
    /// With an error.
    Failed(ToldError),
}

/// What came of a slice.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SliceOutcome {
    pub(crate) portions: Vec<PortionOutcome>,
    /// Changes, where a key change counts as two.
    pub(crate) changes: u64,
    /// Changes that a later one of the slice supersedes.
    pub(crate) superseded: u64,
    /// Their change sequences, if each has one.
    pub(crate) span: Option<Span>,
    pub(crate) rows: SliceRows,
}

/// Where the rows of a slice went.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SliceRows {
    /// Into a scratch object, in key order.
    Run(Run),
    /// Into data files: those of their chunk, named with its last slice.
    Files(Loaded),
}

/// Net changes in key order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) object: String,
    pub(crate) blocks: Vec<Block>,
}

/// Consecutive changes of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Block {
    /// The key of the first of them.
    pub(crate) first: KeyBytes,
    pub(crate) segment: Segment,
    /// Bytes of the decoded rows.
    pub(crate) decoded: u64,
}

/// Rows that are in data files.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Loaded {
    pub(crate) files: Vec<Add>,
    /// The least and the greatest key of the slice; none without keys or rows.
    pub(crate) bounds: Option<(KeyBytes, KeyBytes)>,
}

/// The change sequences of a slice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Span {
    pub(crate) first: String,
    pub(crate) last: String,
    /// Whether none is below one before it.
    pub(crate) ascends: bool,
}

/// What was read of an object.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PortionOutcome {
    /// Its number in the chunk.
    pub(crate) object: usize,
    pub(crate) identity: Identity,
    pub(crate) from: u64,
    pub(crate) rows: u64,
    pub(crate) is_done: bool,
    /// First and last change sequence, as far as they tell of its order.
    pub(crate) sequence: Option<(String, String)>,
    /// The newest commit time at the source among its changes.
    pub(crate) source_time: Option<DateTime<Utc>>,
    /// Where its bad rows are, if it has any.
    pub(crate) bad_rows: Option<(String, Segment)>,
}

/// The net changes of a key range.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ReduceOutcome {
    pub(crate) changes: RangeChanges,
    /// Changes that one of a later slice supersedes.
    pub(crate) superseded: u64,
}

/// What became of data files.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FilesOutcome {
    pub(crate) replaced: Vec<ReplacedFile>,
    pub(crate) marks: Vec<Marks>,
    pub(crate) metrics: Metrics,
}

/// A data file and what takes its place.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ReplacedFile {
    /// Its path in the log.
    pub(crate) path: String,
    /// None if no row is left.
    pub(crate) after: Option<Add>,
}

/// New data files.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct InsertOutcome {
    pub(crate) files: Vec<Add>,
    pub(crate) rows: u64,
}

/// What takes the place of data files.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RewriteOutcome {
    pub(crate) files: Vec<Add>,
}
