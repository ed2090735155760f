//! What is staged: the objects of a table in order of application, the identity and the bytes of
//! each, and a survey of all tables.

pub(crate) mod fetch;
mod identify;
mod listing;
mod object;
pub(crate) mod object_context;
mod survey;
mod table_folder;

pub use identify::Identify;
pub use listing::{Listing, Scope, list_everything, list_window};
pub use object::{Identity, StagedObject};
pub use survey::{Survey, refused_order, survey};
pub(crate) use table_folder::{TableFolder, is_of_a_table};
