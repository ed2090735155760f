//! The settings of one table.

use std::collections::BTreeMap;
use std::fmt;

use crate::dms::{MySqlType, ObjectName, Phase};
use crate::schema::ColumnType;

/// A table's name at the source: DMS's schema and table folders.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

/// What a table is called in catalogues, where its configuration says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChosenName {
    /// The database; none is the one that follows from the source.
    pub database: Option<String>,
    /// The table.
    pub table: String,
}

impl ChosenName {
    /// Reads `table` or `database.table`, each of small letters, digits and `_`; none if it is
    /// something else.
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnBadRow {
    /// The table is held at the last good commit.
    #[default]
    Stop,
    /// The row is set aside, the table goes on.
    Quarantine,
}

/// How many bad rows of one object may be set aside before the object counts as misread. Where an
/// object is too large for one commit, each commit's part of it counts by itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MaxBadRows {
    /// At most so many.
    pub count: u64,
    /// At most so large a part of its rows, 0 to 1; asked where there are at least
    /// [`Self::FEW`].
    pub share: f64,
}

impl MaxBadRows {
    /// So few bad rows say nothing of the rest of their object: it may be as small as they are.
    pub const FEW: u64 = 10;

    /// Whether so many of so many rows are more than a healthy object has.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "shares of rows are no exact numbers")]
    pub fn are_exceeded_by(self, bad: u64, rows: u64) -> bool {
        bad > self.count || (bad >= Self::FEW && bad as f64 > self.share * rows as f64)
    }
}

impl Default for MaxBadRows {
    /// Any number of them, but not half of an object: then it is another than it is taken for.
    fn default() -> Self {
        Self { count: u64::MAX, share: 0.5 }
    }
}

/// What happens to a table whose rows another writer has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnForeignCommit {
    /// The commits are named in report and log, the table goes on.
    #[default]
    Report,
    /// The table is held.
    Hold,
}

/// How a merge takes rows out of data files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MergeMode {
    /// Every file that holds a changed row is replaced: protocol reader 1 / writer 2, which
    /// every reader knows.
    #[default]
    CopyOnWrite,
    /// Changed rows are masked, and their new images written beside: protocol reader 3 /
    /// writer 7. A file of which more than half is masked is replaced.
    DeletionVectors,
    /// Either, file by file, by what it costs to write and later to read; protocol as above.
    Auto,
}

/// A source column as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnSpec {
    /// Its name at the source.
    pub name: String,
    /// Its MySQL type.
    pub mysql_type: MySqlType,
    /// Whether NULL may stand in it.
    pub nullable: bool,
    /// Only for `tinyint`: read as boolean (`boolean = true`).
    pub boolean: bool,
    /// Only for byte types in Parquet: the text is hexadecimal (`hex = true`), not raw bytes.
    pub hex: bool,
}

impl ColumnSpec {
    /// The column's type in the lake.
    #[must_use]
    pub fn column_type(&self) -> ColumnType {
        if self.boolean { ColumnType::Boolean } else { self.mysql_type.column_type() }
    }
}

/// What holds from an object on: the CSV columns, the names of the keys, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The first object of this layout, in order of application.
    pub from: Phase,
    /// All columns in file order, control columns that rules add included; empty = as before.
    pub columns: Vec<ColumnSpec>,
    /// Names of the key columns at the source from here on; none = as before.
    pub keys: Option<Vec<String>>,
}

/// One `[[table]]` with the defaults filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct TableSpec {
    /// DMS's schema and table folders.
    pub source: TableName,
    /// What catalogues call it; none is what follows from the source.
    pub name: Option<ChosenName>,
    /// Names of the key columns at the source, until a layout names others; empty only if
    /// `append_only`.
    pub keys: Vec<String>,
    /// Every insert is a new row; there is no key.
    pub append_only: bool,
    /// The task loads nothing: the table begins with its changes, whichever come first.
    pub cdc_only: bool,
    /// The columns whose MySQL type is known; for CSV without header the whole layout.
    pub columns: Vec<ColumnSpec>,
    /// Later layouts, by rising `from`.
    pub layouts: Vec<Layout>,
    /// Source column → column in the lake. A column renamed at the source goes on as one column
    /// if its old name is mapped to the new one.
    pub rename: BTreeMap<String, String>,
    /// Control and before-image columns that are stored like data.
    pub store: Vec<String>,
    /// What happens when a row cannot be decoded.
    pub on_bad_row: OnBadRow,
    /// How many rows of an object may be set aside.
    pub max_bad_rows: MaxBadRows,
    /// What happens where another writer has changed rows.
    pub on_foreign_commit: OnForeignCommit,
    /// How changes are merged.
    pub merge: MergeMode,
    /// Whether symlink manifests of the newest version are kept beside the log.
    pub redshift_manifest: bool,
}

impl TableSpec {
    /// The name in the lake of a source column.
    #[must_use]
    pub fn lake_name<'a>(&'a self, source_column: &'a str) -> &'a str {
        self.rename.get(source_column).map_or(source_column, String::as_str)
    }

    /// The key columns' names in the lake, in key order.
    #[must_use]
    pub fn lake_keys(&self) -> Vec<String> {
        self.keys.iter().map(|key| self.lake_name(key).to_owned()).collect()
    }

    /// The columns of that object, if names do not travel with it: those of the last layout
    /// with columns that does not begin after it.
    #[must_use]
    pub fn layout_for(&self, object: &ObjectName) -> &[ColumnSpec] {
        let mut begun = self.layouts_until(&object.phase);
        begun
            .find(|layout| !layout.columns.is_empty())
            .map_or(&self.columns, |found| &found.columns)
    }

    /// The key columns' names at the source in that object.
    #[must_use]
    pub fn keys_for(&self, object: &ObjectName) -> &[String] {
        self.keys_from(&object.phase)
    }

    /// The key columns' names at the source from an object on.
    pub(crate) fn keys_from(&self, phase: &Phase) -> &[String] {
        self.layouts_until(phase).find_map(|layout| layout.keys.as_deref()).unwrap_or(&self.keys)
    }

    /// The layouts that do not begin after an object, the latest first.
    fn layouts_until(&self, phase: &Phase) -> impl Iterator<Item = &Layout> {
        self.layouts.iter().rev().filter(move |layout| layout.from <= *phase)
    }

    /// The configured column of that source name, whatever layout names it.
    #[must_use]
    pub fn column(&self, source_column: &str) -> Option<&ColumnSpec> {
        let later = self.layouts.iter().rev().flat_map(|layout| &layout.columns);
        later.chain(&self.columns).find(|column| column.name == source_column)
    }
}
