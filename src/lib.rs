//! dmslake: changes that AWS DMS captured from MySQL become exact, transactional Delta tables.

pub mod change;
pub mod cli;
pub mod clock;
pub mod config;
pub mod disposition;
pub mod dms;
pub mod error;
pub mod event;
pub mod lambda;
pub mod merge;
pub mod pipeline;
pub mod progress;
pub mod quarantine;
pub mod schema;
pub mod source;
pub mod storage;
pub mod table;
