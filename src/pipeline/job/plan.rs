//! What one commit of a job takes in, and how its objects and data files are divided among tasks.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::num::NonZeroUsize;

use deltalake::kernel::{DeletionVectorDescriptor, LogicalFileView};
use serde::Serialize;

use crate::config::TableSpec;
use crate::dms::Phase;
use crate::error::Result;
use crate::merge::{KeyInterval, key_intervals};
use crate::packed::packed;
use crate::pipeline::comparison::reading_takes;
use crate::pipeline::job::chunk::object_spec;
use crate::pipeline::job::format::{Chunk, RangeChanges};
use crate::pipeline::job::workers::JobSizes;
use crate::pipeline::{Pipeline, Scope, Standing};
use crate::progress::Partial;
use crate::staging::StagedObject;
use crate::table::LakeTable;

/// Bytes that the list of objects may take in one commit's record. There is one such commit for
/// thousands of objects, so that it may be larger than those of slices.
const LIST_BYTES: usize = 256 << 10;

/// Bytes that an object takes there beside its name: identity, size, time and rows.
const LISTED: usize = 64;

/// What bounds a round.
pub(super) struct RoundBounds<'a> {
    pub(super) sizes: &'a JobSizes,
    /// Objects that an operator lets pass although they exceed a limit; slices apply them.
    pub(super) let_pass: &'a BTreeSet<String>,
    /// Whether what changes do within an hour is limited.
    pub(super) by_hours: bool,
}

impl RoundBounds<'_> {
    /// How many of the objects one commit takes in, from the first one on.
    pub(super) fn round_of(&self, objects: &[StagedObject]) -> usize {
        let Some(first) = objects.first() else { return 0 };
        let is_load = first.name.phase.is_full_load();
        let is_let_pass = |object: &StagedObject| self.let_pass.contains(&object.relative);
        let most_bytes = if is_load { self.sizes.load_bytes } else { self.sizes.round_bytes };
        let (mut bytes, mut list) = (0_u64, 0_usize);
        let fits = |object: &&StagedObject| {
            bytes += object.size;
            list += object.relative.len() + LISTED;
            object.name.phase.is_full_load() == is_load
                && is_let_pass(object) == is_let_pass(first)
                && (!self.by_hours || hour_of(object) == hour_of(first))
                && bytes <= most_bytes
                && list <= LIST_BYTES
        };
        objects.iter().take_while(fits).count().max(1)
    }
}

/// The hour in the name of a change object.
fn hour_of(object: &StagedObject) -> Option<&str> {
    const HOUR: usize = "20240101-10".len();
    match &object.name.phase {
        Phase::Cdc { stamp } => stamp.get(..HOUR),
        Phase::FullLoad { .. } => None,
    }
}

/// The objects as chunks of consecutive ones, each with the place of its first object.
pub(super) fn chunks(
    objects: &[StagedObject],
    partial: Option<&Partial>,
    sizes: &JobSizes,
    slots: NonZeroUsize,
) -> Vec<(usize, Chunk)> {
    let all = bytes_of(objects);
    let most = JobSizes::part(sizes.chunk_bytes, all, slots);
    let mut at = 0;
    let chunk = |objects: Vec<&StagedObject>| {
        let first = at;
        at += objects.len();
        let is_first = |it: &&Partial| objects.first().is_some_and(|one| one.relative == it.object);
        let partial = partial.filter(is_first);
        let skip_rows = partial.map_or(0, |partial| partial.rows);
        let objects = objects.into_iter().map(object_spec).collect();
        (first, Chunk { objects, skip_rows })
    };
    packed(objects, most, |object| object.size).into_iter().map(chunk).collect()
}

/// What a job would take in of one table, as it is staged now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct JobPlan {
    /// `schema.table`
    pub table: String,
    /// Why nothing would be applied, if the table is held.
    pub held: Option<String>,
    /// Objects that are pending.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Commits that tasks prepare, in order.
    pub rounds: Vec<PlannedRound>,
    /// Objects that the driver applies by itself, because they are few.
    pub by_driver: u64,
    /// Seconds that one process would take for them, slice by slice, about: 16 MB a second.
    pub slices_seconds: u64,
    /// Whether that is more than the function takes upon itself, as far as it knows before it reads.
    pub is_handed_over: bool,
}

/// What one commit takes in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlannedRound {
    /// Whether it is of a full load.
    pub is_load: bool,
    /// Objects.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Tasks that read them. How many follow depends on what they hold.
    pub tasks: u64,
}

