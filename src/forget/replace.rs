//! Writes files without the rows of the keys, one for each that holds some.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use deltalake::kernel::{Add, Version};
use object_store::ObjectStoreExt as _;
use object_store::path::Path;
use serde_json::Value;

use crate::error::{Error, ErrorKind, Result};
use crate::files::{
    FileLayout, Match, SnapshotFiles, TouchedFile, empty_file, rewrite, row_count, vectors,
};
use crate::forget::edit::{Edits, Entry};
use crate::forget::subject::Subject;
use crate::forget::survey::{HeldFile, Place, Survey};
use crate::table::{LakeTable, files_at};

/// What a file of the change data feed has beside the table's columns.
const CHANGE_COLUMNS: [&str; 1] = ["_change_type"];

/// Writes the replacements of what older versions name.
pub(super) struct Replacer<'a> {
    subject: &'a Subject<'a>,
    table: &'a LakeTable,
    survey: &'a Survey,
    /// The columns that the table had, by the version that brought them.
    layouts: BTreeMap<Version, Arc<FileLayout>>,
    pub(super) bytes_written: u64,
    pub(super) files_written: u64,
}

impl<'a> Replacer<'a> {
    pub(super) fn of(subject: &'a Subject<'a>, table: &'a LakeTable, survey: &'a Survey) -> Self {
        let layouts = BTreeMap::new();
        Self { subject, table, survey, layouts, bytes_written: 0, files_written: 0 }
    }

    /// Writes all of them. Nothing names them until the log is amended.
    ///
    /// # Errors
    /// `Unavailable` if the lake does not answer, `TableCorrupt` if a file is damaged.
    pub(super) async fn write(&mut self) -> Result<Edits> {
        let survey = self.survey;
        let mut replaced = HashMap::with_capacity(survey.held.len());
        for file in &survey.held {
            replaced.insert(file.path.clone(), self.replace(file).await?);
        }
        let (gone, texts) = (survey.gone.clone(), self.subject.texts.clone());
        Ok(Edits { replaced, gone, texts })
    }

    /// Writes one, and once more for each entry that would otherwise be like another one: entries of
    /// one file differ in their vectors.
    async fn replace(&mut self, file: &HeldFile) -> Result<HashMap<String, Entry>> {
        let layout = self.layout(file).await?;
        let store = self.table.files().store();
        let new = match without(self.table.files(), &layout, file, &file.rows, &[]).await? {
            Some(new) => new,
            // Time travel finds a file where there was one.
            None => empty_file(&store, &layout, file.add.partition_values.clone()).await?,
        };
        self.wrote(&new);
        let mut entries = HashMap::with_capacity(file.vectors.len());
        let mut masks: Vec<(&String, Vec<u64>)> = Vec::with_capacity(file.vectors.len());
        for (vector, (descriptor, masked)) in &file.vectors {
            if let Some(masked) = masked {
                masks.push((vector, moved(masked, &file.rows)));
                continue;
            }
            // No reader opens what it masked any more.
            let stats = vectors::wide_bounds(new.stats.as_deref().unwrap_or("{}"))?;
            let (path, size, vector_value) = (new.path.clone(), new.size, descriptor.clone());
            let entry = Entry { path, size, rows: None, stats, vector: vector_value };
            entries.insert(vector.clone(), entry);
        }
        let mut distinct: Vec<Vec<u64>> = masks.iter().map(|(_, rows)| rows.clone()).collect();
        distinct.retain(|rows| !rows.is_empty());
        distinct.sort();
        distinct.dedup();
        let id = self.subject.clock.file_id();
        let descriptors = vectors::write(&self.table.files().log_store(), &distinct, id).await?;
        let mut taken: Vec<&Vec<u64>> = Vec::new();
        for (vector, rows) in &masks {
            let mut path = new.path.clone();
            if taken.contains(&rows) {
                path = format!("part-00000-{}-c000.snappy.parquet", self.subject.clock.file_id());
                store.copy(&Path::from(new.path.as_str()), &Path::from(path.as_str())).await?;
                self.wrote(&new);
            }
            taken.push(rows);
            let descriptor = distinct.binary_search(rows).ok().map(|at| &descriptors[at]);
            let mut stats = new.stats.clone().unwrap_or_default();
            if descriptor.is_some() {
                stats = vectors::wide_bounds(&stats)?;
            }
            let vector_value = descriptor.map(serde_json::to_value).transpose();
            let vector_value: Option<Value> = vector_value.map_err(|error| {
                Error::new(ErrorKind::Internal, "a deletion vector is not written").because(error)
            })?;
            let physical = row_count(&stats).unwrap_or_default();
            entries.insert(
                (*vector).clone(),
                Entry {
                    path,
                    size: new.size,
                    rows: Some(physical.saturating_sub(rows.len() as u64)),
                    stats,
                    vector: vector_value,
                },
            );
        }
        Ok(entries)
    }

