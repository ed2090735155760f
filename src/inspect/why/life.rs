//! Follows a row backwards through the files that held it.

use std::collections::HashMap;

use arrow::array::RecordBatch;
use deltalake::kernel::Add;
use futures::TryStreamExt as _;

use crate::error::{Error, ErrorKind, Result};
use crate::files::{SnapshotFiles, rows_at};
use crate::inspect::diff::Change;
use crate::inspect::why::image::{differing, values};
use crate::inspect::why::log::{KeyLog, Span, Step};
use crate::inspect::why::{RowEvent, StagedChange, Values, written};
use crate::inspect::writer::writer_of;
use crate::merge::KeyFinder;
use crate::table::{Commit, LakeTable};

/// A row in a data file.
#[derive(Clone, Debug)]
struct Place {
    add: Add,
    image: RecordBatch,
}

/// A version that touched the row.
#[derive(Debug)]
pub(super) struct Touched {
    pub(super) commit: Commit,
    /// None of a row that was there before the first version looked at.
    pub(super) change: Option<Change>,
    columns: Vec<String>,
    before: Option<Values>,
    after: Option<Values>,
}

impl Touched {
    /// The same, with the staged changes that did it.
    pub(super) fn into_event(self, changes: Vec<StagedChange>) -> RowEvent {
        RowEvent {
            version: self.commit.version,
            at: self.commit.timestamp,
            writer: writer_of(&self.commit),
            operation: self.commit.operation,
            change: self.change.map(written),
            columns: self.columns,
            before: self.before,
            after: self.after,
            changes,
        }
    }
}

/// The search for one row in data files.
pub(super) struct Life<'a> {
    files: &'a SnapshotFiles,
    finder: &'a KeyFinder,
    span: Span,
    /// Where the key is in a file, masked or not, by the file's path.
    found: HashMap<String, Vec<u64>>,
    /// The row in the newest version.
    row: Option<Values>,
    gaps: Vec<String>,
}

/// The versions that touched the row, the oldest first.
///
/// # Errors
/// `Unavailable` if a file cannot be read; files that are gone are told as gaps.
pub(super) async fn follow(life: &mut Life<'_>, log: &KeyLog) -> Result<Vec<Touched>> {
    let mut after = life.row_in(&log.live).await?;
    life.row = after.as_ref().map(|place| values(&place.image, 0)).transpose()?;
    let mut touched = Vec::new();
    for step in log.steps.iter().rev() {
        let has_come = |place: &Place| {
            let is_its = |add: &Add| {
                add.path == place.add.path && add.deletion_vector == place.add.deletion_vector
            };
            step.begun.iter().any(is_its)
        };
        if after.as_ref().is_some_and(|place| !has_come(place)) {
            continue;
        }
        let before = match unmoved(step, after.as_ref()) {
            Some(place) => Some(place),
            None => life.row_in(&step.ended).await?,
        };
        touched.extend(event(step, before.as_ref(), after.as_ref())?);
        after = before;
    }
    if let (Some(place), 1..) = (&after, life.span.from) {
        let version = life.span.from;
        touched.push(Touched {
            commit: Commit::unread(version),
            change: None,
            columns: Vec::new(),
            before: None,
            after: Some(values(&place.image, 0)?),
        });
        life.gaps.push(format!(
            "the row was there in version {version}; what came before is not in the versions looked at"
        ));
    }
    touched.reverse();
    Ok(touched)
}

/// The row as it was before a merge of ours, where that masked other rows of its file: a merge masks
/// more, and never less. So nothing is read for it, however often it happens.
fn unmoved(step: &Step, after: Option<&Place>) -> Option<Place> {
    let Commit { operation, ours, .. } = &step.commit;
    let only_masks = ours.is_some() && operation.as_deref() == Some("MERGE");
    let after = after.filter(|_| only_masks)?;
    let before = step.ended.iter().find(|add| add.path == after.add.path)?;
    Some(Place { add: before.clone(), image: after.image.clone() })
}

/// What a commit did to the row; none if it only moved it.
fn event(step: &Step, before: Option<&Place>, after: Option<&Place>) -> Result<Option<Touched>> {
    let (change, columns) = match (before, after) {
        (None, None) => return Ok(None),
        (None, Some(_)) => (Change::Inserted, Vec::new()),
        (Some(_), None) => (Change::Deleted, Vec::new()),
        (Some(before), Some(after)) => {
            let columns = differing(&before.image, &after.image)?;
            if columns.is_empty() {
                return Ok(None);
            }
            (Change::Updated, columns)
        }
    };
    let image = |place: Option<&Place>| place.map(|place| values(&place.image, 0)).transpose();
    Ok(Some(Touched {
        commit: step.commit.clone(),
        change: Some(change),
        columns,
        before: image(before)?,
        after: image(after)?,
    }))
}

impl<'a> Life<'a> {
    /// Of a row of that table, within these versions.
    pub(super) fn of(table: &'a LakeTable, finder: &'a KeyFinder, span: Span) -> Self {
        let files = table.files();
        Self { files, finder, span, found: HashMap::new(), row: None, gaps: Vec::new() }
    }

    /// The row in the newest version.
    pub(super) fn row(&self) -> Option<&Values> {
        self.row.as_ref()
    }

    /// What could not be told.
    pub(super) fn gaps(&self) -> Vec<String> {
        self.gaps.clone()
    }

    /// Data files that were searched.
    pub(super) fn files_read(&self) -> u64 {
        self.found.len() as u64
    }

    /// The row in the files of one version, if one of them has it and does not mask it.
    async fn row_in(&mut self, adds: &[Add]) -> Result<Option<Place>> {
        for add in adds {
            match self.row_of(add).await {
                Ok(Some(place)) => return Ok(Some(place)),
                Ok(None) => {}
                // Vacuum has deleted it with every right.
                Err(error) if error.kind() == ErrorKind::TableCorrupt => {
                    let gap =
                        format!("a data file that may have held the row is gone: {}", add.path);
                    tracing::debug!("{}", error.chain());
                    if !self.gaps.contains(&gap) {
                        self.gaps.push(gap);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    async fn row_of(&mut self, add: &Add) -> Result<Option<Place>> {
        if !self.found.contains_key(&add.path) {
            let positions = self.finder.positions(add).await?;
            self.found.insert(add.path.clone(), positions);
        }
        let positions = &self.found[&add.path];
        if positions.is_empty() {
            return Ok(None);
        }
        let masked = self.files.masked(add).await?;
        let is_live = |row: &&u64| masked.binary_search(row).is_err();
        let Some(position) = positions.iter().find(is_live).copied() else { return Ok(None) };
        let mut rows = rows_at(self.files, add, vec![position]).await?;
        let image = rows.try_next().await?.filter(|image| image.num_rows() == 1);
        let image = image.ok_or_else(|| {
            Error::new(ErrorKind::TableCorrupt, "a data file lacks a row that it had")
                .with("file", &add.path)
        })?;
        Ok(Some(Place { add: add.clone(), image }))
    }
}
