//! How the rows of a table lie in its data files.

use deltalake::kernel::LogicalFileView;
use serde::Serialize;

use crate::config::TableSpec;
use crate::error::Result;
use crate::merge::key_ranges;
use crate::table::LakeTable;

/// How the rows of a table lie in its data files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TableLayout {
    /// Bytes of each file, in ascending order.
    pub sizes: Vec<u64>,
    /// The key column by which files are told apart; none if the table has no keys.
    pub key: Option<String>,
    /// How many files may hold a key, at the beginning of each file's range of keys, in key order: 1 is
    /// best, and each more is a file more that a reader opens. Files without statistics are left out.
    pub depth: Vec<u64>,
}

/// The layout of a table.
///
/// # Errors
/// `TableCorrupt` if a statistic in the log cannot be read.
pub fn layout(table: &LakeTable, spec: &TableSpec) -> Result<TableLayout> {
    let views: Vec<LogicalFileView> = table.delta().snapshot()?.log_data().iter().collect();
    let mut sizes: Vec<u64> =
        views.iter().map(|file| u64::try_from(file.size()).unwrap_or_default()).collect();
    sizes.sort_unstable();
    let mut keys = table.columns_among(spec.lake_keys());
    keys.truncate(1);
    let ranges = key_ranges(&views, &table.schema().arrow(), &keys)?;
    let mut ranges: Vec<_> =
        ranges.into_iter().filter_map(|mut of_file| of_file.pop().flatten()).collect();
    ranges.sort_by(|(one, _), (other, _)| one.as_ref().cmp(other.as_ref()));
    let holds = |at: usize| {
        let low = ranges[at].0.as_ref();
        let over = ranges.iter().filter(|(from, to)| from.as_ref() <= low && low <= to.as_ref());
        over.count() as u64
    };
    let depth = (0..ranges.len()).map(holds).collect();
    Ok(TableLayout { sizes, key: keys.pop(), depth })
}
