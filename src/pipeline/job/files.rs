//! Some data files: which of their rows change, and what takes the places of the files.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};

use arrow::array::UInt32Array;
use arrow::compute::take_record_batch;
use arrow::record_batch::RecordBatch;
use roaring::RoaringBitmap;

use crate::error::{Error, ErrorKind, Result};
use crate::files::{Match, TouchedFile};
use crate::merge::{Part, find_in};
use crate::pipeline::job::format::{FilesOutcome, FilesTask, Marks, ReplacedFile};
use crate::pipeline::job::scratch::{Segment, append_bytes, unreadable};
use crate::pipeline::job::task::TaskContext;

/// Keys that are looked for at once: a hash of them is in memory.
const KEYS_AT_ONCE: u64 = 1 << 20;

/// A change of one range: the place of the range in the task, and the change's number in it.
type Change = (usize, u32);

/// The blocks with the images of a range, as far as they are known.
type Blocks = BTreeMap<usize, Vec<Segment>>;

/// Replaces or masks files.
///
/// # Errors
/// `TableCorrupt` if a key is in two rows; those of reading and writing the table.
pub(super) async fn files(context: &TaskContext<'_>, task: &FilesTask) -> Result<FilesOutcome> {
    let table = context.table()?;
    let keys = context.round.table.lake_keys();
    let found = find(context, task).await?;
    let touched = found.iter().map(|found| &found.file);
    let clock = context.clock();
    let mut part = Part::of(table, &keys, context.round.table.merge, touched, clock)?;
    let mut bitmaps = vec![Bitmaps::default(); task.ranges.len()];
    let mut replaced = Vec::with_capacity(found.len());
    let mut to_mask = Vec::new();
    let mut blocks = Blocks::new();
    for Found { mut file, changes } in found {
        let places = part.places(&file);
        for &(range, change) in &changes {
            let is_upsert = u64::from(change) < task.ranges[range].upserted;
            bitmaps[range].take_in(change, places && is_upsert)?;
        }
        if part.masks(&file) {
            to_mask.push(file);
            continue;
        }
        let images = if places {
            images(context, task, &mut file, &changes, &mut blocks).await?
        } else {
            for found in &mut file.matches {
                found.change = u32::MAX;
            }
            Vec::new()
        };
        let after = part.replace(&file, &images).await?;
        replaced.push(ReplacedFile { path: file.add.path, after });
    }
    let masked = part.mask(&to_mask, clock.as_ref()).await?;
    for (file, after) in to_mask.into_iter().zip(masked) {
        replaced.push(ReplacedFile { path: file.add.path, after });
    }
    let marks = write_marks(context, task, &bitmaps).await?;
    Ok(FilesOutcome { replaced, marks, metrics: part.metrics })
}

/// A file with the changes that its matches stand for, in the order of the matches.
struct Found {
    file: TouchedFile,
    changes: Vec<Change>,
}

/// Finds the rows of the files, some ranges at a time.
async fn find(context: &TaskContext<'_>, task: &FilesTask) -> Result<Vec<Found>> {
    let table = context.table()?;
    let names = context.round.table.lake_keys();
    let mut by_path: HashMap<String, Found> = HashMap::new();
    let mut at = 0;
    while at < task.ranges.len() {
        let (mut keys, mut starts, mut count) = (Vec::new(), Vec::new(), 0_u64);
        let first = at;
        while at < task.ranges.len() && (at == first || count < KEYS_AT_ONCE) {
            let range = &task.ranges[at];
            starts.push(count);
            count += range.upserted + range.removed;
            keys.extend(context.scratch.batches(&range.object, &[range.keys]).await?);
            at += 1;
        }
        for file in find_in(table, &task.files, &names, &keys).await? {
            let change = |found: &Match| -> Change {
                let number = u64::from(found.change);
                let range = starts.partition_point(|start| *start <= number) - 1;
                let within = u32::try_from(number - starts[range]).unwrap_or(u32::MAX);
                (first + range, within)
            };
            let changes: Vec<Change> = file.matches.iter().map(change).collect();
            match by_path.get_mut(&file.add.path) {
                Some(known) => {
                    known.file.matches.extend(file.matches);
                    known.changes.extend(changes);
                }
                None => {
                    by_path.insert(file.add.path.clone(), Found { file, changes });
                }
            }
        }
    }
    let mut found: Vec<Found> = by_path.into_values().map(in_file_order).collect();
    found.sort_by(|a, b| a.file.add.path.cmp(&b.file.add.path));
    Ok(found)
}

/// Matches of several searches by ascending position.
fn in_file_order(Found { mut file, changes }: Found) -> Found {
    if file.matches.is_sorted_by_key(|found| found.position) {
        return Found { file, changes };
    }
    let mut both: Vec<(Match, Change)> = file.matches.into_iter().zip(changes).collect();
    both.sort_by_key(|(found, _)| found.position);
    let changes = both.iter().map(|(_, change)| *change).collect();
    file.matches = both.into_iter().map(|(found, _)| found).collect();
    Found { file, changes }
}

