//! The Delta table of a source table: opening and making it, changing its columns, the record of
//! our newest commit in its log, and the one door through which commits of ours go.

mod alter;
mod as_of;
mod commit_call;
mod commit_log;
mod commit_summary;
mod create;
pub(crate) mod features;
mod freshness;
mod hand_over;
mod history;
mod lake_table;
mod log;
mod open;
mod refusal;
mod replace;
mod reshape;
mod schema;
mod state;
mod state_object;
mod transaction;

pub use alter::{add_columns, allow_vectors};
#[cfg(feature = "cli")]
pub(crate) use as_of::open_both;
pub use as_of::{AsOf, commit_as_of, load_as_of};
pub use commit_call::commit_properties;
pub use create::{create, create_without_progress};
pub(crate) use freshness::Freshness;
pub use hand_over::{Claim, HandOver, LEASE, OFFER};
pub use history::{Commit, ForeignCommit, OperationMetrics, OurCommit, commit, history};
#[cfg(feature = "cli")]
pub(crate) use history::{FileChanges, file_changes};
pub use lake_table::{LakeTable, OwnCommit};
pub use log::{Newest, find_attempt, newest_commit};
#[cfg(feature = "cli")]
pub(crate) use open::files_at;
pub use open::{load, log_store, open, open_at};
#[cfg(feature = "cli")]
pub(crate) use refusal::refuse_other_keys;
pub(crate) use refusal::{refuse_foreign, refuse_table};
pub use replace::{deleted_files, empty, put_back, replace};
pub use reshape::{RowSource, add_reshaped, create_reshaped, reshape, reshaped_files};
pub use schema::to_delta;
pub use state::{
    AppliedLate, Forgetting, Held, Loss, Paused, Rebuild, RepairedRows, Reshape, TableState,
};
pub use state_object::StateObject;
pub use transaction::{CommitOutcome, LostCommit, Transaction};
