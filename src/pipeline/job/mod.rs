//! A job: what is too much for one process to apply in time is spread over tasks, which may run on
//! other machines. An engine that exists (Spark) schedules them; each is a run of this program.
//!
//! A job makes the passes of any application: the same look, the same holds, the same table in the
//! same order. Only how pending objects are taken in differs: not slice by slice, but round by round.
//! A *round* is one commit; its *stages* are done one after another, each by tasks side by side:
//!
//! ```text
//! net ...... a chunk of consecutive objects → net changes of its slices, in key order
//! reduce ... one key range of all of them → net changes: the last one of each key
//! files .... some data files, and the ranges that meet them → replacements or deletion vectors
//! insert ... some ranges, and what found its row in files → new data files
//! commit ... the driver: sums, books, record and ledger as of any commit of ours
//! ```
//!
//! A full load in key order is shorter: *load* makes data files of it at once, and only where keys
//! are not apart the stages above follow.
//!
//! Maintenance of large tables is spread in the same way: each *rewrite* task compacts or purges some data
//! files, and the driver commits that (`maintaining`).
//!
//! A claim (`claim`) makes other workers wait meanwhile. What tasks write is either scratch or a data file, and nothing refers to it before the commit: a
//! task may be done twice, be given up or be killed, and so may the driver. The commit is conditional
//! as any other; who loses looks again.

mod chunk;
mod claim;
mod commit;
mod files;
mod format;
mod insert;
mod key_order;
mod maintaining;
mod net;
mod operator;
mod plan;
mod ranges;
mod read;
mod reduce;
mod reduced;
mod replaced;
mod round;
mod rounds;
mod run;
mod scratch;
mod stages;
mod task;
mod workers;

pub use operator::JobStatus;
pub use plan::{JobPlan, PlannedRound};
pub(super) use rounds::Rounds;
pub(crate) use task::{TaskEnd, run_alone, slots};
pub use workers::{Job, JobSizes, Threads, Workers};

/// Bytes in JSON.
mod base64_bytes {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD_NO_PAD;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD_NO_PAD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD_NO_PAD.decode(text).map_err(serde::de::Error::custom)
    }
}
