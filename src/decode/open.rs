//! Opening a staged object and reading its changes, whatever its format.

use std::sync::Arc;

use bytes::Bytes;
use object_store::ObjectStore;

use crate::config::TableSpec;
use crate::decode::DecodedBatch;
use crate::decode::bounds::{Bounds, ReadBounds};
use crate::decode::columns::Expected;
use crate::decode::csv::read::CsvReader;
use crate::decode::parquet::read::ParquetReader;
use crate::decode::sequence::ChangeSequence;
use crate::dms::{Format, S3Settings};
use crate::error::Result;
use crate::schema::{Column, TableSchema};
use crate::staging::StagedObject;
use crate::staging::fetch::ObjectBytes;
use crate::staging::object_context::ObjectContext;
use crate::storage::StoreKind;

/// What decoding the objects of one table needs to know.
#[derive(Clone, Copy, Debug)]
pub struct DecodeContext<'a> {
    /// The table's settings.
    pub table: &'a TableSpec,
    /// The endpoint's settings.
    pub dms: &'a S3Settings,
    /// The table's columns in the lake, if it exists.
    pub lake: Option<&'a TableSchema>,
    /// The store of staging.
    pub store: &'a Arc<dyn ObjectStore>,
    /// What identifies an object there.
    pub kind: StoreKind,
    /// At most so many rows a batch; at least one.
    pub batch_rows: usize,
    /// A batch ends once so many bytes are read for it; it then holds one row at least.
    pub batch_bytes: usize,
    /// Bytes of decoded rows that may be in memory at once: bounds what the object may ask for.
    pub memory_budget: usize,
}

/// The changes of one staged object, in row order, in bounded memory.
pub struct ObjectReader {
    columns: Vec<Column>,
    body: Body,
}

enum Body {
    /// No rows.
    Empty,
    Csv(Box<CsvReader>),
    Parquet(Box<ParquetReader>),
}

/// Opens a staged object. The first `skip_rows` rows are passed over; row numbers count from
/// the object's start all the same.
///
/// # Errors
/// `SchemaRefused` if its columns or types cannot be read into the table; `MalformedObject` if
/// its bytes are not of its format; `Conflict` if it is not the object that was listed any more;
/// `Unavailable` if the store fails.
pub async fn open(
    context: &DecodeContext<'_>,
    object: &StagedObject,
    skip_rows: u64,
) -> Result<ObjectReader> {
    let bounds = Bounds::of_budget(context.memory_budget);
    open_content(context, object, skip_rows, None, bounds).await
}

/// The same, of an object whose bytes may have been read already.
pub(super) async fn open_content(
    context: &DecodeContext<'_>,
    object: &StagedObject,
    skip_rows: u64,
    whole: Option<Bytes>,
    bounds: Bounds,
) -> Result<ObjectReader> {
    let shown = context.kind.shown(&object.location);
    let subject = ObjectContext::new(context.table.source.to_string(), object, shown);
    if object.size == 0 {
        return Ok(ObjectReader { columns: Vec::new(), body: Body::Empty });
    }
    let expected = Expected {
        table: context.table,
        dms: context.dms,
        lake: context.lake,
        layout: context.table.layout_for(&object.name),
        keys: context.table.keys_for(&object.name),
    };
    let passage = ReadBounds {
        skip_rows,
        batch_rows: context.batch_rows.max(1),
        batch_bytes: context.batch_bytes.max(1),
        bounds,
    };
    let bytes = ObjectBytes::new(context.store, context.kind, object, whole, subject);
    let phase = &object.name.phase;
    let body = match object.name.format {
        Format::Csv => {
            CsvReader::open(&bytes, &expected, phase, passage).await?.map(Box::new).map(Body::Csv)
        }
        Format::Parquet => ParquetReader::open(&bytes, &expected, phase, passage)
            .await?
            .map(Box::new)
            .map(Body::Parquet),
    };
    let body = body.unwrap_or(Body::Empty);
    let columns = match &body {
        Body::Empty => Vec::new(),
        Body::Csv(reader) => reader.plan().columns(),
        Body::Parquet(reader) => reader.plan().columns(),
    };
    Ok(ObjectReader { columns, body })
}

impl ObjectReader {
    /// The lake's columns that the object brings, in its order; none if it has no rows.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The next rows, bad ones included; none at the object's end. A batch may hold bad rows
    /// only.
    ///
    /// # Errors
    /// As [`open`]; also `MalformedObject` if the change sequence falls. Nothing can be read
    /// from the object after an error.
    pub async fn next(&mut self) -> Result<Option<DecodedBatch>> {
        match &mut self.body {
            Body::Empty => Ok(None),
            Body::Csv(reader) => reader.next().await,
            Body::Parquet(reader) => reader.next().await,
        }
    }

    /// The first and last change sequence of the rows read so far; none where rows carry none.
    #[must_use]
    pub fn sequence(&self) -> Option<&ChangeSequence> {
        match &self.body {
            Body::Empty => None,
            Body::Csv(reader) => reader.sequence().seen(),
            Body::Parquet(reader) => reader.sequence().seen(),
        }
    }
}

impl std::fmt::Debug for ObjectReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ObjectReader").field("columns", &self.columns).finish_non_exhaustive()
    }
}
