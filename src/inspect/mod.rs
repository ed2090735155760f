//! What can be seen of tables without any effect on them.
//!
//! Nothing here knows of a terminal: the command line, the function's answer to `{"status": true}`
//! and programs that read JSON show the same values. A table that cannot be seen is a value too.
//!
//! | value | of | where from |
//! |---|---|---|
//! | [`TableStatus`] | how a table stands, and what to do about it | the look that applications go by, and its log |
//! | [`HistoryEntry`] | a commit: who, what, how much | the log |
//! | `diff` | keys that two versions differ in | the data files that they do not share |
//! | `why` | the life of a row | the log, the data files that held it, staged objects |
//! | `rows`, `query` | rows, now or as of an earlier version | data files |
//! | `lake_report` | all of it at once | the above |
//! | `quarantine` | rows that could not be decoded | the quarantine, and the ledger that counts them |
//! | `plan` | what applying a table would do, and cost | the application, whose writes go nowhere |
//! | `Upkeep` | what a table costs a month, and would with another freshness | its log |
//! | `replay` | what is staged, applied again into another folder | staging, and the log |
//! | `bisect` | the change after which a check fails | versions, and staging applied again |
//! | `Verification` | whether the table equals its source | its rows, and MySQL or what is staged |
//! | `doctor::Finding` | what keeps it from working, or will | all of the above, and AWS |

#[cfg(feature = "cli")]
mod bisect;
#[cfg(feature = "cli")]
mod diff;
#[cfg(feature = "cli")]
pub mod doctor;
mod history;
#[cfg(feature = "cli")]
mod lake;
#[cfg(feature = "cli")]
mod layout;
#[cfg(feature = "cli")]
mod plan;
#[cfg(feature = "cli")]
mod quarantine;
#[cfg(feature = "cli")]
mod query;
#[cfg(feature = "cli")]
mod replay;
#[cfg(feature = "cli")]
mod rows;
#[cfg(feature = "cli")]
mod scratch;
mod state;
mod status;
#[cfg(feature = "cli")]
mod text;
#[cfg(feature = "cli")]
mod upkeep;
#[cfg(feature = "cli")]
pub mod verify;
#[cfg(feature = "cli")]
mod why;
mod writer;

pub use crate::progress::Lag;
#[cfg(feature = "cli")]
pub use bisect::{Bisected, Check, CulpritCommit, CulpritRow, Evaluated, Watcher, bisect};
#[cfg(feature = "cli")]
pub use diff::{Change, Diff, diff};
pub use history::{HistoryEntry, IntakeEntry, history};
#[cfg(feature = "cli")]
pub use lake::{LakeReport, TablePage, lake_report};
#[cfg(feature = "cli")]
pub use layout::{TableLayout, layout};
#[cfg(feature = "cli")]
pub use plan::{PlanAsked, PlanOutcome, TablePlan, plan};
#[cfg(feature = "cli")]
pub use quarantine::{QuarantineRow, QuarantineSummary, ReasonCount, quarantine, quarantined_rows};
#[cfg(feature = "cli")]
pub use query::query;
#[cfg(feature = "cli")]
pub use replay::{Comparison, Replayed, Until, replay};
#[cfg(feature = "cli")]
pub use rows::{RowsAsked, rows};
pub use state::State;
pub use status::{LastCommit, PendingObjects, ProtocolStatus, TableStatus, status};
#[cfg(feature = "cli")]
pub use upkeep::{Monthly, Upkeep};
#[cfg(feature = "cli")]
pub(crate) use why::{AskedKey, row_keys};
#[cfg(feature = "cli")]
pub use why::{ReadForLife, RowEvent, RowLife, StagedChange, Values, why};
