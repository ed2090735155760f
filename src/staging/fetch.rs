//! Reads the bytes of one staged object, and makes sure that it is still the one that was listed.

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

/// How much compressed input is decompressed at once: a gzip bomb yields a thousand times as much.
pub(crate) const GZIP_STEP: usize = 1024;

/// How many bytes of a file are read at once.
const FILE_CHUNK: u64 = 4 << 20;

/// One staged object in its store.
#[derive(Clone, Debug)]
pub(crate) struct ObjectBytes {
    store: Arc<dyn ObjectStore>,
    location: Path,
    if_match: Option<String>,
    /// All bytes, if they have been read already.
    content: Option<Bytes>,
    pub(crate) size: u64,
    pub(crate) context: ObjectContext,
}

impl ObjectBytes {
    /// The object's bytes. On S3 every request carries its ETag, so that a rewritten object is
    /// noticed at any time.
    pub(crate) fn new(
        store: &Arc<dyn ObjectStore>,
        kind: StoreKind,
        object: &StagedObject,
        whole: Option<Bytes>,
        context: ObjectContext,
    ) -> Self {
        let if_match = match kind {
            StoreKind::S3 => object.e_tag.clone(),
            StoreKind::File => None,
        };
        let location = object.location.clone();
        let store = Arc::clone(store);
        Self { store, location, if_match, content: whole, size: object.size, context }
    }

    /// Whether all bytes have been read already.
    pub(crate) fn is_read(&self) -> bool {
        self.content.is_some()
    }

    /// All bytes, in chunks as they arrive.
    pub(crate) async fn stream(&self) -> Result<BoxStream<'static, Result<Bytes>>> {
        if let Some(content) = self.content.clone() {
            return Ok(futures::stream::once(async { Ok(content) }).boxed());
        }
        let found = self.get(None).await?;
        let context = self.context.clone();
        Ok(chunks(found).map_err(move |error| context.unread(error)).boxed())
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

    /// Gathers what was found into one piece.
    async fn gather(&self, found: GetResult) -> Result<Bytes> {
        let length = usize::try_from(found.range.end - found.range.start).unwrap_or(usize::MAX);
        let mut chunks = chunks(found);
        let mut gathered = Vec::new();
        while let Some(chunk) =
            chunks.try_next().await.map_err(|error| self.context.unread(error))?
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
        let found = got.map_err(|error| self.context.unread(error))?;
        // The bounds on memory were checked for the size that was listed.
        if found.meta.size == self.size { Ok(found) } else { Err(self.context.changed()) }
    }
}

/// All bytes of what was found, in chunks. Files are read in larger pieces than by the store's own
/// stream, which leaves the task for each piece.
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

/// The part of a file that is still to be read.
type Rest = (File, Range<u64>);

/// The first chunk of a range, and the rest after it; `None` at the end.
fn read_chunk(mut file: File, range: Range<u64>) -> std::io::Result<Option<(Bytes, Rest)>> {
    let wanted = (range.end - range.start).min(FILE_CHUNK);
    let mut chunk = Vec::with_capacity(usize::try_from(wanted).unwrap_or_default());
    file.seek(SeekFrom::Start(range.start))?;
    let read = (&file).take(wanted).read_to_end(&mut chunk)?;
    let rest = range.start + read as u64..range.end;
    Ok((read > 0).then(|| (Bytes::from(chunk), (file, rest))))
}

/// The compression that the first bytes show; at least two are needed.
pub(crate) fn compression(head: &[u8]) -> Compression {
    if head.starts_with(&[0x1f, 0x8b]) { Compression::Gzip } else { Compression::None }
}

/// Decompresses gzip, member after member, from chunks of any size.
pub(crate) struct Gunzip {
    decoder: MultiGzDecoder<Vec<u8>>,
}

impl Gunzip {
    pub(crate) fn new() -> Self {
        Self { decoder: MultiGzDecoder::new(Vec::new()) }
    }

    /// Takes in a chunk and passes on what it yields.
    pub(crate) fn push(
        &mut self,
        chunk: &[u8],
        context: &ObjectContext,
        mut sink: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        for step in chunk.chunks(GZIP_STEP) {
            self.decoder.write_all(step).map_err(|error| broken(context, error))?;
            self.drain(&mut sink)?;
        }
        Ok(())
    }

    /// Passes on the rest. A truncated stream is malformed.
    pub(crate) fn finish(
        &mut self,
        context: &ObjectContext,
        mut sink: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        self.decoder.try_finish().map_err(|error| broken(context, error))?;
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

fn broken(context: &ObjectContext, error: std::io::Error) -> Error {
    context.malformed("the object is not valid gzip").because(error)
}
