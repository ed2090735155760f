//! What the tests share: the model, the DMS writer, faults.

pub(crate) mod events;
pub(crate) mod runtime_api;
