//! What can be seen of tables without any effect on them.
//!
//! Nothing here knows of a terminal: the command line, the function's answer to `{"status": true}`
//! and programs that read JSON show the same values. A table that cannot be seen is a value too.
//!
//! | value | of | where from |
//! |---|---|---|
//! | [`TableStatus`] | how a table stands, and what to do about it | the look that applications go by, and its log |
//! | [`HistoryEntry`] | a commit: who, what, how much | the log |
//! | `Bisected` | the change after which a check fails | versions, and staging applied again |
//! | `Replayed` | what is staged, applied again into another folder | staging, and the log |

#[cfg(feature = "cli")]
mod bisect;
mod history;
#[cfg(feature = "cli")]
mod replay;
mod state;
mod status;
mod writer;

#[cfg(feature = "cli")]
pub use bisect::{Bisected, Check, CulpritCommit, CulpritRow, Evaluated, Watcher, bisect};
pub use history::{HistoryEntry, IntakeEntry, history};
#[cfg(feature = "cli")]
pub use replay::{Comparison, Replayed, Until, replay};
pub use state::State;
pub use status::{Lag, LastCommit, PendingObjects, ProtocolStatus, TableStatus, status};
