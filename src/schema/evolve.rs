//! How an object may differ from a table's columns: it may add columns and lack some, and its types
//! may be narrower or wider. Anything else is refused.

use std::collections::HashMap;

use arrow::datatypes::DataType;

use crate::schema::{Column, ColumnType, TableSchema};

/// The column type in the lake for an object's own type if nothing is configured; `None` for types
/// that DMS never writes.
///
/// Unsigned integers get the next wider signed type. Times of day are text because MySQL's `time`
/// exceeds a day. Decimals beyond Delta's 38 digits are text, up to Arrow's 76.
#[must_use]
pub fn natural(arrow: &DataType) -> Option<ColumnType> {
    Some(match arrow {
        DataType::Int8 => ColumnType::Byte,
        DataType::Int16 | DataType::UInt8 => ColumnType::Short,
        DataType::Int32 | DataType::UInt16 => ColumnType::Int,
        DataType::Int64 | DataType::UInt32 => ColumnType::Long,
        DataType::UInt64 => ColumnType::Decimal { precision: 20, scale: 0 },
        DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => {
            match u8::try_from(*scale) {
                Ok(scale) if *precision <= 38 => {
                    ColumnType::Decimal { precision: *precision, scale }
                }
                Ok(_) if *precision <= 76 => ColumnType::String,
                _ => return None,
            }
        }
        DataType::Float16 | DataType::Float32 | DataType::Float64 => ColumnType::Double,
        DataType::Boolean => ColumnType::Boolean,
        DataType::Date32 => ColumnType::Date,
        DataType::Timestamp(_, _) => ColumnType::Timestamp,
        DataType::Time32(_) | DataType::Time64(_) | DataType::Utf8 => ColumnType::String,
        DataType::Binary | DataType::FixedSizeBinary(_) => ColumnType::Binary,
        _ => return None,
    })
}

/// Whether a column of type `to` can hold every value of type `from` unchanged.
#[must_use]
pub fn fits(from: ColumnType, to: ColumnType) -> bool {
    use ColumnType as T;
    if from == to {
        return true;
    }
    match (from, to) {
        (T::Byte, T::Short | T::Int | T::Long | T::Double)
        | (T::Short, T::Int | T::Long | T::Double)
        | (T::Int, T::Long | T::Double)
        | (T::Date, T::Timestamp) => true,
        (T::Byte | T::Short | T::Int | T::Long, T::Decimal { precision, scale }) => {
            integer_digits(from) <= precision - scale
        }
        (
            T::Decimal { precision: old_precision, scale: old_scale },
            T::Decimal { precision, scale },
        ) => old_scale <= scale && old_precision - old_scale <= precision - scale,
        _ => false,
    }
}

/// The narrowest type that a column of type `old` may get to hold every value of type `new` too, if
/// there is one. Its own values stay as they are; truth values become the numbers 0 and 1, which
/// they are in MySQL.
#[must_use]
pub fn widened(old: ColumnType, new: ColumnType) -> Option<ColumnType> {
    use ColumnType as T;
    if fits(new, old) {
        return Some(old);
    }
    if fits(old, new) || (old == T::Boolean && is_integer(new)) {
        return Some(new);
    }
    let ((old, old_scale), (new, new_scale)) = (digits(old)?, digits(new)?);
    let scale = old_scale.max(new_scale);
    let precision = (old - old_scale).max(new - new_scale) + scale;
    (precision <= 38).then_some(T::Decimal { precision, scale })
}

/// Whether a type has whole numbers only.
#[must_use]
pub fn is_integer(column_type: ColumnType) -> bool {
    use ColumnType as T;
    matches!(column_type, T::Byte | T::Short | T::Int | T::Long)
}

/// Digits of an exact number, in all and after the point.
fn digits(exact: ColumnType) -> Option<(u8, u8)> {
    match exact {
        ColumnType::Decimal { precision, scale } => Some((precision, scale)),
        integer if is_integer(integer) => Some((integer_digits(integer), 0)),
        _ => None,
    }
}

/// How the columns of an object differ from the table's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Those that the table lacks.
    pub added: Vec<Column>,
    /// Those of the table whose type does not hold the object's values, with one that holds both.
    pub wider: Vec<Column>,
    /// The names of those that the object lacks.
    pub gone: Vec<String>,
}

/// Compares an object's columns with the table's.
///
/// Each of the object's that the table has too must be of the table's type or one that holds it, as
/// decoding gives it; other names must have been checked against the table's.
#[must_use]
pub fn difference(lake: &TableSchema, brought: &[Column]) -> Difference {
    let mut difference = Difference::default();
    let columns = lake.columns().iter().map(|column| (column.name.as_str(), column));
    let mut left: HashMap<&str, &Column> = columns.collect();
    for column in brought {
        match left.remove(column.name.as_str()) {
            Some(old) if old.column_type != column.column_type => {
                difference.wider.push(column.clone());
            }
            Some(_) => {}
            None => difference.added.push(column.clone()),
        }
    }
    let names = lake.columns().iter().map(|column| &column.name);
    difference.gone = names.filter(|name| left.contains_key(name.as_str())).cloned().collect();
    difference
}

