//! What readers need beside the log: a table's name in a catalogue, the statements that make it
//! known to an engine, its entry in AWS Glue, and symlink manifests.

mod entry;
mod follow;
pub mod glue;
mod manifest;
mod name;
pub mod statements;

pub(crate) use follow::Followed;
pub use name::CatalogName;
