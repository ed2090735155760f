//! What can be seen of tables without any effect on them.
//!
//! Nothing here knows of a terminal: the command line, the function's answer to `{"status": true}`
//! and programs that read JSON show the same values. A table that cannot be seen is a value too.
//!
//! | value | of | where from |
//! |---|---|---|
//! | [`TableStatus`] | how a table stands, and what to do about it | the look that applications go by, and its log |
//! | [`HistoryEntry`] | a commit: who, what, how much | the log |

mod history;
mod state;
mod status;
mod writer;

pub use crate::progress::Lag;
pub use history::{HistoryEntry, IntakeEntry, history};
pub use state::State;
pub use status::{LastCommit, PendingObjects, ProtocolStatus, TableStatus, status};
