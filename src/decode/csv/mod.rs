//! CSV objects: how their rows end and which fields they have (`dialect`, `header`, `shape`), the
//! rows as slices of the text (`feed`, `scan`, `cut`, `row`), and their columns (`decode`, `read`).

mod cut;
mod decode;
mod dialect;
mod feed;
mod header;
#[cfg(feature = "cli")]
pub(super) mod peek;
pub(super) mod read;
mod row;
mod scan;
mod shape;
