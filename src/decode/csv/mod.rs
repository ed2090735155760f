//! CSV objects: where their rows end and what their fields are (`dialect`, `header`, `shape`), the
//! rows as slices of the text (`feed`, `scan`), and their columns (`decode`, `read`).

mod decode;
mod dialect;
mod feed;
mod header;
#[cfg(feature = "cli")]
pub(super) mod peek;
pub(super) mod read;
mod scan;
mod shape;
