//! Gives Parquet's reader the bytes of a staged object: whole, or row group by row group.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use bytes::buf::{Buf, Reader};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::{OBJECT_STORE_COALESCE_DEFAULT, coalesce_ranges};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use parquet::file::reader::{ChunkReader, Length};

use crate::decode::bounds::Bounds;
use crate::dms::Compression;
use crate::error::{Error, Result};
use crate::memory::extend;
use crate::staging::fetch::{Gunzip, ObjectBytes, compression};
use crate::staging::object_context::ObjectContext;

/// Objects up to this size are fetched by one request: DMS's default limit for change objects.
const WHOLE: u64 = 32 * 1024 * 1024;
const UNWRAP: &str =
    "stage the object again without gzip around it: Parquet compresses its own pages";
const SHORTER_GROUPS: &str =
    "stage the object again with shorter row groups (row_group_length of the endpoint)";

/// The bytes of an object: all of them in memory, or fetched range by range.
#[derive(Debug)]
pub(super) enum Object {
    Memory(Bytes),
    Store(Box<ObjectBytes>),
}

impl Object {
    /// The object, decompressed if it is gzip as a whole; `None` if it is empty.
    pub(super) async fn open(bytes: &ObjectBytes, bounds: Bounds) -> Result<Option<Self>> {
        let context = &bytes.context;
        let is_large = bytes.size > WHOLE.min(bounds.whole().bytes() as u64);
        let object = if is_large && !bytes.is_read() {
            match compression(&bytes.range(0..4).await?) {
                Compression::None => Self::Store(Box::new(bytes.clone())),
                Compression::Gzip => {
                    Self::Memory(unwrapped(bytes.stream().await?, bounds, context).await?)
                }
            }
        } else {
            let all = bytes.all().await?;
            match compression(&all) {
                Compression::None => Self::Memory(all),
                Compression::Gzip => {
                    let stream = futures::stream::once(async { Ok(all) }).boxed();
                    Self::Memory(unwrapped(stream, bounds, context).await?)
                }
            }
        };
        Ok((object.size() > 0).then_some(object))
    }

    pub(super) fn size(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::Store(object) => object.size,
        }
    }

    /// The bytes of a range within the object.
    pub(super) async fn range(&self, range: Range<u64>) -> Result<Bytes> {
        match self {
            Self::Memory(bytes) => {
                let at = |position| usize::try_from(position).unwrap_or(usize::MAX);
                Ok(bytes.slice(at(range.start)..at(range.end)))
            }
            Self::Store(object) => object.range(range).await,
        }
    }

    /// The column chunks of a row group.
    ///
    /// # Errors
    /// `MalformedObject` if they are not within the object or take more than the bounds allow;
    /// errors of reading.
    pub(super) async fn chunks(
        &self,
        row_group: &RowGroupMetaData,
        bounds: Bounds,
        context: &ObjectContext,
    ) -> Result<Chunks> {
        let size = self.size();
        let ranges = row_group.columns().iter().map(|column| within(column, size, context));
        let ranges = ranges.collect::<Result<Vec<_>>>()?;
        let object = match self {
            // The bytes are in memory already.
            Self::Memory(all) => return Ok(Chunks { parts: vec![(0, all.clone())] }),
            Self::Store(object) => object,
        };
        let bytes = ranges.iter().map(|range| range.end - range.start);
        let bytes = bytes.fold(0_u64, u64::saturating_add);
        bounds.whole().check("a row group of the object", bytes, SHORTER_GROUPS, context)?;
        // Gaps between chunks that are fetched with them count too.
        let room = bounds.whole().bytes() as u64 - bytes;
        let gap = (room / ranges.len().max(1) as u64).min(OBJECT_STORE_COALESCE_DEFAULT);
        let parts = coalesce_ranges(&ranges, |range| object.range(range), gap).await?;
        let starts = ranges.into_iter().map(|range| range.start);
        Ok(Chunks { parts: starts.zip(parts).collect() })
    }
}

/// The byte range of a column chunk. The reader cannot handle negative offsets.
pub(super) fn within(
    column: &ColumnChunkMetaData,
    size: u64,
    context: &ObjectContext,
) -> Result<Range<u64>> {
    let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
    let found = || {
        let start = u64::try_from(start).ok()?;
        let end = start.checked_add(u64::try_from(column.compressed_size()).ok()?)?;
        (end <= size).then_some(start..end)
    };
    found().ok_or_else(|| {
        let bytes = column.compressed_size();
        context.malformed(format!(
            "a column chunk of {bytes} bytes at offset {start} is not within the object's {size} \
             bytes"
        ))
    })
}

/// The decompressed content of a gzip stream.
async fn unwrapped(
    mut stream: BoxStream<'static, Result<Bytes>>,
    bounds: Bounds,
    context: &ObjectContext,
) -> Result<Bytes> {
    let bound = bounds.whole();
    let mut unwrapped = Vec::new();
    let mut gunzip = Gunzip::new();
    let mut take = |piece: &[u8]| {
        let bytes = (unwrapped.len() + piece.len()) as u64;
        bound.check("the decompressed object", bytes, UNWRAP, context)?;
        extend(&mut unwrapped, piece, bound.bytes())
    };
    while let Some(chunk) = stream.try_next().await? {
        gunzip.push(&chunk, context, &mut take)?;
    }
    gunzip.finish(context, &mut take)?;
    Ok(Bytes::from(unwrapped))
}

/// Parts of an object's bytes, each with its offset.
#[derive(Clone, Debug)]
pub(super) struct Chunks {
    parts: Vec<(u64, Bytes)>,
}

impl Chunks {
    /// The bytes of a range.
    pub(super) fn range(&self, range: &Range<u64>) -> Option<Bytes> {
        self.parts.iter().find_map(|(start, part)| {
            let from = usize::try_from(range.start.checked_sub(*start)?).ok()?;
            let to = usize::try_from(range.end.checked_sub(*start)?).ok()?;
            (from <= to && to <= part.len()).then(|| part.slice(from..to))
        })
    }
}

impl Length for Chunks {
    fn len(&self) -> u64 {
        let ends = self.parts.iter().map(|(start, part)| start + part.len() as u64);
        ends.max().unwrap_or_default()
    }
}

impl ChunkReader for Chunks {
    type T = Reader<Bytes>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        let rest = self.parts.iter().find_map(|(begin, part)| {
            let from = usize::try_from(start.checked_sub(*begin)?).ok()?;
            (from < part.len()).then(|| part.slice(from..))
        });
        rest.map(Buf::reader).ok_or_else(beyond)
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        self.range(&(start..start.saturating_add(length as u64))).ok_or_else(beyond)
    }
}

fn beyond() -> ParquetError {
    ParquetError::EOF("bytes beyond a column chunk are asked for".to_owned())
}

/// Runs Parquet's reader, which panics on some unexpected input. A panic is an error of this
/// object; other tables are still applied.
pub(super) fn guarded<T, E: Into<ParquetError>>(
    context: &ObjectContext,
    read: impl FnOnce() -> std::result::Result<T, E>,
) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(Ok(read)) => Ok(read),
        Ok(Err(error)) => Err(unreadable(context).because(error.into())),
        Err(_panic) => Err(unreadable(context)),
    }
}

fn unreadable(context: &ObjectContext) -> Error {
    context.malformed("the object cannot be read as Parquet")
}