    fn wrote(&mut self, add: &Add) {
        self.files_written += 1;
        self.bytes_written += add.size.unsigned_abs();
    }

    /// How the file is written: with the columns that the table had when it was.
    async fn layout(&mut self, file: &HeldFile) -> Result<Arc<FileLayout>> {
        let log = &self.survey.log;
        let first = file.first.min(self.table.version()).max(log.oldest());
        let of = log.columns.range(..=first).next_back().copied().unwrap_or_default();
        if file.place == Place::Changes {
            let files = files_at(self.subject.location, first).await?;
            let change =
                CHANGE_COLUMNS.map(|name| Arc::new(Field::new(name, DataType::Utf8, true)));
            let fields = files.schema().fields().iter().cloned().chain(change);
            let files = files.with_columns(Arc::new(Schema::new(fields.collect::<Vec<_>>())));
            return self.laid_out(&files);
        }
        if let Some(layout) = self.layouts.get(&of) {
            return Ok(Arc::clone(layout));
        }
        let layout = self.laid_out(&files_at(self.subject.location, first).await?)?;
        self.layouts.insert(of, Arc::clone(&layout));
        Ok(layout)
    }

    fn laid_out(&self, files: &SnapshotFiles) -> Result<Arc<FileLayout>> {
        let has = |name: &&String| files.schema().field_with_name(name).is_ok();
        let keys: Vec<String> = self.subject.names.iter().filter(has).cloned().collect();
        Ok(Arc::new(FileLayout::of(files, &keys, self.subject.clock)?))
    }
}

/// Writes a file without these rows, given in ascending order, and without the masked ones, of which
/// none is among them; none if no row is left.
///
/// # Errors
/// `Unavailable` if the lake does not answer, `TableCorrupt` if the file is damaged.
pub(super) async fn without(
    files: &SnapshotFiles,
    layout: &Arc<FileLayout>,
    file: &HeldFile,
    rows: &[u64],
    masked: &[u64],
) -> Result<Option<Add>> {
    let store = files.store();
    let footer = files.footer(&file.add).await?;
    let matches = rows.iter().map(|position| Match { position: *position, change: 0 }).collect();
    let touched = TouchedFile { add: file.add.clone(), footer, matches, masked: masked.to_vec() };
    Ok(rewrite(&store, layout, &touched, &[]).await?.add)
}

/// Rows that are masked, as they are counted once others are gone.
fn moved(masked: &[u64], gone: &[u64]) -> Vec<u64> {
    let kept = masked.iter().filter(|row| gone.binary_search(row).is_err());
    kept.map(|row| row - gone.partition_point(|gone| gone < row) as u64).collect()
}

#[cfg(test)]
mod tests {
    use super::moved;

    #[test]
    fn masked_rows_move_up_by_what_is_gone_before_them() {
        assert_eq!(moved(&[0, 3, 5, 9], &[]), [0, 3, 5, 9]);
        assert_eq!(moved(&[0, 3, 5, 9], &[0, 1, 5]), [1, 6]);
        assert_eq!(moved(&[2], &[2]), [0u64; 0]);
    }
}
