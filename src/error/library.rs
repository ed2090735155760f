//! What failures of libraries become: a refusal or an outage if the store caused them.

use std::error::Error as StdError;

use datafusion::error::DataFusionError;

use crate::error::store::{began_in_store, causes};
use crate::error::{Error, ErrorKind, refusal};

impl From<object_store::Error> for Error {
    /// [`ErrorKind::StoreRefused`] for failures that retrying cannot fix. Everything else,
    /// including not-found and failed preconditions, is transient. Callers that expect one of these
    /// as an outcome match it before converting.
    fn from(source: object_store::Error) -> Self {
        let outage = "the object store did not answer as expected";
        of_library(source, outage, (ErrorKind::Unavailable, outage))
    }
}

/// Classifies a library's failure: a refusal or an outage if the store caused it, `otherwise` if
/// not.
fn of_library<E>(source: E, outage: &str, otherwise: (ErrorKind, &str)) -> Error
where
    E: StdError + Send + Sync + 'static,
{
    let ours = causes(&source).find_map(|cause| cause.downcast_ref::<Error>());
    if let Some(ours) = ours {
        return ours.told_again();
    }
    if let Some(refused) = refusal(&source) {
        return refused;
    }
    let (kind, message) =
        if began_in_store(&source) { (ErrorKind::Unavailable, outage) } else { otherwise };
    Error::new(kind, message).because(source)
}

impl From<tokio::task::JoinError> for Error {
    /// [`ErrorKind::Internal`]: a task panicked or was cancelled.
    fn from(source: tokio::task::JoinError) -> Self {
        Self::new(ErrorKind::Internal, "a background task panicked or was cancelled")
            .because(source)
    }
}

impl From<buoyant_kernel::Error> for Error {
    /// Converted as a [`deltalake::DeltaTableError`].
    fn from(source: buoyant_kernel::Error) -> Self {
        deltalake::DeltaTableError::from(source).into()
    }
}

impl From<arrow::error::ArrowError> for Error {
    /// The store's failure if it is the cause, otherwise [`ErrorKind::Internal`].
    fn from(source: arrow::error::ArrowError) -> Self {
        let message = "an Arrow computation failed";
        of_library(source, message, (ErrorKind::Internal, message))
    }
}

impl From<parquet::errors::ParquetError> for Error {
    /// A data file that cannot be read. Returns our own error or the store's failure if one of them
    /// is the cause, otherwise [`ErrorKind::TableCorrupt`].
    fn from(source: parquet::errors::ParquetError) -> Self {
        let message = "a data file could not be read as Parquet";
        of_library(source, message, (ErrorKind::TableCorrupt, message))
    }
}

impl From<DataFusionError> for Error {
    /// Returns our own error or the store's failure if one of them is the cause, otherwise
    /// [`ErrorKind::Internal`].
    fn from(source: DataFusionError) -> Self {
        let source = match source {
            DataFusionError::External(inner) => match inner.downcast::<Self>() {
                Ok(ours) => return *ours,
                Err(inner) => DataFusionError::External(inner),
            },
            other => other,
        };
        let message = "a query plan failed";
        of_library(source, message, (ErrorKind::Internal, message))
    }
}

impl From<deltalake::DeltaTableError> for Error {
    /// Commit conflicts become [`ErrorKind::Conflict`], failures of the store keep their kind, and
    /// everything else becomes [`ErrorKind::TableCorrupt`].
    fn from(source: deltalake::DeltaTableError) -> Self {
        use deltalake::DeltaTableError as Delta;
        if let Delta::Transaction { .. } | Delta::VersionAlreadyExists(_) = &source {
            return Self::new(ErrorKind::Conflict, "another commit came first").because(source);
        }
        of_library(
            source,
            "the lake did not answer as expected",
            (ErrorKind::TableCorrupt, "the Delta table could not be read or written"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_could_not_read_may_pass_later() {
        let source = "slow down".into();
        let failed = object_store::Error::Generic { store: "S3", source };
        let kind = |error: buoyant_kernel::Error| Error::from(error).kind();
        assert_eq!(kind(failed.into()), ErrorKind::Unavailable);
        assert_eq!(kind(buoyant_kernel::Error::generic("a bad vector")), ErrorKind::TableCorrupt);
    }
}
