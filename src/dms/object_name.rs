//! Names of staged objects, parsed once into a type that cannot be wrong.
//!
//! The grammar is that of section 2.1 of the DMS user guide's S3 target chapter as seen in
//! real buckets: hexadecimal load counters of any width of five or more, CDC stamps of nine or
//! more digits after the dash, segment and partition folders, date folders of any layout.

/// File format by name suffix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// `.csv`, `.csv.gz`
    Csv,
    /// `.parquet`, `.parquet.gz`
    Parquet,
}

/// Compression of the whole object as its first bytes say (names do not tell).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Bytes as they are.
    None,
    /// Gzip magic found.
    Gzip,
}

/// The DMS phase that wrote an object, with what orders it inside that phase.
///
/// The derived order is the order of application: every full load object before every CDC
/// object; loads by series (folder, then segment), then counter; CDC by stamp as text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Full load: `LOAD00000001`, `SEGMENT1_LOAD00000001`, `LOAD_1_00000001`, partition folders.
    FullLoad {
        /// Folder below the table's and segment name: each series counts from 1.
        series: String,
        /// The hexadecimal counter.
        counter: u64,
    },
    /// Ongoing replication: `20141029-1134010000`.
    Cdc {
        /// Base name without suffixes, e.g. `20221024-175902985`; compares as text.
        stamp: String,
    },
}

/// A staged object's name below its table's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectName {
    /// Who wrote it, and its order there.
    pub phase: Phase,
    /// Its format.
    pub format: Format,
}

/// What a name below a table's folder stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Classified {
    /// Changes to apply.
    Changes(ObjectName),
    /// Hidden files, control and validation objects, folder markers: skipped.
    Ignored,
    /// A transaction-ordered object (`CDC_TXN-…`): refused by name.
    TransactionOrdered,
    /// Fits no form of DMS: reported, never applied.
    Foreign,
}

/// Classifies the path of an object relative to its table's folder, such as
/// `2022/10/24/20221024-175902985.parquet`.
#[must_use]
pub fn classify(_relative: &str) -> Classified {
    Classified::Foreign
}
