//! The settings of one table.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::Retention;
use crate::dms::{MySqlType, ObjectName, Phase};
use crate::schema::ColumnType;

/// A table's name at the source: DMS's schema and table folders.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TableName {
    /// For MySQL, the database.
    pub schema: String,
    /// The table.
    pub table: String,
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.table)
    }
}

/// A table's configured name in catalogues.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChosenName {
    /// The database; `None` is the one derived from the source.
    pub database: Option<String>,
    /// The table.
    pub table: String,
}

impl ChosenName {
    /// Reads `table` or `database.table`, each of lower-case letters, digits and `_`; `None` for
    /// anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_plain = |name: &str| {
            let is_allowed =
                |sign: char| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == '_';
            !name.is_empty() && name.chars().all(is_allowed)
        };
        let (database, table) = match text.split_once('.') {
            Some((database, table)) => (Some(database), table),
            None => (None, text),
        };
        let is_read = is_plain(table) && database.is_none_or(is_plain);
        is_read.then(|| Self { database: database.map(str::to_owned), table: table.to_owned() })
    }
}

/// What happens to a table when a row cannot be decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnBadRow {
    /// The table is held at the last good commit.
    #[default]
    Stop,
    /// The row is set aside and the table goes on.
    Quarantine,
}

/// How many bad rows of one object may be set aside before the object counts as misread. If an
/// object is too large for one commit, each commit's part of it counts separately.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MaxBadRows {
    /// The most bad rows.
    pub count: u64,
    /// The largest share of bad rows, 0 to 1; checked from [`Self::FEW`] bad rows on.
    pub share: f64,
}

impl MaxBadRows {
    /// Fewer bad rows than this say nothing about their object, which may be just as small.
    pub const FEW: u64 = 10;

    /// Whether `bad` of `rows` rows are too many.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "shares of rows need not be exact")]
    pub fn are_exceeded_by(self, bad: u64, rows: u64) -> bool {
        bad > self.count || (bad >= Self::FEW && bad as f64 > self.share * rows as f64)
    }
}

impl Default for MaxBadRows {
    /// Any number, but at most half of an object: an object with more is probably misread.
    fn default() -> Self {
        Self { count: u64::MAX, share: 0.5 }
    }
}

/// How much of a table changes may update or delete before a person has to look: shares of the rows
/// that it had before. Changes of an hour count together, by the times in the names of their
/// objects, however many objects and commits they are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MaxChangeFraction {
    /// The largest share of rows that are deleted, 0 to 1; `None`: any.
    pub deleted: Option<f64>,
    /// The largest share of rows that are updated, 0 to 1; `None`: any. A row that several commits
    /// change counts with each.
    pub updated: Option<f64>,
    /// Tables of fewer rows are not judged.
    pub min_rows: u64,
}

impl MaxChangeFraction {
    /// Whether so many of `rows` rows are too many to be deleted or updated.
    #[must_use]
    pub fn is_exceeded_by(self, deleted: u64, updated: u64, rows: u64) -> bool {
        let Self { deleted: most_deleted, updated: most_updated, min_rows } = self;
        rows >= min_rows
            && (is_above(deleted, rows, most_deleted) || is_above(updated, rows, most_updated))
    }

    /// Whether anything is judged.
    #[must_use]
    pub fn is_set(self) -> bool {
        self.deleted.is_some() || self.updated.is_some()
    }
}

#[expect(clippy::cast_precision_loss, reason = "shares of rows need not be exact")]
fn is_above(changed: u64, rows: u64, most: Option<f64>) -> bool {
    most.is_some_and(|most| changed as f64 > most * rows as f64)
}

impl Default for MaxChangeFraction {
    /// Any share: a bulk update and a queue that runs empty are nothing unusual.
    fn default() -> Self {
        Self { deleted: None, updated: None, min_rows: 1000 }
    }
}

/// What happens to a table whose rows another writer has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnForeignCommit {
    /// The commits are named in the report and the log, and the table goes on.
    #[default]
    Report,
    /// The table is held.
    Hold,
}

/// What happens when DMS has loaded a table again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnReload {
    /// The table is rebuilt from the new load as soon as that is complete.
    #[default]
    Apply,
    /// The table is held.
    Hold,
}

