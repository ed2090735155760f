//! What writing a plan comes to, told before it is written.

use arrow::record_batch::RecordBatch;
use deltalake::kernel::{Add, LogicalFileView};

use crate::error::Result;
use crate::files::TouchedFile;
use crate::memory::memory_size;
use crate::merge::row_count;
use crate::table::LakeTable;

/// Bytes that rows take in a file of a new table: one in so many of those that they take in memory.
const COMPRESSION: u64 = 3;

/// Bytes of the files that a commit writes, about: those that take the place of others, and those for
/// new rows, among them the rows of files that are folded into them. The commit's metrics tell what
/// they came to.
pub(super) fn bytes(
    table: &LakeTable,
    replaced: &[TouchedFile],
    new: &[RecordBatch],
) -> Result<u64> {
    let again: u64 = replaced.iter().map(rewritten_bytes).sum();
    let rows = row_count(new) as u64;
    if rows == 0 {
        return Ok(again);
    }
    let views: Vec<LogicalFileView> = table.delta().snapshot()?.log_data().iter().collect();
    let added = match FileSize::of(&views) {
        Some(size) => size.of_rows(rows),
        None => new.iter().map(memory_size).sum::<usize>() as u64 / COMPRESSION,
    };
    Ok(again + added)
}

/// Bytes of the replacement of a file, in which masked and deleted rows are left out.
fn rewritten_bytes(file: &TouchedFile) -> u64 {
    let Add { size, .. } = file.add;
    let rows = u64::try_from(file.footer.file_metadata().num_rows()).unwrap_or_default();
    let left = rows.saturating_sub(file.masked.len() as u64);
    share(size.unsigned_abs(), left, rows)
}

fn share(whole: u64, part: u64, of: u64) -> u64 {
    let share = u128::from(whole) * u128::from(part);
    share.checked_div(u128::from(of)).and_then(|it| u64::try_from(it).ok()).unwrap_or(whole)
}

/// How the size of a table's files follows from their rows: a part that each file has, and a part
/// that each row adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileSize {
    /// Bytes and rows of the file with the fewest rows.
    least: (u64, u64),
    /// The same of the one with the most.
    most: (u64, u64),
}

impl FileSize {
    /// Of a table with these files; none if it has none with rows.
    fn of(views: &[LogicalFileView]) -> Option<Self> {
        let sized = views.iter().filter_map(|view| {
            let rows = view.num_records().filter(|rows| *rows > 0)?;
            Some((u64::try_from(view.size()).ok()?, rows as u64))
        });
        let sized: Vec<(u64, u64)> = sized.collect();
        let rows = |file: &&(u64, u64)| file.1;
        let (least, most) = (sized.iter().min_by_key(rows)?, sized.iter().max_by_key(rows)?);
        Some(Self { least: *least, most: *most })
    }

    /// Bytes of a file of so many rows.
    fn of_rows(self, rows: u64) -> u64 {
        let ((small, fewest), (large, most)) = (self.least, self.most);
        if most == fewest {
            return share(large, rows, most);
        }
        let added_by = |rows| share(large.saturating_sub(small), rows, most - fewest);
        small.saturating_sub(added_by(fewest)) + added_by(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_a_file_has_a_part_that_each_file_has_and_one_that_each_row_adds() {
        let size = FileSize { least: (3_000, 20), most: (1_003_000, 100_020) };
        assert_eq!(size.of_rows(20), 3_000);
        assert_eq!(size.of_rows(10), 2_900);
        assert_eq!(size.of_rows(50_020), 503_000);
        assert_eq!(size.of_rows(200_020), 2_003_000);
        let alike = FileSize { least: (5_000, 100), most: (5_000, 100) };
        assert_eq!(alike.of_rows(1_000), 50_000);
    }
}
