//! The footers of data files, each fetched once.

use std::sync::Arc;

use deltalake::kernel::Add;
use deltalake::logstore::ObjectStoreRef;
use parquet::arrow::async_reader::AsyncFileReader as _;
use parquet::file::metadata::ParquetMetaData;

use crate::error::Result;
use crate::files::bytes::{DataFileBytes, unreadable};
use crate::files::cache::BoundedCache;
use crate::files::filters::Filters;

/// Bytes of footers that are cached.
const KEPT_BYTES: usize = 32 << 20;

/// The cached footers and bloom filters. A data file never changes, so its path identifies it.
#[derive(Debug)]
pub(crate) struct Footers {
    kept: BoundedCache<String, Arc<ParquetMetaData>>,
    filters: Filters,
}

impl Default for Footers {
    fn default() -> Self {
        Self { kept: BoundedCache::within(KEPT_BYTES), filters: Filters::default() }
    }
}

impl Footers {
    /// The footer of a data file, with its page indexes if it has them.
    ///
    /// # Errors
    /// `Unavailable` if the file cannot be read, `TableCorrupt` if it is not a Parquet file.
    pub(crate) async fn of(
        &self,
        store: &ObjectStoreRef,
        add: &Add,
    ) -> Result<Arc<ParquetMetaData>> {
        if let Some(footer) = self.kept.get(&add.path) {
            return Ok(footer);
        }
        let mut file = DataFileBytes::of(store, add)?;
        let footer = file.get_metadata(None).await.map_err(|error| unreadable(error, add))?;
        self.kept.put(add.path.clone(), Arc::clone(&footer), footer.memory_size());
        Ok(footer)
    }

    /// The bloom filters of the data files.
    pub(crate) fn filters(&self) -> &Filters {
        &self.filters
    }
}