/// Whether older images are kept from replacing newer ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Guard {
    /// No: changes apply in the order of their objects, and a late object holds the table.
    #[default]
    Off,
    /// By the change sequence, which every row keeps: a late object is applied where its changes
    /// can be compared with all that was applied.
    Sequence,
}

/// What happens when objects no longer have a column of the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnColumnGone {
    /// It stays, without values in new rows, and the report names it.
    #[default]
    Keep,
    /// It goes away with all of its values.
    Drop,
    /// The table is held.
    Hold,
}

/// What happens when objects have a column that the table lacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnColumnAdded {
    /// The table gets it, without values in older rows, and the report names it.
    #[default]
    Add,
    /// The table is held.
    Hold,
}

/// What happens to a table of which all staged objects were deleted before they expired, as DMS does
/// at a TRUNCATE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnObjectsVanished {
    /// The table is held.
    #[default]
    Hold,
    /// The table is emptied when the next change object shows that it was no reload.
    Truncate,
    /// Nothing: the rows stay.
    Ignore,
}

/// How a merge removes rows from data files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum MergeMode {
    /// Every file that holds a changed row is replaced: protocol reader 1 / writer 2, which every
    /// reader supports.
    #[default]
    CopyOnWrite,
    /// Changed rows are masked, and their new images written to new files: protocol reader 3 /
    /// writer 7. A file with more than half of its rows masked is replaced.
    DeletionVectors,
    /// One or the other for each file, by the cost of writing and of later reading; protocol as
    /// for deletion vectors.
    Auto,
}

/// A configured source column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnSpec {
    /// Its name at the source.
    pub name: String,
    /// Its MySQL type.
    pub mysql_type: MySqlType,
    /// Whether it may hold NULL.
    pub nullable: bool,
    /// Only for `tinyint`: read as boolean (`boolean = true`).
    pub boolean: bool,
    /// Only for byte types in Parquet: the text is hexadecimal (`hex = true`), not raw bytes.
    pub hex: bool,
    /// Where that is stated.
    pub stated_in: StatedIn,
}

/// Where a column is stated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StatedIn {
    /// In the configuration.
    Configuration,
    /// In the lock file, which asks the source.
    LockFile,
}

impl ColumnSpec {
    /// The column's type in the lake.
    #[must_use]
    pub fn column_type(&self) -> ColumnType {
        if self.boolean { ColumnType::Boolean } else { self.mysql_type.column_type() }
    }
}

/// What applies from an object on: the CSV columns, the names of the keys, or both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// The first object of this layout, in order of application.
    pub from: Phase,
    /// All columns in file order, including control columns that rules add; empty: as before.
    pub columns: Vec<ColumnSpec>,
    /// The names of the key columns at the source from here on; `None`: as before.
    pub keys: Option<Vec<String>>,
}

/// One `[[table]]` with the defaults filled in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableSpec {
    /// DMS's schema and table folders.
    pub source: TableName,
    /// Its name in catalogues; `None` is the one derived from the source.
    pub name: Option<ChosenName>,
    /// The names of the key columns at the source, until a layout gives others; empty only if
    /// `append_only`.
    pub keys: Vec<String>,
    /// Every insert is a new row; there is no key.
    pub append_only: bool,
    /// The task loads nothing: the table starts from its first changes.
    pub cdc_only: bool,
    /// How old staged changes may become before a doorbell has them applied; zero: it does at once.
    pub freshness: Duration,
    /// For how long it keeps what its newest version does not need; `None`: as its properties say.
    pub retention: Option<Retention>,
    /// The columns whose MySQL type is known; for CSV without a header all columns.
    pub columns: Vec<ColumnSpec>,
    /// Later layouts, by ascending `from`.
    pub layouts: Vec<Layout>,
    /// Source column → column in the lake. A column that was renamed at the source remains one
    /// column if both names map to the same column of the lake.
    pub rename: BTreeMap<String, String>,
    /// Source column → its later name at the source. In the lake the column and its values move on
    /// to that name.
    pub renamed: BTreeMap<String, String>,
    /// Control and before-image columns that are stored like data.
    pub store: Vec<String>,
    /// What happens when a row cannot be decoded.
    pub on_bad_row: OnBadRow,
    /// How many rows of an object may be set aside.
    pub max_bad_rows: MaxBadRows,
    /// How much of the table changes may update or delete unseen.
    pub max_change_fraction: MaxChangeFraction,
    /// What happens if another writer has changed rows.
    pub on_foreign_commit: OnForeignCommit,
    /// What happens if DMS has loaded the table again.
    pub on_reload: OnReload,
    /// Whether older images are kept from replacing newer ones.
    pub guard: Guard,
    /// For how many days a guarded table remembers which rows were deleted.
    pub tombstone_retention_days: u32,
    /// What happens if objects lack a column of the table.
    pub on_column_gone: OnColumnGone,
    /// What happens if objects have a column that the table lacks.
    pub on_column_added: OnColumnAdded,
    /// What happens if all of its staged objects were deleted before they expired.
    pub on_objects_vanished: OnObjectsVanished,
    /// How changes are merged.
    pub merge: MergeMode,
    /// Whether symlink manifests of the newest version are kept next to the log.
    pub redshift_manifest: bool,
}

