//! What readers need beside the log: the statements that make it
//! known to an engine, its entry in AWS Glue, and symlink manifests.

mod entry;
mod followers;
pub mod glue;
mod manifest;
pub mod statements;

pub(crate) use followers::Followers;