/// The images that take the places of a file's rows; its matches are numbered by them, and those
/// that delete are beyond.
async fn images(
    context: &TaskContext<'_>,
    task: &FilesTask,
    file: &mut TouchedFile,
    changes: &[Change],
    blocks: &mut Blocks,
) -> Result<Vec<RecordBatch>> {
    // By range and block, the rows of it that are wanted, each with its match.
    let mut wanted: BTreeMap<(usize, usize), Vec<(u32, usize)>> = BTreeMap::new();
    for (place, &(range, change)) in changes.iter().enumerate() {
        file.matches[place].change = u32::MAX;
        if u64::from(change) >= task.ranges[range].upserted {
            continue;
        }
        let own = &task.ranges[range];
        let blocks = match blocks.entry(range) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                unknown.insert(context.scratch.segments(&own.object, own.index).await?)
            }
        };
        let (block, row) = block_of(blocks, change)?;
        wanted.entry((range, block)).or_default().push((row, place));
    }
    let mut images = Vec::with_capacity(wanted.len());
    let mut number = 0;
    for ((range, block), rows) in wanted {
        let changes = &task.ranges[range];
        let segment = blocks[&range][block];
        let batches = context.scratch.batches(&changes.object, &[segment]).await?;
        let order: UInt32Array = rows.iter().map(|(row, _)| *row).collect();
        for batch in &batches {
            images.push(take_record_batch(batch, &order)?);
        }
        for (_, place) in rows {
            file.matches[place].change = number;
            number += 1;
        }
    }
    Ok(images)
}

/// The block with an upsert's image, and its row there.
fn block_of(blocks: &[Segment], change: u32) -> Result<(usize, u32)> {
    let mut before = 0_u64;
    for (at, block) in blocks.iter().enumerate() {
        if u64::from(change) < before + block.rows {
            let row = u64::from(change) - before;
            return Ok((at, u32::try_from(row).unwrap_or(u32::MAX)));
        }
        before += block.rows;
    }
    Err(Error::new(ErrorKind::Internal, "a task names a change that is not there"))
}

/// The changes of a range that found their rows.
#[derive(Clone, Default)]
struct Bitmaps {
    found: RoaringBitmap,
    placed: RoaringBitmap,
}

impl Bitmaps {
    fn take_in(&mut self, change: u32, is_placed: bool) -> Result<()> {
        if !self.found.insert(change) {
            return Err(twice());
        }
        if is_placed {
            self.placed.insert(change);
        }
        Ok(())
    }
}

/// A key that is in two rows.
pub(super) fn twice() -> Error {
    Error::new(ErrorKind::TableCorrupt, "a key is in the table twice")
}

async fn write_marks(
    context: &TaskContext<'_>,
    task: &FilesTask,
    bitmaps: &[Bitmaps],
) -> Result<Vec<Marks>> {
    let object = context.new_object("marks");
    let (mut bytes, mut marks) = (Vec::new(), Vec::new());
    for (range, Bitmaps { found, placed }) in task.ranges.iter().zip(bitmaps) {
        if found.is_empty() {
            continue;
        }
        let upserted = u32::try_from(range.upserted).unwrap_or(u32::MAX);
        let updated = found.range_cardinality(0..upserted);
        marks.push(Marks {
            range: range.range,
            object: object.clone(),
            found: append_bitmap(&mut bytes, found)?,
            placed: append_bitmap(&mut bytes, placed)?,
            updated,
            deleted: found.len() - updated,
            placed_count: placed.len(),
        });
    }
    if !marks.is_empty() {
        context.scratch.put(&object, bytes).await?;
    }
    Ok(marks)
}

fn append_bitmap(bytes: &mut Vec<u8>, bitmap: &RoaringBitmap) -> Result<Segment> {
    let mut own = Vec::with_capacity(bitmap.serialized_size());
    bitmap.serialize_into(&mut own).map_err(|error| {
        Error::new(ErrorKind::Internal, "a bitmap cannot be encoded").because(error)
    })?;
    Ok(append_bytes(bytes, &own, bitmap.len()))
}

/// The changes that marks are about: those that found their rows, and of them the upserts whose
/// images are in their places.
pub(super) async fn read_marks(
    context: &TaskContext<'_>,
    marks: &Marks,
) -> Result<(RoaringBitmap, RoaringBitmap)> {
    let bytes = context.scratch.get(&marks.object, &[marks.found, marks.placed]).await?;
    let read = |at: usize| {
        let read = bytes.get(at).map(|bytes| RoaringBitmap::deserialize_from(bytes.as_ref()));
        read.and_then(Result::ok).ok_or_else(unreadable)
    };
    Ok((read(0)?, read(1)?))
}
