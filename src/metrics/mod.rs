//! Metrics of runs: one list of what is measured, and the forms in which it is told.
//!
//! | form | where to | of |
//! |---|---|---|
//! | [`emf`] | CloudWatch, through the function's log | each invocation |
//! | [`otlp`] | a collector, over HTTP | each invocation, each `dmslake apply` |
//! | `prometheus` | a file | `dmslake apply` and `dmslake status` |
//!
//! [`METRICS`] is the list. A [`Snapshot`] has the values of a run by it, and every form is a function
//! of that. The guide, the dashboard and the alarms are compared with the list by `tests/metrics.rs`.

pub mod emf;
mod list;
pub mod otlp;
#[cfg(feature = "cli")]
pub mod prometheus;
mod sample;
mod source;

pub use list::{In, METRICS, Metric, Reading, Series, Total, Unit};
pub use sample::{Sample, Snapshot};
pub use source::{Process, Standing};
