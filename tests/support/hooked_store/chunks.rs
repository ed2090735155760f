//! Objects that arrive in chunks of a given size, as a network delivers them.

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, StreamExt as _};
use object_store::path::Path;
use object_store::{GetResult, GetResultPayload, Result};

use super::{Hooks, Operation};

/// Cuts every answer into chunks of at most `size` bytes.
#[derive(Debug)]
pub(crate) struct Chunks {
    pub(crate) size: usize,
}

#[async_trait]
impl Hooks for Chunks {
    type Ticket = ();

    async fn before(&self, _: Operation, _: &Path) -> Result<()> {
        Ok(())
    }

    async fn body(&self, (): (), found: GetResult) -> Result<GetResult> {
        let (meta, range) = (found.meta.clone(), found.range.clone());
        let attributes = found.attributes.clone();
        let bytes = found.bytes().await?;
        let starts = (0..bytes.len()).step_by(self.size);
        let chunks: Vec<Result<Bytes>> = starts
            .map(|start| Ok(bytes.slice(start..bytes.len().min(start + self.size))))
            .collect();
        let payload = GetResultPayload::Stream(stream::iter(chunks).boxed());
        Ok(GetResult { payload, meta, range, attributes })
    }
}
