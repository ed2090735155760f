//! Copy-on-write: writes the replacement of a touched file.
//!
//! Rows keep their order, and a new image takes the place of the row that it updates. Keys thus
//! stay clustered as they were before the merge. Row groups without changes are copied as encoded;
//! the others are decoded and encoded column by column.

mod bytes;
mod copy;
mod edited;
mod steps;

use std::sync::Arc;

use arrow::array::RecordBatch;
use deltalake::kernel::Add;
use deltalake::logstore::ObjectStoreRef;

use crate::error::{Error, ErrorKind, Result};
use crate::files::FileLayout;
use crate::files::bytes::DataFileBytes;
use crate::files::damage::blamed;
use crate::files::data_file::DataFile;
use crate::files::rewrite::bytes::FileRange;
use crate::files::rewrite::copy::Copier;
use crate::files::rewrite::edited::{EditedRows, Images, Source};
use crate::files::rewrite::steps::{Step, plan};
use crate::files::touched::TouchedFile;

/// The result of rewriting a touched file.
#[derive(Clone, Debug, Default)]
pub struct Rewritten {
    /// The replacement; none if no row is left.
    pub add: Option<Add>,
    /// Rows replaced by a new image.
    pub updated_rows: u64,
    /// Rows deleted by a change.
    pub deleted_rows: u64,
    /// Rows in row groups that were copied as encoded.
    pub copied_rows: u64,
    /// Bytes of the copied row groups.
    pub copied_bytes: u64,
    /// Rows in row groups that were decoded and encoded again, including updated rows.
    pub encoded_rows: u64,
}

/// Writes the replacement of a touched file: its rows without masked and deleted ones, with images
/// from `upserts` in place of the rows they update. Nothing refers to the replacement until it is
/// committed. At most two row groups are in memory.
///
/// # Errors
/// `Unavailable` if the lake does not answer, `TableCorrupt` if the file does not match its footer
/// or the table's schema, `Internal` if the positions are not valid in the file.
pub async fn rewrite(
    store: &ObjectStoreRef,
    layout: &Arc<FileLayout>,
    touched: &TouchedFile,
    upserts: &[RecordBatch],
) -> Result<Rewritten> {
    let images = Arc::new(Images::of(layout, upserts)?);
    let before = DataFileBytes::of(store, &touched.add)?;
    let copier = Copier::of(layout, &touched.footer);
    let planned = plan(touched, images.len(), &copier)?;
    let mut rewritten = planned.rewritten;
    if planned.steps.is_empty() {
        return Ok(rewritten);
    }
    let source = Arc::new(Source::open(layout, Arc::clone(copier.footer()))?);
    let mut replacement = Replacement {
        before: &before,
        copier: &copier,
        source,
        images,
        file: DataFile::create(store, layout)?,
    };
    match replacement.fill(planned.steps).await {
        Ok(()) => {
            let partition_values = touched.add.partition_values.clone();
            rewritten.add = Some(replacement.file.finish(partition_values).await?);
            Ok(rewritten)
        }
        Err(error) => {
            replacement.file.abort().await;
            Err(blamed(error).with("file", &touched.add.path))
        }
    }
}

/// A replacement that is being written.
struct Replacement<'a> {
    before: &'a DataFileBytes,
    copier: &'a Copier,
    source: Arc<Source>,
    images: Arc<Images>,
    file: DataFile,
}

impl Replacement<'_> {
    /// Executes the steps in order while fetching the bytes of the next one.
    async fn fill(&mut self, steps: Vec<Step>) -> Result<()> {
        let (before, copier) = (self.before, self.copier);
        let fetch = async |step: Option<&Step>| match step {
            Some(step) => {
                let range = copier.byte_range(step.row_groups());
                FileRange::fetch(before, range).await.map(Some)
            }
            None => Ok(None),
        };
        let mut ahead = fetch(steps.first()).await?;
        let mut steps = steps.into_iter().peekable();
        while let (Some(bytes), Some(step)) = (ahead, steps.next()) {
            let (done, next) = tokio::join!(self.take(step, bytes), fetch(steps.peek()));
            done?;
            ahead = next?;
        }
        Ok(())
    }

    async fn take(&mut self, step: Step, bytes: FileRange) -> Result<()> {
        match step {
            Step::Copy(group) => {
                let columns = self.copier.columns(self.before, group).await?;
                self.file.append_encoded(&bytes, columns).await
            }
            Step::Encode(run) => {
                let rows = run.rows_left();
                let source = Arc::clone(&self.source);
                let edited = EditedRows::new(source, bytes, run, Arc::clone(&self.images));
                self.file.append(Arc::new(edited), rows).await
            }
        }
    }
}

fn misplaced() -> Error {
    Error::new(ErrorKind::Internal, "changed rows are not in the order of the file")
}
