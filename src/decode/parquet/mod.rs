//! Parquet objects. Footer and pages are measured before the reader unpacks them (`footer`,
//! `pages` and `delta`, with `thrift` and `shapes`); then the rows are read (`rows`, `read`).

mod content;
mod delta;
mod footer;
mod pages;
#[cfg(feature = "cli")]
pub(super) mod peek;
pub(super) mod read;
mod row_groups;
mod rows;
mod schema;
mod shapes;
mod thrift;
