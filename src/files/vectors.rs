//! Deletion vectors: reading which rows of a file are masked, and masking more rows.

use buoyant_kernel::actions::deletion_vector::DeletionVectorDescriptor as KernelDescriptor;
use buoyant_kernel::actions::deletion_vector_writer::{
    DeletionVectorWriteResult, KernelDeletionVector, StreamingDeletionVectorWriter,
};
use deltalake::kernel::{Add, DeletionVectorDescriptor, StorageType};
use deltalake::logstore::LogStoreRef;
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};
use serde_json::{Map, Value};
use url::Url;
use uuid::Uuid;

use crate::error::{Error, ErrorKind, Result, is_missing};
use crate::files::damage::{blamed, damaged};
use crate::files::touched::TouchedFile;

/// The physical rows of a file that are already masked, in ascending order.
///
/// # Errors
/// `Unavailable` if the vector cannot be read, `TableCorrupt` if it is not a valid deletion vector.
pub(crate) async fn masked(log_store: &LogStoreRef, root: &Url, add: &Add) -> Result<Vec<u64>> {
    let Some(vector) = add.deletion_vector.clone() else { return Ok(Vec::new()) };
    let unreadable = |error: buoyant_kernel::Error| {
        let error = if is_missing(&error) {
            damaged("a deletion vector file is missing").because(error)
        } else {
            blamed(Error::from(error))
        };
        error.with("file", &add.path)
    };
    let vector = KernelDescriptor::try_from(vector).map_err(unreadable)?;
    let storage = log_store.engine(None).storage_handler();
    let root = root.clone();
    let rows = tokio::task::spawn_blocking(move || vector.read(storage, &root)).await?;
    Ok(rows.map_err(unreadable)?.into_iter().collect())
}

/// Masks the changed rows of these files. Writes all vectors into one file at the table's root and
/// returns the new log entry of each file, or none if no row of the file is left.
///
/// # Errors
/// `Unavailable` if the vectors cannot be written.
pub(crate) async fn mask(
    log_store: &LogStoreRef,
    files: &[TouchedFile],
    id: Uuid,
) -> Result<Vec<Option<Add>>> {
    let mut bytes = Vec::new();
    let mut writer = StreamingDeletionVectorWriter::new(&mut bytes);
    let mut masked = Vec::with_capacity(files.len());
    for file in files {
        if file.dead_rows() == file.rows() {
            masked.push(None);
            continue;
        }
        let mut vector = KernelDeletionVector::new();
        vector.add_deleted_row_indexes(file.masked.iter());
        vector.add_deleted_row_indexes(file.matches.iter().map(|found| found.position));
        let written = writer.write_deletion_vector(vector).map_err(unwritten)?;
        let vector = descriptor(&written, id);
        masked.push(Some(Add {
            data_change: true,
            stats: file.add.stats.as_deref().map(wide_bounds).transpose()?,
            deletion_vector: Some(vector),
            ..file.add.clone()
        }));
    }
    writer.finalize().map_err(unwritten)?;
    if masked.iter().any(Option::is_some) {
        let path = Path::from(format!("deletion_vector_{id}.bin"));
        log_store.object_store(None).put(&path, PutPayload::from(bytes)).await?;
    }
    Ok(masked)
}

/// Writes vectors that mask these physical rows into one file at the table's root, and returns
/// their descriptors in the same order.
///
/// # Errors
/// `Unavailable` if they cannot be written.
#[cfg(feature = "cli")]
pub(crate) async fn write(
    log_store: &LogStoreRef,
    masks: &[Vec<u64>],
    id: Uuid,
) -> Result<Vec<DeletionVectorDescriptor>> {
    if masks.is_empty() {
        return Ok(Vec::new());
    }
    let mut bytes = Vec::new();
    let mut writer = StreamingDeletionVectorWriter::new(&mut bytes);
    let mut descriptors = Vec::with_capacity(masks.len());
    for rows in masks {
        let mut vector = KernelDeletionVector::new();
        vector.add_deleted_row_indexes(rows.iter());
        let written = writer.write_deletion_vector(vector).map_err(unwritten)?;
        descriptors.push(descriptor(&written, id));
    }
    writer.finalize().map_err(unwritten)?;
    let path = Path::from(format!("deletion_vector_{id}.bin"));
    log_store.object_store(None).put(&path, PutPayload::from(bytes)).await?;
    Ok(descriptors)
}

fn descriptor(written: &DeletionVectorWriteResult, id: Uuid) -> DeletionVectorDescriptor {
    DeletionVectorDescriptor {
        storage_type: StorageType::UuidRelativePath,
        path_or_inline_dv: z85::encode(id.as_bytes()),
        offset: Some(written.offset),
        size_in_bytes: written.size_in_bytes,
        cardinality: written.cardinality,
    }
}

fn unwritten(error: buoyant_kernel::Error) -> Error {
    Error::new(ErrorKind::Internal, "a deletion vector cannot be written").because(error)
}

/// Marks the statistics of a file as wide bounds, because they include masked rows. Numbers are
/// kept as text, because a decimal has more digits than a double.
pub(crate) fn wide_bounds(stats: &str) -> Result<String> {
    const TIGHT: &str = r#""tightBounds":true"#;
    const WIDE: &str = r#""tightBounds":false"#;
    let mut parsed: Map<String, Value> = serde_json::from_str(stats).map_err(|error| {
        Error::new(ErrorKind::TableCorrupt, "the statistics of a data file are not JSON")
            .because(error)
    })?;
    match parsed.get("tightBounds") {
        None => Ok(stats.replacen('{', &format!("{{{WIDE},"), 1)),
        Some(Value::Bool(false)) => Ok(stats.to_owned()),
        Some(_) if stats.matches(TIGHT).count() == 1 => Ok(stats.replace(TIGHT, WIDE)),
        Some(_) => {
            parsed.insert("tightBounds".to_owned(), Value::Bool(false));
            Ok(Value::Object(parsed).to_string())
        }
    }
}