impl TableSpec {
    /// How long a guarded table remembers deleted rows unless it is configured, in days.
    pub const TOMBSTONE_RETENTION_DAYS: u32 = 7;

    /// Whether the table keeps change sequences. Without keys no image replaces another.
    #[must_use]
    pub fn is_guarded(&self) -> bool {
        self.guard == Guard::Sequence && !self.keys.is_empty()
    }

    /// The name in the lake of a source column, under whichever of its names.
    #[must_use]
    pub fn lake_name<'a>(&'a self, source_column: &'a str) -> &'a str {
        self.name_in_lake_of(self.latest_name(source_column))
    }

    /// The newest name at the source of a source column.
    #[must_use]
    pub fn latest_name<'a>(&'a self, source_column: &'a str) -> &'a str {
        // No chain is longer than the map, as no name leads back to itself.
        let links = 0..self.renamed.len();
        links.fold(source_column, |name, _| self.renamed.get(name).map_or(name, String::as_str))
    }

    /// The columns that the lake may still have under the name before a rename: those and the
    /// later ones, both as in the lake.
    pub(crate) fn moved_names(&self) -> impl Iterator<Item = (&str, &str)> {
        let moved = self.renamed.keys();
        let names = moved.map(|old| (self.name_in_lake_of(old), self.lake_name(old)));
        names.filter(|(before, after)| before != after)
    }

    fn name_in_lake_of<'a>(&'a self, source_column: &'a str) -> &'a str {
        self.rename.get(source_column).map_or(source_column, String::as_str)
    }

    /// The key columns' names in the lake, in key order.
    #[must_use]
    pub fn lake_keys(&self) -> Vec<String> {
        self.keys.iter().map(|key| self.lake_name(key).to_owned()).collect()
    }

    /// The columns of an object that does not name them: those of the last layout with columns that
    /// starts at or before it.
    #[must_use]
    pub fn layout_for(&self, object: &ObjectName) -> &[ColumnSpec] {
        let mut begun = self.layouts_until(&object.phase);
        begun
            .find(|layout| !layout.columns.is_empty())
            .map_or(&self.columns, |found| &found.columns)
    }

    /// The key columns' names at the source in an object.
    #[must_use]
    pub fn keys_for(&self, object: &ObjectName) -> &[String] {
        self.keys_from(&object.phase)
    }

    /// The key columns' names at the source from an object on.
    pub(crate) fn keys_from(&self, phase: &Phase) -> &[String] {
        self.layouts_until(phase).find_map(|layout| layout.keys.as_deref()).unwrap_or(&self.keys)
    }

    /// The layouts that start at or before an object, the latest first.
    fn layouts_until(&self, phase: &Phase) -> impl Iterator<Item = &Layout> {
        self.layouts.iter().rev().filter(move |layout| layout.from <= *phase)
    }

    /// Whether two names at the source are one column's.
    #[must_use]
    pub fn is_same(&self, one: &str, other: &str) -> bool {
        self.latest_name(one) == self.latest_name(other)
    }

    /// The configured column with a source name, from any layout.
    #[must_use]
    pub fn column(&self, source_column: &str) -> Option<&ColumnSpec> {
        let later = self.layouts.iter().rev().flat_map(|layout| &layout.columns);
        later.chain(&self.columns).find(|column| self.is_same(&column.name, source_column))
    }
}
