//! Opens a staged object of either format and reads its changes.

use std::sync::Arc;

use bytes::Bytes;
use object_store::ObjectStore;

use crate::config::TableSpec;
use crate::decode::DecodedBatch;
use crate::decode::bounds::{Bounds, ReadBounds};
use crate::decode::columns::Expected;
use crate::decode::csv::read::CsvReader;
use crate::decode::parquet::read::ParquetReader;
#[cfg(feature = "cli")]
use crate::decode::read_ahead::{BATCH_BYTES, BATCH_ROWS};
use crate::decode::sequence::ChangeSequence;
use crate::dms::{Format, Phase, S3Settings};
use crate::error::Result;
use crate::schema::{Column, ColumnChange, TableSchema};
use crate::staging::StagedObject;
use crate::staging::fetch::ObjectBytes;
use crate::staging::object_context::ObjectContext;
#[cfg(feature = "cli")]
use crate::storage::Location;
use crate::storage::StoreKind;

/// What decoding needs to know about a table's objects.
#[derive(Clone, Copy, Debug)]
pub struct DecodeContext<'a> {
    /// The table's settings.
    pub table: &'a TableSpec,
    /// The endpoint's settings.
    pub dms: &'a S3Settings,
    /// The table's columns in the lake, if it exists.
    pub lake: Option<&'a TableSchema>,
    /// How the table's columns will have changed when the object is applied.
    pub changes: &'a [ColumnChange],
    /// The store of staging.
    pub store: &'a Arc<dyn ObjectStore>,
    /// The kind of that store, which decides what identifies an object.
    pub kind: StoreKind,
    /// The most rows of a batch, at least one.
    pub batch_rows: usize,
    /// A batch ends once this many bytes have been read for it, and holds at least one row.
    pub batch_bytes: usize,
    /// Bytes of decoded rows that may be in memory at once; bounds what the object may ask for.
    pub memory_budget: usize,
}

#[cfg(feature = "cli")]
impl<'a> DecodeContext<'a> {
    /// For one object after another at that place, in batches as large as applying makes them.
    pub(crate) fn one_by_one(
        table: &'a TableSpec,
        dms: &'a S3Settings,
        staging: &'a Location,
        lake: &'a TableSchema,
        memory_budget: usize,
    ) -> Self {
        Self {
            table,
            dms,
            lake: Some(lake),
            changes: &[],
            store: staging.store(),
            kind: staging.kind(),
            batch_rows: BATCH_ROWS,
            batch_bytes: BATCH_BYTES,
            memory_budget,
        }
    }
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

/// Opens a staged object. The first `skip_rows` rows are skipped, but row numbers still count from
/// the start of the object.
///
/// # Errors
/// `SchemaRefused` if its columns or types cannot be read into the table; `MalformedObject` if
/// its bytes are not of its format; `Conflict` if it is no longer the object that was listed;
/// `Unavailable` if the store fails.
pub async fn open(
    context: &DecodeContext<'_>,
    object: &StagedObject,
    skip_rows: u64,
) -> Result<ObjectReader> {
    let bounds = Bounds::of_budget(context.memory_budget);
    open_content(context, object, skip_rows, None, bounds).await
}

/// The same, for those who wait for every request: the bytes of a Parquet object come by one, unless
/// they are more than half of the memory. Those of a CSV object always do.
///
/// # Errors
/// As [`open`].
#[cfg(feature = "cli")]
pub(crate) async fn open_at_once(
    context: &DecodeContext<'_>,
    object: &StagedObject,
    skip_rows: u64,
) -> Result<ObjectReader> {
    let most = u64::try_from(context.memory_budget / 2).unwrap_or(u64::MAX);
    let is_one = object.name.format == Format::Parquet && (1..=most).contains(&object.size);
    let whole = if is_one { Some(bytes_of(context, object, None).all().await?) } else { None };
    let bounds = Bounds::of_budget(context.memory_budget);
    open_content(context, object, skip_rows, whole, bounds).await
}

/// Opens an object whose bytes may already have been read: `whole`, if so.
pub(super) async fn open_content(
    context: &DecodeContext<'_>,
    object: &StagedObject,
    skip_rows: u64,
    whole: Option<Bytes>,
    bounds: Bounds,
) -> Result<ObjectReader> {
    if object.size == 0 {
        return Ok(ObjectReader { columns: Vec::new(), body: Body::Empty });
    }
    let expected = Expected {
        table: context.table,
        dms: context.dms,
        lake: context.lake,
        changes: context.changes,
        layout: context.table.layout_for(&object.name),
        keys: context.table.keys_for(&object.name),
        // Rows of a full load are older than every change.
        is_guarded: context.table.is_guarded() && matches!(object.name.phase, Phase::Cdc { .. }),
    };
    let read_bounds = ReadBounds {
        skip_rows,
        batch_rows: context.batch_rows.max(1),
        batch_bytes: context.batch_bytes.max(1),
        bounds,
    };
    let bytes = bytes_of(context, object, whole);
    let phase = &object.name.phase;
    let body = match object.name.format {
        Format::Csv => CsvReader::open(&bytes, &expected, phase, read_bounds)
            .await?
            .map(Box::new)
            .map(Body::Csv),
        Format::Parquet => ParquetReader::open(&bytes, &expected, phase, read_bounds)
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

fn bytes_of(
    context: &DecodeContext<'_>,
    object: &StagedObject,
    whole: Option<Bytes>,
) -> ObjectBytes {
    let shown = context.kind.shown(&object.location);
    let told = ObjectContext::new(context.table.source.to_string(), object, shown);
    ObjectBytes::new(context.store, context.kind, object, whole, told)
}

impl ObjectReader {
    /// The columns of the lake that the object has, in its order; empty if it has no rows.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The names of the object's fields, in its order; empty if it has no rows. Those of a CSV object
    /// may be values of a first row that was taken for a header.
    #[cfg(feature = "cli")]
    pub(crate) fn field_names(&self) -> &[String] {
        match &self.body {
            Body::Empty => &[],
            Body::Csv(reader) => &reader.plan().names,
            Body::Parquet(reader) => &reader.plan().names,
        }
    }

    /// The next rows, bad ones included; `None` at the end of the object. A batch may consist of
    /// bad rows only.
    ///
    /// # Errors
    /// Those of [`open`]; also `MalformedObject` if the change sequence decreases. Nothing can be
    /// read from the object after an error.
    pub async fn next(&mut self) -> Result<Option<DecodedBatch>> {
        match &mut self.body {
            Body::Empty => Ok(None),
            Body::Csv(reader) => reader.next().await,
            Body::Parquet(reader) => reader.next().await,
        }
    }

    /// The first and last change sequence of the rows read so far; `None` if rows carry none.
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
