//! Parquet objects. Footer and pages are measured before the reader unpacks them (`footer`,
//! `pages` and `delta`, with `thrift` and `shapes`); then the rows are read (`rows`, `read`), with a
//! wider type than the configured one where their values ask for it (`outgrown`).

mod content;
mod delta;
mod footer;
mod outgrown;
mod pages;
#[cfg(feature = "cli")]
pub(super) mod peek;
pub(super) mod read;
mod row_groups;
mod rows;
mod schema;
mod shapes;
mod thrift;
