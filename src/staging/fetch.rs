//! The bytes of one staged object: always those of the object that was listed.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, GetResult, GetResultPayload, ObjectStore};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};

use crate::dms::Compression;
use crate::error::{Error, Result};
use crate::memory::reserve;
use crate::staging::StagedObject;
use crate::staging::object_context::ObjectContext;
use crate::storage::StoreKind;

/// How much compressed input is unwrapped at once: a bomb yields a thousand times that in one step.
pub(crate) const GZIP_STEP: usize = 1024;

/// Bytes of a file that are read at once.
const FILE_CHUNK: u64 = 4 << 20;

/// One staged object in its store.
#[derive(Clone, Debug)]
pub(crate) struct ObjectBytes {
    store: Arc<dyn ObjectStore>,
    location: Path,
    if_match: Option<String>,
    /// All bytes, where they have been read already.
    content: Option<Bytes>,
    pub(crate) size: u64,
    pub(crate) subject: ObjectContext,
}

impl ObjectBytes {
    /// The object's bytes; on S3 every request carries its ETag, so that a rewritten object
    /// is noticed whenever that happens.
    pub(crate) fn new(
        store: &Arc<dyn ObjectStore>,
        kind: StoreKind,
        object: &StagedObject,
        content: Option<Bytes>,
        subject: ObjectContext,
    ) -> Self {
        let if_match = match kind {
            StoreKind::S3 => object.e_tag.clone(),
            StoreKind::File => None,
        };
        let location = object.location.clone();
        let store = Arc::clone(store);
        Self { store, location, if_match, content, size: object.size, subject }
    }

    /// All bytes, in chunks as they arrive.
    pub(crate) async fn stream(&self) -> Result<BoxStream<'static, Result<Bytes>>> {
        if let Some(content) = self.content.clone() {
            return Ok(futures::stream::once(async { Ok(content) }).boxed());
        }
        let found = self.get(None).await?;
        let subject = self.subject.clone();
        Ok(chunks(found).map_err(move |error| subject.unread(error)).boxed())
    }

    /// All bytes at once.
    pub(crate) async fn all(&self) -> Result<Bytes> {
        if let Some(content) = self.content.clone() {
            return Ok(content);
        }
        self.gather(self.get(None).await?).await
    }

    /// The bytes of a range.
    pub(crate) async fn range(&self, range: Range<u64>) -> Result<Bytes> {
        self.gather(self.get(Some(GetRange::Bounded(range))).await?).await
    }

    /// All of what was found, in one piece.
    async fn gather(&self, found: GetResult) -> Result<Bytes> {
        let length = usize::try_from(found.range.end - found.range.start).unwrap_or(usize::MAX);
        let mut chunks = chunks(found);
        let mut gathered = Vec::new();
        while let Some(chunk) =
            chunks.try_next().await.map_err(|error| self.subject.unread(error))?
        {
            if chunk.len() == length {
                return Ok(chunk);
            }
            if gathered.is_empty() {
                reserve(&mut gathered, length)?;
            }
            gathered.extend_from_slice(&chunk);
        }
        Ok(Bytes::from(gathered))
    }

    async fn get(&self, range: Option<GetRange>) -> Result<GetResult> {
        let options =
            GetOptions { if_match: self.if_match.clone(), range, ..GetOptions::default() };
        let got = self.store.get_opts(&self.location, options).await;
        let found = got.map_err(|error| self.subject.unread(error))?;
        // What is to be read was bounded by the size that was listed.
        if found.meta.size == self.size { Ok(found) } else { Err(self.subject.changed()) }
    }
}

/// All bytes of what was found, in chunks. Files are read in larger pieces than the store's own
/// stream does, which leaves the task for each.
pub(crate) fn chunks(found: GetResult) -> BoxStream<'static, object_store::Result<Bytes>> {
    let range = found.range;
    let file = match found.payload {
        GetResultPayload::File(file, _) => file,
        GetResultPayload::Stream(stream) => return stream,
    };
    let next = |(file, range): Rest| async move {
        let read = tokio::task::spawn_blocking(move || read_chunk(file, range)).await?;
        read.map_err(|source| object_store::Error::Generic {
            store: "file",
            source: Box::new(source),
        })
    };
    futures::stream::try_unfold((file, range), next).boxed()
}

/// What is left to be read of a file.
type Rest = (File, Range<u64>);

/// The first chunk of a range, and what is left behind it.
fn read_chunk(mut file: File, range: Range<u64>) -> std::io::Result<Option<(Bytes, Rest)>> {
    let wanted = (range.end - range.start).min(FILE_CHUNK);
    let mut chunk = Vec::with_capacity(usize::try_from(wanted).unwrap_or_default());
    file.seek(SeekFrom::Start(range.start))?;
    let read = (&file).take(wanted).read_to_end(&mut chunk)?;
    let rest = range.start + read as u64..range.end;
    Ok((read > 0).then(|| (Bytes::from(chunk), (file, rest))))
}

/// What the first bytes say; at least two are needed to tell.
pub(crate) fn compression(head: &[u8]) -> Compression {
    if head.starts_with(&[0x1f, 0x8b]) { Compression::Gzip } else { Compression::None }
}

/// Unwraps gzip, member after member, from chunks of any size.
pub(crate) struct Gunzip {
    decoder: MultiGzDecoder<Vec<u8>>,
}

impl Gunzip {
    pub(crate) fn new() -> Self {
        Self { decoder: MultiGzDecoder::new(Vec::new()) }
    }

    /// Takes a chunk in and passes on what it yields.
    pub(crate) fn push(
        &mut self,
        chunk: &[u8],
        subject: &ObjectContext,
        mut sink: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        for step in chunk.chunks(GZIP_STEP) {
            self.decoder.write_all(step).map_err(|error| broken(subject, error))?;
            self.drain(&mut sink)?;
        }
        Ok(())
    }

    /// Passes on the rest; a stream that stops in the middle is malformed.
    pub(crate) fn finish(
        &mut self,
        subject: &ObjectContext,
        mut sink: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        self.decoder.try_finish().map_err(|error| broken(subject, error))?;
        self.drain(&mut sink)
    }

    fn drain(&mut self, sink: &mut impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let unwrapped = self.decoder.get_mut();
        if !unwrapped.is_empty() {
            sink(unwrapped)?;
            unwrapped.clear();
        }
        Ok(())
    }
}

fn broken(subject: &ObjectContext, error: std::io::Error) -> Error {
    subject.malformed("the object is not valid gzip").because(error)
}