impl Pipeline {
    /// What a job of these sizes, with so many tasks at once, would take in of a table. Has no effect.
    ///
    /// # Errors
    /// As [`Self::look`].
    pub async fn plan_job(
        &self,
        spec: &TableSpec,
        sizes: &JobSizes,
        slots: NonZeroUsize,
    ) -> Result<JobPlan> {
        let look = self.look(spec, &Scope::Everything).await?;
        let mut plan = JobPlan { table: spec.source.to_string(), ..JobPlan::default() };
        let work = match look.standing {
            Standing::Held(hold) => {
                plan.held = Some(hold.cause.to_string());
                return Ok(plan);
            }
            Standing::Apply(work) => work,
            _ => return Ok(plan),
        };
        let by_hours = spec.max_change_fraction.is_set();
        let bounds = RoundBounds { sizes, let_pass: &work.let_pass, by_hours };
        let mut rest = work.objects.as_slice();
        plan.objects = rest.len() as u64;
        plan.bytes = bytes_of(rest);
        plan.slices_seconds = reading_takes(plan.bytes).as_secs();
        plan.is_handed_over = self.is_for_job(plan.bytes);
        while !rest.is_empty() {
            let (round, after) = rest.split_at(bounds.round_of(rest));
            rest = after;
            let (objects, bytes) = (round.len() as u64, bytes_of(round));
            if bytes < sizes.least_bytes || !work.late.is_empty() {
                plan.by_driver += objects;
                continue;
            }
            let is_load = round.iter().any(|object| object.name.phase.is_full_load());
            let tasks = chunks(round, None, sizes, slots).len() as u64;
            plan.rounds.push(PlannedRound { is_load, objects, bytes, tasks });
        }
        Ok(plan)
    }
}

/// The bytes of objects.
pub(super) fn bytes_of(objects: &[StagedObject]) -> u64 {
    objects.iter().map(|object| object.size).sum()
}

/// A data file that may hold keys of some ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MetFile {
    pub(super) path: String,
    pub(super) vector: Option<DeletionVectorDescriptor>,
    size: u64,
    ranges: Vec<u32>,
}

impl MetFile {
    /// By the ranges that meet them, so that files of one task share theirs.
    pub(super) fn in_key_order(&self, other: &Self) -> Ordering {
        (&self.ranges, &self.path).cmp(&(&other.ranges, &other.path))
    }
}

/// Data files of one task, and the ranges that meet them.
#[derive(Clone, Debug)]
pub(super) struct FileGroup {
    pub(super) files: Vec<MetFile>,
    pub(super) ranges: BTreeSet<u32>,
}

/// The data files of a snapshot that may hold keys of these ranges.
///
/// # Errors
/// `TableCorrupt` if a statistic in the log cannot be read.
pub(super) fn met_files(
    table: &LakeTable,
    keys: &[String],
    ranges: &[RangeChanges],
) -> Result<Vec<MetFile>> {
    let views: Vec<LogicalFileView> = table.delta().snapshot()?.log_data().iter().collect();
    let intervals = key_intervals(&views, &table.schema().arrow(), keys)?;
    let mut met = Vec::new();
    for (view, interval) in views.iter().zip(intervals) {
        let meets = |range: &&RangeChanges| match (&range.bounds, &interval) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some((least, greatest)), Some((low, high))) => least.0 <= *high && *low <= greatest.0,
        };
        let ranges: Vec<u32> = ranges.iter().filter(meets).map(|range| range.range).collect();
        if !ranges.is_empty() {
            let (path, size) = (view.path().into_owned(), view.size());
            let size = u64::try_from(size).unwrap_or_default();
            met.push(MetFile { path, vector: view.deletion_vector_descriptor(), size, ranges });
        }
    }
    Ok(met)
}

/// The files as groups, each for one task.
pub(super) fn groups(files: Vec<MetFile>, sizes: &JobSizes, slots: NonZeroUsize) -> Vec<FileGroup> {
    let all: u64 = files.iter().map(|file| file.size).sum();
    let most = JobSizes::part(sizes.files_bytes, all, slots);
    let group = |files: Vec<MetFile>| {
        let ranges = files.iter().flat_map(|file| file.ranges.iter().copied()).collect();
        FileGroup { files, ranges }
    };
    packed(files, most, |file| file.size).into_iter().map(group).collect()
}

/// Whether no key of new data files can be in another of them, or in the table.
///
/// # Errors
/// As [`met_files`].
pub(super) fn are_apart(
    table: &LakeTable,
    keys: &[String],
    mut bounds: Vec<KeyInterval>,
) -> Result<bool> {
    if keys.is_empty() {
        return Ok(true);
    }
    let views: Vec<LogicalFileView> = table.delta().snapshot()?.log_data().iter().collect();
    for interval in key_intervals(&views, &table.schema().arrow(), keys)? {
        let Some(interval) = interval else { return Ok(bounds.is_empty()) };
        let meets =
            |(least, greatest): &KeyInterval| *least <= interval.1 && interval.0 <= *greatest;
        if bounds.iter().any(meets) {
            return Ok(false);
        }
    }
    bounds.sort();
    Ok(bounds.windows(2).all(|pair| pair[0].1 < pair[1].0))
}
