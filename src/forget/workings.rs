//! What jobs and rebuilds that are over have left: encoded rows, and logs with statistics. It is not
//! read, but deleted as a whole.

use chrono::{DateTime, Utc};
use futures::TryStreamExt as _;
use object_store::ObjectMeta;

use crate::config::TableSpec;
use crate::error::Result;
use crate::pipeline::Pipeline;
use crate::storage::delete_all;

/// Objects that are of no use to anybody.
#[derive(Debug, Default)]
pub(super) struct Workings {
    /// Those that no job or rebuild can be at work on.
    pub(super) old: Vec<ObjectMeta>,
    /// The others.
    pub(super) young: Vec<ObjectMeta>,
}

impl Workings {
    /// Lists them; `cutoff` is the time before which they are old.
    ///
    /// # Errors
    /// `Unavailable` if the lake cannot be listed.
    pub(super) async fn of(
        pipeline: &Pipeline,
        spec: &TableSpec,
        cutoff: DateTime<Utc>,
    ) -> Result<Self> {
        let mut workings = Self::default();
        for folder in pipeline.working_folders(&spec.source)? {
            let listed = folder.store().list(Some(folder.prefix()));
            let all: Vec<ObjectMeta> = listed.try_collect().await?;
            let (old, young): (Vec<_>, Vec<_>) =
                all.into_iter().partition(|meta| meta.last_modified < cutoff);
            workings.old.extend(old);
            workings.young.extend(young);
        }
        Ok(workings)
    }

    /// Deletes the old ones and gives their number.
    ///
    /// # Errors
    /// `Unavailable` if the lake does not let them be deleted.
    pub(super) async fn delete(&mut self, pipeline: &Pipeline) -> Result<u64> {
        let old = std::mem::take(&mut self.old);
        let count = old.len() as u64;
        delete_all(pipeline.lake().store(), old.into_iter().map(|meta| meta.location)).await?;
        Ok(count)
    }
}
