//! Those who merge: dmslake in both modes and `deltalake`'s `MergeBuilder` from this build, and
//! others through Python.

use std::path::Path;

use dmslake::change::NetChanges;
use dmslake::clock::{Clock, SystemClock};
use dmslake::config::MergeMode;
use dmslake::merge;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::child::{self, Case, Run};
use crate::merge::changes::{self, Batch};
use crate::merge::orders::{self, Key};
use crate::merge::target::location;
use crate::{lake, merge_builder};

/// Whoever merges, or shows what it costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contestant {
    Native(Native),
    /// Spark with Delta Lake; the mode is the table's.
    Spark {
        vectors: bool,
    },
    /// The merge by hand, without a commit.
    DuckDb,
    /// Reads and writes the touched files unchanged.
    PyArrow,
    /// Reads the keys of the files that may hold a changed one.
    Keys,
}

impl Contestant {
    pub(crate) const ALL: [Self; 8] = [
        Self::Native(Native::Vectors),
        Self::Native(Native::CopyOnWrite),
        Self::Native(Native::MergeBuilder),
        Self::Spark { vectors: true },
        Self::Spark { vectors: false },
        Self::DuckDb,
        Self::PyArrow,
        Self::Keys,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Native(Native::Vectors) => "dmslake, deletion vectors",
            Self::Native(Native::CopyOnWrite) => "dmslake, copy-on-write",
            Self::Native(Native::MergeBuilder) => "MergeBuilder",
            Self::Spark { vectors: true } => "Spark, deletion vectors",
            Self::Spark { vectors: false } => "Spark, copy-on-write",
            Self::DuckDb => "DuckDB by hand",
            Self::PyArrow => "pyarrow, read and write only",
            Self::Keys => "pyarrow, read keys only",
        }
    }

    /// Whether its table allows deletion vectors.
    pub(crate) fn masks_rows(self) -> bool {
        matches!(self, Self::Native(Native::Vectors) | Self::Spark { vectors: true })
    }

    /// Whether its result is a version of the Delta table, of which it tells how many rows it
    /// inserted, updated and deleted.
    pub(crate) fn commits(self) -> bool {
        matches!(self, Self::Native(_) | Self::Spark { .. })
    }

    /// Whether its result is the table with the changes in it.
    pub(crate) fn merges(self) -> bool {
        !matches!(self, Self::PyArrow | Self::Keys)
    }

    /// Whether it takes so long that few runs must do.
    pub(crate) fn is_slow(self, is_larger: bool) -> bool {
        matches!(self, Self::Spark { .. })
            || (is_larger && self == Self::Native(Native::MergeBuilder))
    }
}

/// One of this build.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Native {
    /// dmslake by deletion vectors.
    Vectors,
    /// dmslake by copy-on-write.
    CopyOnWrite,
    /// The library's MERGE, which rules files out by their statistics.
    MergeBuilder,
}

impl Native {
    /// Runs it in a process of its own.
    pub(crate) fn run(self, key: Key, table: &Path, batch: &Batch) -> Run {
        let (table, batch) = (table.to_owned(), batch.path.clone());
        child::run(&Case::Merge { native: self, key, table, batch }, false)
    }
}

/// Merges a batch into the table, from the batch's file and an unopened table to the commit.
/// Comes to: rows inserted, updated, deleted.
pub(crate) async fn merge_here(native: Native, key: Key, table: &Path, batch: &Path) -> Run {
    let begun = SystemClock.instant();
    let net = changes::read(batch, key);
    let (outcome, version) = match native {
        Native::Vectors => dmslake(MergeMode::DeletionVectors, key, table, net).await,
        Native::CopyOnWrite => dmslake(MergeMode::CopyOnWrite, key, table, net).await,
        Native::MergeBuilder => library(key, table, net).await,
    };
    let seconds = begun.elapsed().as_secs_f64();
    Run { seconds, peak: 0, outcome: outcome.map(|rows| rows as i64).to_vec(), version }
}

async fn dmslake(mode: MergeMode, key: Key, table: &Path, net: NetChanges) -> ([u64; 3], u64) {
    let table = lake::open(&location(table).await).await;
    let plan = merge::plan(&table, &key.names(), net).await;
    let plan = plan.unwrap_or_else(|error| panic!("{}", error.chain())).with_mode(mode);
    let counts = [plan.inserted, plan.updated, plan.deleted];
    let record = lake::record(&table, &plan);
    let merged = lake::commit(&table, &record, plan).await;
    let committed = merged.and_then(|merged| merged.outcome.committed());
    (counts, committed.unwrap_or_else(|error| panic!("{}", error.chain())).version())
}

async fn library(key: Key, table: &Path, net: NetChanges) -> ([u64; 3], u64) {
    let url = Url::from_directory_path(table).expect("a folder");
    let table = deltalake::open_table(url).await.expect("a table");
    let schema = orders::schema(key).arrow();
    let (table, metrics) =
        merge_builder::builder(table, &schema, &key.names(), &net).await.expect("committed");
    let counts = [
        metrics.num_target_rows_inserted,
        metrics.num_target_rows_updated,
        metrics.num_target_rows_deleted,
    ];
    (counts.map(|rows| rows as u64), table.version().expect("committed"))
}
