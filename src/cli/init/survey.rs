//! Surveys what is staged: table folders, their objects, and one object of each to read.

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};

use crate::config::TableName;
use crate::dms::{Classified, Format, ObjectName, Phase, classify};
use crate::error::Result;
use crate::staging;
use crate::storage::Location;

/// A table's folder in staging.
#[derive(Clone, Debug)]
pub(super) struct StagedTable {
    /// Its schema and table folders.
    pub(super) name: TableName,
    /// Full-load objects.
    pub(super) loads: u64,
    /// CDC objects.
    pub(super) changes: u64,
    /// Objects whose names fit no form of DMS.
    pub(super) foreign: u64,
    /// The last non-empty object in order of application: it has the newest columns.
    pub(super) newest: Option<Sample>,
}

/// An object to read.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    /// Its metadata.
    pub(super) meta: ObjectMeta,
    /// Its parsed name.
    pub(super) name: ObjectName,
}

/// Everything that is staged.
#[derive(Clone, Debug)]
pub(super) struct Staged {
    /// Tables with a folder that holds objects, by name.
    pub(super) tables: Vec<StagedTable>,
    /// How many transaction-ordered objects there are, which belong to no single table.
    pub(super) transaction_ordered: u64,
}

/// Surveys staging, without DMS's control tables and hidden folders.
///
/// # Errors
/// `Unavailable` if staging cannot be listed.
pub(super) async fn survey(staging: &Location) -> Result<Staged> {
    // With a configuration without tables, every table counts as unconfigured.
    let found = staging::survey(staging, &[]).await?;
    let transaction_ordered = found.transaction_ordered.len() as u64;
    let mut staged = Staged { tables: Vec::new(), transaction_ordered };
    for name in found.unconfigured {
        let folder = staging.folder(&[&name.schema, &name.table])?.prefix().clone();
        let table = look_into(staging, name, &folder).await?;
        if table.loads + table.changes + table.foreign > 0 {
            staged.tables.push(table);
        }
    }
    Ok(staged)
}

async fn look_into(staging: &Location, name: TableName, folder: &Path) -> Result<StagedTable> {
    let mut staged = StagedTable { name, loads: 0, changes: 0, foreign: 0, newest: None };
    let mut objects = staging.store().list(Some(folder));
    while let Some(meta) = objects.try_next().await? {
        let Some(parts) = meta.location.prefix_match(folder) else { continue };
        let relative: Vec<String> = parts.map(|part| part.as_ref().to_owned()).collect();
        match classify(&relative.join("/")) {
            Classified::Changes(name) => staged.take(Sample { meta, name }),
            Classified::Ignored => {}
            Classified::TransactionOrdered | Classified::Foreign => staged.foreign += 1,
        }
    }
    Ok(staged)
}

impl StagedTable {
    fn take(&mut self, sample: Sample) {
        match sample.name.phase {
            Phase::FullLoad { .. } => self.loads += 1,
            Phase::Cdc { .. } => self.changes += 1,
        }
        let is_newer = self.newest.as_ref().is_none_or(|newest| newest.order() < sample.order());
        if is_newer && sample.meta.size > 0 {
            self.newest = Some(sample);
        }
    }

    /// The format, if something is staged.
    pub(super) fn format(&self) -> Option<Format> {
        self.newest.as_ref().map(|sample| sample.name.format)
    }
}

impl Sample {
    fn order(&self) -> (&Phase, &Path) {
        (&self.name.phase, &self.meta.location)
    }
}
