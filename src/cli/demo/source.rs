//! A source database in memory: tables with their rows and a log of every change, like MySQL and
//! its binary log.

use std::collections::BTreeMap;

use crate::dms::Operation;

/// A value at the source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Value {
    /// NULL.
    Null,
    /// Any integer type.
    Integer(i64),
    /// The digits of a decimal, [`MONEY_SCALE`] of them after the point.
    Money(i64),
    /// Any text type.
    Text(String),
    /// Microseconds since 1970 in UTC.
    Instant(i64),
}

/// The number of digits after the point in every decimal column.
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
        /// The total number of digits.
        precision: u8,
    },
    /// `datetime(6)`
    Instant,
    /// A text type, as declared.
    Text(&'static str),
}

impl Kind {
    /// The type in MySQL's spelling.
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
    /// The after image, or the before image of a delete.
    pub(super) row: Values,
    /// The key before an update.
    pub(super) key_before: Option<Values>,
    /// The commit time, in microseconds since 1970.
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

    /// Its current columns.
    pub(super) fn columns(&self) -> &[SourceColumn] {
        &self.columns
    }

    /// The key columns.
    pub(super) fn key_columns(&self) -> &[SourceColumn] {
        &self.columns[..self.key_width]
    }

    /// Its current rows, by key.
    pub(super) fn rows(&self) -> &BTreeMap<Values, Values> {
        &self.rows
    }

    /// The row with that key.
    pub(super) fn row(&self, key: &[Value]) -> Option<&Values> {
        self.rows.get(key)
    }

    /// The key of a row.
    pub(super) fn key(&self, row: &[Value]) -> Values {
        row[..self.key_width].to_vec()
    }

    /// Takes the changes that were logged since the last call.
    pub(super) fn take_log(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.log)
    }

    /// `ALTER TABLE … ADD COLUMN`. It is NULL in every existing row.
    pub(super) fn add_column(&mut self, name: &'static str, kind: Kind) {
        assert!(self.log.is_empty(), "all rows of an object have one schema");
        self.columns.push(SourceColumn { name, kind });
        for row in self.rows.values_mut() {
            row.push(Value::Null);
        }
    }

    /// `INSERT`
    pub(super) fn insert(&mut self, moment: Moment, row: Values) {
        let replaced = self.rows.insert(self.key(&row), row.clone());
        assert!(replaced.is_none(), "the key is new");
        self.record(moment, Operation::Insert, row, None);
    }

    /// `UPDATE` of the row with that key. The key may change to one that is free.
    pub(super) fn update(&mut self, moment: Moment, key: &[Value], row: Values) {
        let before = self.rows.remove(key);
        assert!(before.is_some(), "the row exists");
        let replaced = self.rows.insert(self.key(&row), row.clone());
        assert!(replaced.is_none(), "the new key is free");
        self.record(moment, Operation::Update, row, Some(key.to_vec()));
    }

    /// `DELETE`
    pub(super) fn delete(&mut self, moment: Moment, key: &[Value]) {
        let row = self.rows.remove(key).expect("the row exists");
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
