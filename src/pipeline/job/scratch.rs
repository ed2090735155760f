//! What the tasks of a round leave for those of the next stage: objects of encoded batches, read by
//! segments.

use std::io::Cursor;
use std::ops::Range;

use arrow::error::ArrowError;
use arrow::ipc::CompressionType;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::{IpcWriteOptions, StreamWriter};
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use futures::TryStreamExt as _;
use object_store::{Error as StoreError, ObjectStoreExt as _, PutPayload};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::config::{OWN, TableSpec};
use crate::error::{Error, ErrorKind, Result};
use crate::pipeline::Pipeline;
use crate::storage::{Location, delete_all};

/// The folder of the lake's own one in which they are.
const FOLDER: &str = "scratch";

/// Consecutive bytes of a scratch object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Segment {
    /// Where they begin.
    pub(crate) at: u64,
    pub(crate) bytes: u64,
    /// Rows in them.
    pub(crate) rows: u64,
}

impl Segment {
    fn range(self) -> Range<u64> {
        self.at..self.at + self.bytes
    }
}

/// The scratch objects of one round.
#[derive(Clone, Debug)]
pub(super) struct Scratch {
    folder: Location,
}

impl Scratch {
    /// Of the round with that id.
    pub(super) fn of(pipeline: &Pipeline, spec: &TableSpec, id: Uuid) -> Result<Self> {
        let folder = pipeline.lake_folder_of(&spec.source, &[OWN, FOLDER])?;
        Ok(Self { folder: folder.folder(&[&id.to_string()])? })
    }

    /// Writes an object that nothing refers to until its task's result is taken in.
    pub(super) async fn put(&self, object: &str, bytes: Vec<u8>) -> Result<()> {
        let path = self.folder.prefix().clone().join(object);
        self.folder.store().put(&path, PutPayload::from(bytes)).await?;
        Ok(())
    }

    /// The bytes of segments of an object.
    ///
    /// # Errors
    /// `Conflict` if the object is gone, `Unavailable` if it cannot be read.
    pub(super) async fn get(&self, object: &str, segments: &[Segment]) -> Result<Vec<Bytes>> {
        if segments.is_empty() {
            return Ok(Vec::new());
        }
        let path = self.folder.prefix().clone().join(object);
        let ranges: Vec<_> = segments.iter().map(|segment| segment.range()).collect();
        match self.folder.store().get_ranges(&path, &ranges).await {
            Ok(bytes) => Ok(bytes),
            Err(StoreError::NotFound { .. }) => {
                Err(Error::new(ErrorKind::Conflict, "what a task has left was deleted meanwhile")
                    .with("scratch object", self.folder.shown(object)))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The batches of segments, each of them one.
    pub(super) async fn batches(
        &self,
        object: &str,
        segments: &[Segment],
    ) -> Result<Vec<RecordBatch>> {
        let bytes = self.get(object, segments).await?;
        let batches = bytes.into_iter().zip(segments);
        batches.map(|(bytes, segment)| decoded(bytes, segment.rows)).collect()
    }

    /// The segments that an object lists.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub(super) async fn segments(&self, object: &str, index: Segment) -> Result<Vec<Segment>> {
        let bytes = self.get(object, &[index]).await?;
        let listed = bytes.first().and_then(|json| serde_json::from_slice(json).ok());
        listed.ok_or_else(unreadable)
    }

    /// Deletes all of them. What is left is the lifecycle rule's, so that a failure is only logged.
    pub(super) async fn remove(&self) {
        let deleted = async {
            let store = self.folder.store();
            let listed: Vec<_> = store.list(Some(self.folder.prefix())).try_collect().await?;
            delete_all(store, listed.into_iter().map(|meta| meta.location)).await
        };
        if let Err(error) = deleted.await {
            tracing::warn!("scratch objects are left: {}", error.chain());
        }
    }
}

/// Appends a batch to the bytes of an object.
pub(super) fn append(bytes: &mut Vec<u8>, batch: &RecordBatch) -> Result<Segment> {
    let at = bytes.len() as u64;
    let options = IpcWriteOptions::default()
        .try_with_compression(Some(CompressionType::LZ4_FRAME))
        .map_err(unwritten)?;
    let mut writer =
        StreamWriter::try_new_with_options(bytes, &batch.schema(), options).map_err(unwritten)?;
    writer.write(batch).and_then(|()| writer.finish()).map_err(unwritten)?;
    let end = writer.into_inner().map_err(unwritten)?.len() as u64;
    Ok(Segment { at, bytes: end - at, rows: batch.num_rows() as u64 })
}

/// Appends bytes that are no batch.
pub(super) fn append_bytes(bytes: &mut Vec<u8>, more: &[u8], rows: u64) -> Segment {
    let at = bytes.len() as u64;
    bytes.extend_from_slice(more);
    Segment { at, bytes: more.len() as u64, rows }
}

/// Segments as bytes of an object.
pub(super) fn as_json(segments: &[Segment]) -> Result<Vec<u8>> {
    serde_json::to_vec(segments).map_err(|error| {
        Error::new(ErrorKind::Internal, "segments cannot be written").because(error)
    })
}

fn decoded(bytes: Bytes, rows: u64) -> Result<RecordBatch> {
    let unread = |error: ArrowError| unreadable().because(error);
    let mut batches = StreamReader::try_new(Cursor::new(bytes), None).map_err(unread)?;
    let batch = batches.next().transpose().map_err(unread)?;
    batch.filter(|batch| batch.num_rows() as u64 == rows).ok_or_else(unreadable)
}

fn unwritten(error: ArrowError) -> Error {
    Error::new(ErrorKind::Internal, "rows cannot be encoded for another task").because(error)
}

/// Somebody has changed the object; a new round does not read it.
pub(super) fn unreadable() -> Error {
    Error::new(ErrorKind::Conflict, "what a task has left is not what it wrote")
}
