//! A source database in memory: tables that know their rows and log every change, as MySQL and
//! its binary log do.

use std::collections::BTreeMap;

use crate::dms::Operation;

/// A value as the source holds it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Value {
    /// NULL.
    Null,
    /// Any integer type.
    Integer(i64),
    /// A decimal's digits, its point [`MONEY_SCALE`] from the right.
    Money(i64),
    /// Any text type.
    Text(String),
    /// Microseconds since 1970 in UTC.
    Instant(i64),
}

/// Digits after the point of every decimal column of the shop.
pub(super) const MONEY_SCALE: u8 = 2;

/// The columns of one row.
pub(super) type Values = Vec<Value>;

/// A column type of the shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `tinyint`
    Tiny,
    /// `smallint unsigned`
    UnsignedSmall,
    /// `int unsigned`
    UnsignedInt,
    /// `bigint`
    Big,
    /// `bigint unsigned`
    UnsignedBig,
    /// `decimal(precision,2)`
    Money {
        /// Digits in all.
        precision: u8,
    },
    /// `datetime(6)`
    Instant,
    /// Text of the declared type.
    Text(&'static str),
}

impl Kind {
    /// The declaration.
    pub(super) fn mysql_type(self) -> String {
        match self {
            Self::Tiny => "tinyint".into(),
            Self::UnsignedSmall => "smallint unsigned".into(),
            Self::UnsignedInt => "int unsigned".into(),
            Self::Big => "bigint".into(),
            Self::UnsignedBig => "bigint unsigned".into(),
            Self::Money { precision } => format!("decimal({precision},{MONEY_SCALE})"),
            Self::Instant => "datetime(6)".into(),
            Self::Text(declared) => declared.into(),
        }
    }
}

/// A column of a source table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SourceColumn {
    /// Its name.
    pub(super) name: &'static str,
    /// Its type.
    pub(super) kind: Kind,
}

/// One entry of the log.
#[derive(Clone, Debug)]
pub(super) struct Change {
    /// What happened.
    pub(super) operation: Operation,
    /// The after image; of a delete, the before image.
    pub(super) row: Values,
    /// The key before an update.
    pub(super) key_before: Option<Values>,
    /// Time of commit, in microseconds since 1970.
    pub(super) committed: i64,
    /// Number in the order of all changes.
    pub(super) sequence: u64,
}

/// A table of the source.
#[derive(Debug)]
pub(super) struct SourceTable {
    name: &'static str,
    columns: Vec<SourceColumn>,
    key_width: usize,
    rows: BTreeMap<Values, Values>,
    log: Vec<Change>,
}

/// When something happens, for the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// Microseconds since 1970.
    pub(super) time: i64,
    /// Number in the order of all changes.
    pub(super) sequence: u64,
}

impl SourceTable {
    /// An empty table; the first `key_width` columns are its primary key.
    pub(super) fn new(
        name: &'static str,
        key_width: usize,
        columns: &[(&'static str, Kind)],
    ) -> Self {
        let columns = columns.iter().map(|&(name, kind)| SourceColumn { name, kind }).collect();
        Self { name, columns, key_width, rows: BTreeMap::new(), log: Vec::new() }
    }

    /// Its name, without the schema.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// Its columns as of now.
    pub(super) fn columns(&self) -> &[SourceColumn] {
        &self.columns
    }

    /// The key columns.
    pub(super) fn key_columns(&self) -> &[SourceColumn] {
        &self.columns[..self.key_width]
    }

    /// Its rows as of now, by key.
    pub(super) fn rows(&self) -> &BTreeMap<Values, Values> {
        &self.rows
    }

    /// The row of that key.
    pub(super) fn row(&self, key: &[Value]) -> Option<&Values> {
        self.rows.get(key)
    }

    /// The key of a row.
    pub(super) fn key(&self, row: &[Value]) -> Values {
        row[..self.key_width].to_vec()
    }

    /// Takes what was logged since the last time.
    pub(super) fn take_log(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.log)
    }

    /// `ALTER TABLE … ADD COLUMN`: no row has a value in it yet.
    pub(super) fn add_column(&mut self, name: &'static str, kind: Kind) {
        assert!(self.log.is_empty(), "an object holds rows of one schema");
        self.columns.push(SourceColumn { name, kind });
        for row in self.rows.values_mut() {
            row.push(Value::Null);
        }
    }

    /// `INSERT`
    pub(super) fn insert(&mut self, moment: Moment, row: Values) {
        let replaced = self.rows.insert(self.key(&row), row.clone());
        assert!(replaced.is_none(), "a key is inserted once");
        self.record(moment, Operation::Insert, row, None);
    }

    /// `UPDATE` of the row of that key; the key may change to one that is free.
    pub(super) fn update(&mut self, moment: Moment, key: &[Value], row: Values) {
        let before = self.rows.remove(key);
        assert!(before.is_some(), "only what is there is updated");
        let replaced = self.rows.insert(self.key(&row), row.clone());
        assert!(replaced.is_none(), "a row moves to a free key");
        self.record(moment, Operation::Update, row, Some(key.to_vec()));
    }

    /// `DELETE`
    pub(super) fn delete(&mut self, moment: Moment, key: &[Value]) {
        let row = self.rows.remove(key).expect("only what is there is deleted");
        self.record(moment, Operation::Delete, row, None);
    }

    fn record(
        &mut self,
        moment: Moment,
        operation: Operation,
        row: Values,
        key_before: Option<Values>,
    ) {
        let Moment { time: committed, sequence } = moment;
        self.log.push(Change { operation, row, key_before, committed, sequence });
    }
}
