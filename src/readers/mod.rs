//! What readers need in addition to the log: statements that register a table with an engine, its
//! entry in AWS Glue, and symlink manifests.

mod entry;
mod followers;
pub mod glue;
mod manifest;
pub mod statements;

pub(crate) use followers::Followers;
#[cfg(feature = "cli")]
pub(crate) use manifest::lag as manifest_lag;
