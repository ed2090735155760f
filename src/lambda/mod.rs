//! The Lambda function: an event comes in, the tables that it names are applied, and its sender
//! learns what to send again.

mod apply;
mod deadline;
mod diagnostic;
mod handler;
pub mod log;
mod maintain;
mod publish;
mod response;
mod status;
mod turns;
mod warm;

pub use apply::ApplyTables;
pub use deadline::Deadline;
pub use handler::{answer, handle};
pub use response::{Answer, ItemFailure};
pub use warm::Warm;
