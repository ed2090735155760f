//! What operators, other writers and expiry do to a table: it equals the source, or the report is
//! not `ok` and names a remedy, which is carried out here and works.

mod bad_rows;
mod beginnings;
mod differences;
mod guarded;
mod keys;
mod late;
mod masses;
mod newer;
mod others;
mod pauses;
mod random;
mod rebuilds;
mod reloaded;
mod replayed;
mod restores;
mod site;
mod truncated;
mod two_tasks;
mod vanished;
