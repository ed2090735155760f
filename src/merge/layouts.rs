//! Decides which files of a commit get bloom filters: those whose key ranges contain more rows of
//! other files than of their own, so that statistics alone would seldom rule them out. If keys
//! ascend from file to file, as with an auto-increment, no file gets filters.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::Field;
use arrow::row::{OwnedRow, RowConverter, SortField};
use deltalake::kernel::LogicalFileView;

use crate::error::Result;
use crate::files::{FileLayout, TouchedFile};
use crate::merge::bounds::Bounds;
use crate::merge::{prune, row_count};
use crate::table::LakeTable;

/// The fewest rows for which a filter is worth its space. Fewer keys are read just as fast.
const LEAST_ROWS: u64 = 4 << 10;

/// The layouts with and without filters.
pub(super) struct Layouts {
    plain: Arc<FileLayout>,
    filtered: Arc<FileLayout>,
    /// None if no file of the commit is large enough for a filter.
    ranges: Option<KeyRanges>,
}

impl Layouts {
    /// The layouts of a commit that replaces some of the touched files and writes new rows,
    /// including those of the folded files.
    ///
    /// # Errors
    /// `TableCorrupt` if the log's statistics cannot be read.
    pub(super) fn of<'a>(
        table: &LakeTable,
        plain: Arc<FileLayout>,
        touched: impl IntoIterator<Item = &'a TouchedFile>,
        folded: &HashSet<String>,
        new: &[RecordBatch],
    ) -> Result<Self> {
        let filtered = Arc::new((*plain).clone().with_bloom_filters());
        let is_large = touched.into_iter().any(|file| file.rows() >= LEAST_ROWS)
            || row_count(new) as u64 >= LEAST_ROWS;
        let has_keys = !plain.keys().is_empty();
        let ranges = (is_large && has_keys).then(|| KeyRanges::of(table, plain.keys(), folded));
        Ok(Self { plain, filtered, ranges: ranges.transpose()? })
    }

    /// The layout of files with new rows.
    ///
    /// # Errors
    /// `Internal`, never expected.
    pub(super) fn of_new(&self, rows: &[RecordBatch]) -> Result<&Arc<FileLayout>> {
        let count = row_count(rows) as u64;
        let Some(ranges) = self.ranges.as_ref().filter(|_| count >= LEAST_ROWS) else {
            return Ok(&self.plain);
        };
        Ok(self.choose(ranges.rows_among(rows)? >= count))
    }

    /// The layout of a file's replacement.
    pub(super) fn of_replacement(&self, file: &TouchedFile) -> &Arc<FileLayout> {
        let rows = file.rows();
        let Some(ranges) = self.ranges.as_ref().filter(|_| rows >= LEAST_ROWS) else {
            return &self.plain;
        };
        self.choose(ranges.rows_among_those_of(&file.add.path, rows) >= rows)
    }

    fn choose(&self, overlaps: bool) -> &Arc<FileLayout> {
        if overlaps { &self.filtered } else { &self.plain }
    }
}

/// The key ranges of a snapshot's files, by key column.
struct KeyRanges(Vec<ColumnRanges>);

/// The ranges of one key column.
struct ColumnRanges {
    name: String,
    converter: RowConverter,
    /// The ranges of files, by path.
    files: HashMap<String, Range>,
    /// The rows of all files.
    rows: u64,
    /// Lower bounds in ascending order, each with the cumulative rows of all files up to it. Upper
    /// bounds likewise.
    lows: Vec<(OwnedRow, u64)>,
    highs: Vec<(OwnedRow, u64)>,
}

/// The minimum and the maximum key.
type Range = (OwnedRow, OwnedRow);

