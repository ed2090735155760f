//! Finds a key in data files of any version, by their entries in the log.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::json::ReaderBuilder;
use deltalake::kernel::Add;
use serde_json::{Map, Value, json};

use crate::error::Result;
use crate::files::SnapshotFiles;
use crate::merge::bounds::{Bounds, SortedKeys};
use crate::merge::keys::KeySet;
use crate::merge::locate::Scan;

/// The lower and the upper bounds in the statistics of an entry.
const BOUNDS: [&str; 2] = ["minValues", "maxValues"];

/// Finds keys in data files, whether a snapshot has them or not.
pub(crate) struct KeyFinder(Scan);

impl KeyFinder {
    /// For these keys, given as their columns. Files are read as those of `files` are.
    ///
    /// # Errors
    /// `Internal` if a key is NULL or given twice.
    pub(crate) fn new(
        files: &SnapshotFiles,
        names: &[String],
        asked: &RecordBatch,
    ) -> Result<Self> {
        let keys = KeySet::new(names, [asked])?;
        let sorted = SortedKeys::of(&keys)?;
        Ok(Self(Scan::of(files, keys, sorted)))
    }

    /// For each entry whether its file may hold a key, by the statistics in the log.
    ///
    /// # Errors
    /// `Internal`, never expected.
    pub(crate) fn may_hold(&self, adds: &[Add]) -> Result<Vec<bool>> {
        let keys = self.0.keys.schema();
        let bounds = keys.fields().iter().map(|key| bounds(adds, key)).collect::<Vec<_>>();
        self.0.sorted.may_stand(adds.len(), &bounds)
    }

    /// The rows of a file that carry a key, masked or not, in ascending order.
    ///
    /// # Errors
    /// `Unavailable` if the file cannot be read, `TableCorrupt` if it is damaged or gone.
    pub(crate) async fn positions(&self, add: &Add) -> Result<Vec<u64>> {
        let found = Box::pin(self.0.matches(add)).await?;
        let matches = found.map(|(_, matches)| matches).unwrap_or_default();
        Ok(matches.iter().map(|found| found.position).collect())
    }

    /// Calls `found` with each row of decoded or stored rows that carries a key in these columns.
    ///
    /// # Errors
    /// `Internal` if the columns are not those of a key.
    pub(crate) fn probe(&self, columns: &[ArrayRef], mut found: impl FnMut(usize)) -> Result<()> {
        self.probe_each(columns, |row, _| found(row))
    }

    /// The same, with the position of the key among those asked for.
    ///
    /// # Errors
    /// As [`Self::probe`].
    pub(crate) fn probe_each(
        &self,
        columns: &[ArrayRef],
        found: impl FnMut(usize, u32),
    ) -> Result<()> {
        self.0.keys.probe(columns, found)
    }
}

/// The bounds of a key column in these entries; none if they cannot be read as its type, such as
/// those of a partition column, which has none.
fn bounds(adds: &[Add], key: &Field) -> Option<Bounds> {
    let field = |name: &str| Field::new(name, key.data_type().clone(), true);
    let schema = Arc::new(Schema::new(BOUNDS.map(field).to_vec()));
    let rows: Vec<Value> = adds.iter().map(|add| of_entry(add, key.name())).collect();
    // Statistics have no form for bytes.
    let has_form = *key.data_type() != DataType::Binary;
    let decoder = ReaderBuilder::new(schema).with_batch_size(rows.len().max(1));
    let mut decoder = has_form.then(|| decoder.build_decoder().ok()).flatten()?;
    decoder.serialize(&rows).ok()?;
    let read = decoder.flush().ok()??;
    let [low, high] = BOUNDS.map(|name| Arc::clone(&read[name]));
    Bounds { low, high }.of_log()
}

fn of_entry(add: &Add, column: &str) -> Value {
    let stats: Map<String, Value> =
        add.stats.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let [low, high] = BOUNDS.map(|name| stats.get(name).and_then(|it| it.get(column)).cloned());
    json!({ BOUNDS[0]: low, BOUNDS[1]: high })
}
