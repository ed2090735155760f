//! Changes of a table's columns that its data files must follow, so that all rows are written again.

use serde::{Deserialize, Serialize};

use crate::schema::evolve::fits;
use crate::schema::{Column, ColumnType, TableSchema};

/// A change of one column of a table, which keeps the values of all rows or drops them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnChange {
    /// It gets a type that holds all of its values.
    Widen {
        /// Its name in the lake.
        column: String,
        /// The type.
        to: ColumnType,
    },
    /// It gets another name.
    Rename {
        /// Its name in the lake so far.
        column: String,
        /// The name.
        to: String,
    },
    /// It goes away, with its values.
    Drop {
        /// Its name in the lake.
        column: String,
    },
}

impl ColumnChange {
    /// The column's name before the change.
    #[must_use]
    pub fn column(&self) -> &str {
        match self {
            Self::Widen { column, .. } | Self::Rename { column, .. } | Self::Drop { column } => {
                column
            }
        }
    }

    /// Whether a table with these columns has yet to be changed.
    #[must_use]
    pub fn is_pending(&self, schema: &TableSchema) -> bool {
        schema.column(self.column()).is_some_and(|column| match self {
            Self::Widen { to, .. } => !fits(*to, column.column_type),
            Self::Rename { .. } | Self::Drop { .. } => true,
        })
    }
}

/// Those changes that a table with these columns has yet to see.
#[must_use]
pub fn pending_changes(schema: &TableSchema, changes: &[ColumnChange]) -> Vec<ColumnChange> {
    changes.iter().filter(|change| change.is_pending(schema)).cloned().collect()
}

/// The columns after these changes, in the same order.
#[must_use]
pub fn reshaped(schema: &TableSchema, changes: &[ColumnChange]) -> TableSchema {
    let after = |column: &Column| {
        let mut after = column.clone();
        for change in changes.iter().filter(|change| change.column() == column.name) {
            match change {
                ColumnChange::Widen { to, .. } => after.column_type = *to,
                ColumnChange::Rename { to, .. } => after.name.clone_from(to),
                ColumnChange::Drop { .. } => return None,
            }
        }
        Some(after)
    };
    TableSchema::new(schema.columns().iter().filter_map(after).collect())
}

/// The name that a column had before these changes.
#[must_use]
pub fn earlier_name<'a>(name: &'a str, changes: &'a [ColumnChange]) -> &'a str {
    let before = changes.iter().find_map(|change| match change {
        ColumnChange::Rename { column, to } if to == name => Some(column.as_str()),
        _ => None,
    });
    before.unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, column_type: ColumnType) -> Column {
        Column { name: name.into(), column_type, nullable: true }
    }

    #[test]
    fn changes_apply_to_their_columns_and_are_then_no_longer_pending() {
        let schema = TableSchema::new(vec![
            column("id", ColumnType::Int),
            column("old", ColumnType::Short),
            column("x", ColumnType::Date),
        ]);
        let changes = [
            ColumnChange::Widen { column: "id".into(), to: ColumnType::Long },
            ColumnChange::Rename { column: "old".into(), to: "new".into() },
            ColumnChange::Widen { column: "old".into(), to: ColumnType::Int },
            ColumnChange::Drop { column: "x".into() },
        ];
        assert_eq!(pending_changes(&schema, &changes), changes);
        let after = reshaped(&schema, &changes);
        let expected = [column("id", ColumnType::Long), column("new", ColumnType::Int)];
        assert_eq!(after.columns(), expected);
        assert_eq!(pending_changes(&after, &changes), []);
        assert_eq!(earlier_name("new", &changes), "old");
        assert_eq!(earlier_name("id", &changes), "id");
    }

    #[test]
    fn changes_are_written_down_in_words() {
        let changes = [
            ColumnChange::Widen {
                column: "a".into(),
                to: ColumnType::Decimal { precision: 12, scale: 4 },
            },
            ColumnChange::Drop { column: "b".into() },
        ];
        let json = serde_json::to_string(&changes).expect("they can be written");
        assert_eq!(
            json,
            r#"[{"widen":{"column":"a","to":"decimal(12,4)"}},{"drop":{"column":"b"}}]"#
        );
        assert_eq!(serde_json::from_str::<Vec<ColumnChange>>(&json).expect("and read"), changes);
    }
}