/// The table's columns, followed by the new ones of an object, as nullable; `None` if it has no new
/// ones.
///
/// The names must have been checked against the table's, as decoding does.
#[must_use]
pub fn extended(lake: &TableSchema, brought: &[Column]) -> Option<TableSchema> {
    let added = difference(lake, brought).added;
    if added.is_empty() {
        return None;
    }
    let new = added.into_iter().map(|column| Column { nullable: true, ..column });
    Some(TableSchema::new(lake.columns().iter().cloned().chain(new).collect()))
}

/// The most decimal digits of an integer type.
fn integer_digits(integer: ColumnType) -> u8 {
    match integer {
        ColumnType::Byte => 3,
        ColumnType::Short => 5,
        ColumnType::Int => 10,
        _ => 19,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(precision: u8, scale: u8) -> ColumnType {
        ColumnType::Decimal { precision, scale }
    }

    #[test]
    fn only_lossless_changes_fit() {
        use ColumnType as T;
        let fitting = [
            (T::Byte, T::Short),
            (T::Short, T::Long),
            (T::Int, T::Double),
            (T::Date, T::Timestamp),
            (T::Long, decimal(19, 0)),
            (T::Byte, decimal(5, 2)),
            (decimal(10, 2), decimal(12, 4)),
            (decimal(10, 2), decimal(38, 2)),
        ];
        for (from, to) in fitting {
            assert!(fits(from, to), "{from} into {to}");
            assert!(!fits(to, from), "{to} into {from}");
        }
        let foreign = [
            (T::Long, T::Double),
            (T::Long, decimal(20, 2)),
            (decimal(10, 2), decimal(10, 4)),
            (decimal(20, 0), T::Long),
            (T::Boolean, T::Byte),
            (T::Int, T::String),
            (T::Binary, T::String),
        ];
        for (from, to) in foreign {
            assert!(!fits(from, to), "{from} into {to}");
        }
    }

    #[test]
    fn a_column_widens_to_the_narrowest_type_that_holds_both() {
        use ColumnType as T;
        let joins = [
            (T::Int, T::Long, T::Long),
            (T::Date, T::Timestamp, T::Timestamp),
            (T::Int, T::Double, T::Double),
            (T::Long, decimal(20, 0), decimal(20, 0)),
            (T::Int, decimal(8, 2), decimal(12, 2)),
            (decimal(10, 2), decimal(10, 4), decimal(12, 4)),
            (decimal(38, 0), decimal(38, 0), decimal(38, 0)),
        ];
        for (one, other, both) in joins {
            assert_eq!(widened(one, other), Some(both), "{one} and {other}");
            assert_eq!(widened(other, one), Some(both), "{other} and {one}");
            assert!(fits(one, both) && fits(other, both), "{one} and {other} into {both}");
        }
        assert_eq!(widened(T::Boolean, T::Short), Some(T::Short));
        assert_eq!(widened(T::Short, T::Boolean), None);
        let strangers = [
            (T::Long, T::Double),
            (T::Int, T::String),
            (T::Boolean, T::Double),
            (T::Timestamp, T::String),
            (decimal(38, 0), decimal(10, 2)),
            (decimal(10, 2), T::Double),
        ];
        for (one, other) in strangers {
            assert_eq!(widened(one, other), None, "{one} and {other}");
            assert_eq!(widened(other, one), None, "{other} and {one}");
        }
    }

    #[test]
    fn an_object_adds_widens_and_lacks_columns() {
        let column =
            |name: &str, column_type| Column { name: name.into(), column_type, nullable: true };
        let lake =
            TableSchema::new(vec![column("a", ColumnType::Int), column("b", ColumnType::Int)]);
        let brought = [column("b", ColumnType::Long), column("c", ColumnType::Int)];
        let found = difference(&lake, &brought);
        assert_eq!(found.added, [column("c", ColumnType::Int)]);
        assert_eq!(found.wider, [column("b", ColumnType::Long)]);
        assert_eq!(found.gone, ["a"]);
    }

    #[test]
    fn new_columns_go_to_the_end_and_are_nullable() {
        let column = |name: &str, nullable| Column {
            name: name.into(),
            column_type: ColumnType::Int,
            nullable,
        };
        let lake = TableSchema::new(vec![column("b", true), column("a", true)]);
        assert_eq!(extended(&lake, &[column("a", true)]), None);
        let wider = extended(&lake, &[column("c", false), column("a", true)]).expect("one is new");
        assert_eq!(wider.columns(), [column("b", true), column("a", true), column("c", true)]);
    }
}
