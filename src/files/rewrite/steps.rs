//! Decides which row groups of a touched file are copied, encoded again or dropped.

use std::ops::Range;

use crate::error::Result;
use crate::files::rewrite::copy::Copier;
use crate::files::rewrite::{Rewritten, misplaced};
use crate::files::touched::TouchedFile;
use crate::files::{ROW_GROUP_BYTES, ROW_GROUP_ROWS};

/// One part of the replacement, in file order.
pub(super) enum Step {
    /// A row group that is copied as encoded.
    Copy(usize),
    /// Row groups that are decoded, edited and encoded.
    Encode(Run),
}

impl Step {
    /// The row groups of the step, by their indices in the file.
    pub(super) fn row_groups(&self) -> Range<usize> {
        match self {
            Self::Copy(group) => *group..*group + 1,
            Self::Encode(run) => run.first..run.first + run.count,
        }
    }
}

/// Consecutive row groups and the changes in them.
pub(super) struct Run {
    /// The index of the first row group.
    pub(super) first: usize,
    /// The number of row groups.
    pub(super) count: usize,
    /// Their rows.
    pub(super) rows: usize,
    /// Changed rows, by ascending position in the run.
    pub(super) edits: Vec<Edit>,
    bytes: usize,
}

impl Run {
    /// The number of rows that remain.
    pub(super) fn rows_left(&self) -> usize {
        self.rows - self.edits.iter().filter(|edit| edit.image.is_none()).count()
    }
}

/// A change of one row.
#[derive(Clone, Copy)]
pub(super) struct Edit {
    /// Its position in the run.
    pub(super) row: usize,
    /// The image that replaces it; none if it is deleted.
    pub(super) image: Option<usize>,
}

/// The steps of a rewrite and their result.
pub(super) struct Planned {
    pub(super) steps: Vec<Step>,
    pub(super) rewritten: Rewritten,
}

/// Unchanged row groups are copied if the replacement can contain them as they are. Adjacent row
/// groups that are encoded anyway are combined up to the usual size.
pub(super) fn plan(touched: &TouchedFile, image_count: usize, copier: &Copier) -> Result<Planned> {
    let (edits, mut rewritten) = edits(touched, image_count)?;
    let mut edits = edits.into_iter().peekable();
    let mut steps: Vec<Step> = Vec::new();
    let mut first_row = 0;
    let mut last_encoded = None;
    for (group, metadata) in copier.footer().row_groups().iter().enumerate() {
        let rows = usize::try_from(metadata.num_rows()).unwrap_or_default();
        let mut changed = Vec::new();
        while let Some(edit) = edits.next_if(|edit| edit.row < first_row + rows) {
            changed.push(Edit { row: edit.row - first_row, ..edit });
        }
        first_row += rows;
        let rows_left = rows - changed.iter().filter(|edit| edit.image.is_none()).count();
        if rows_left == 0 {
            continue;
        }
        if changed.is_empty() && copier.can_copy(group) {
            rewritten.copied_rows += rows as u64;
            rewritten.copied_bytes += u64::try_from(metadata.compressed_size()).unwrap_or_default();
            steps.push(Step::Copy(group));
            continue;
        }
        rewritten.encoded_rows += rows_left as u64;
        let bytes = usize::try_from(metadata.total_byte_size()).unwrap_or_default();
        match steps.last_mut() {
            Some(Step::Encode(run))
                if last_encoded == group.checked_sub(1)
                    && run.rows + rows <= ROW_GROUP_ROWS
                    && run.bytes + bytes <= ROW_GROUP_BYTES =>
            {
                run.edits.extend(
                    changed.into_iter().map(|edit| Edit { row: edit.row + run.rows, ..edit }),
                );
                run.count += 1;
                run.rows += rows;
                run.bytes += bytes;
            }
            _ => steps.push(Step::Encode(Run {
                first: group,
                count: 1,
                rows,
                edits: changed,
                bytes,
            })),
        }
        last_encoded = Some(group);
    }
    if edits.peek().is_some() {
        return Err(misplaced());
    }
    Ok(Planned { steps, rewritten })
}

/// Changed and masked rows of the file, merged in ascending order.
fn edits(touched: &TouchedFile, image_count: usize) -> Result<(Vec<Edit>, Rewritten)> {
    let mut rewritten = Rewritten::default();
    let mut edits = Vec::with_capacity(touched.matches.len() + touched.masked.len());
    for found in &touched.matches {
        let change = found.change as usize;
        let image = (change < image_count).then_some(change);
        let count = match image {
            Some(_) => &mut rewritten.updated_rows,
            None => &mut rewritten.deleted_rows,
        };
        *count += 1;
        edits.push(Edit { row: place(found.position)?, image });
    }
    for &position in &touched.masked {
        edits.push(Edit { row: place(position)?, image: None });
    }
    edits.sort_by_key(|edit| edit.row);
    if edits.windows(2).any(|pair| pair[0].row == pair[1].row) {
        return Err(misplaced());
    }
    Ok((edits, rewritten))
}

fn place(position: u64) -> Result<usize> {
    usize::try_from(position).map_err(|_| misplaced())
}