impl KeyRanges {
    fn of(table: &LakeTable, keys: &[String], folded: &HashSet<String>) -> Result<Self> {
        let snapshot = table.delta().snapshot()?;
        let stays = |view: &LogicalFileView| !folded.contains(view.path().as_ref());
        let views: Vec<LogicalFileView> = snapshot.log_data().iter().filter(stays).collect();
        let told = prune::told(&views);
        let schema = table.schema().arrow();
        let fields = keys.iter().filter_map(|key| schema.field_with_name(key).ok());
        let columns =
            fields.map(|field| ColumnRanges::of(&views, field, &prune::told_bounds(&told, field)?));
        Ok(Self(columns.collect::<Result<_>>()?))
    }

    /// An upper bound of the rows in other files whose ranges overlap that of a file.
    fn rows_among_those_of(&self, path: &str, own_rows: u64) -> u64 {
        let meeting = self.0.iter().filter_map(|column| {
            let range = column.files.get(path)?;
            // A file with a single key is not counted as overlapping itself.
            let own_rows = if range.0 < range.1 { own_rows } else { 0 };
            Some(column.rows_meeting(range).saturating_sub(own_rows))
        });
        meeting.min().unwrap_or_default()
    }

    /// An upper bound of the rows in files whose ranges overlap that of these rows.
    fn rows_among(&self, rows: &[RecordBatch]) -> Result<u64> {
        let mut least = None;
        for column in &self.0 {
            if let Some(range) = column.range_of(rows)? {
                let meeting = column.rows_meeting(&range);
                least = Some(least.map_or(meeting, |least: u64| least.min(meeting)));
            }
        }
        Ok(least.unwrap_or_default())
    }
}

impl ColumnRanges {
    fn of(views: &[LogicalFileView], field: &Field, bounds: &Bounds) -> Result<Self> {
        let converter = RowConverter::new(vec![SortField::new(field.data_type().clone())])?;
        let ranges = bounds.intervals(&converter)?;
        let mut column = Self {
            name: field.name().clone(),
            converter,
            files: HashMap::with_capacity(views.len()),
            rows: 0,
            lows: Vec::with_capacity(views.len()),
            highs: Vec::with_capacity(views.len()),
        };
        for (view, range) in views.iter().zip(ranges) {
            let rows = view.num_records().unwrap_or_default() as u64;
            column.rows += rows;
            if let Some(range) = range {
                column.lows.push((range.0.clone(), rows));
                column.highs.push((range.1.clone(), rows));
                column.files.insert(view.path().into_owned(), range);
            }
        }
        add_up(&mut column.lows);
        add_up(&mut column.highs);
        Ok(column)
    }

    /// The rows of files that are neither entirely below nor entirely above a range.
    fn rows_meeting(&self, (low, high): &Range) -> u64 {
        let up_to = |bounds: &[(OwnedRow, u64)], end: usize| {
            end.checked_sub(1).map_or(0, |last| bounds[last].1)
        };
        let below = self.highs.partition_point(|(bound, _)| bound <= low);
        let not_above = self.lows.partition_point(|(bound, _)| bound < high);
        let above = up_to(&self.lows, self.lows.len()) - up_to(&self.lows, not_above);
        // A file with a single key may be counted as both.
        self.rows.saturating_sub(up_to(&self.highs, below)).saturating_sub(above)
    }

    fn range_of(&self, rows: &[RecordBatch]) -> Result<Option<Range>> {
        let mut range: Option<Range> = None;
        for batch in rows {
            let Some(column) = batch.column_by_name(&self.name) else { continue };
            let values = self.converter.convert_columns(&[Arc::clone(column)])?;
            let (Some(low), Some(high)) = (values.iter().min(), values.iter().max()) else {
                continue;
            };
            range = Some(match range {
                Some((least, greatest)) => (least.min(low.owned()), greatest.max(high.owned())),
                None => (low.owned(), high.owned()),
            });
        }
        Ok(range)
    }
}

/// Sorts bounds and gives each the cumulative rows of all up to it.
fn add_up(bounds: &mut [(OwnedRow, u64)]) {
    bounds.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    let mut sum = 0;
    for (_, rows) in bounds {
        sum += *rows;
        *rows = sum;
    }
}
