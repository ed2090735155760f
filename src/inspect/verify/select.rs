//! How values are asked of MySQL, so that their text is what decoding reads, and how values of the
//! lake are written in its SQL.

use std::fmt::Write as _;

use arrow::array::{Array as _, ArrayRef, AsArray as _};
use arrow::datatypes::{DataType, Date32Type, Float64Type, TimestampMicrosecondType};
use arrow::util::display::array_value_to_string;
use chrono::{DateTime, TimeDelta};

use crate::dms::MySqlType;

/// A name in backquotes.
pub(super) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// The expression for a column's value.
pub(super) fn expression(name: &str, mysql_type: MySqlType) -> String {
    let name = quoted(name);
    match mysql_type {
        // As text, a `float` has six digits, and `double(m,d)` is rounded.
        MySqlType::Float | MySqlType::Double => format!("{name} * 1e0"),
        MySqlType::Bit { width: 64.. } => format!("LPAD(HEX({name} + 0), 16, '0')"),
        MySqlType::Bit { .. } => format!("{name} + 0"),
        MySqlType::Bytes => format!("HEX({name})"),
        _ => name,
    }
}

/// A value of the lake in SQL, to be compared with a column of that type; none for NULL and for
/// what cannot be compared.
pub(super) fn literal(column: &ArrayRef, row: usize, mysql_type: MySqlType) -> Option<String> {
    if column.is_null(row) {
        return None;
    }
    let text = || array_value_to_string(column, row).ok();
    match column.data_type() {
        DataType::Boolean => Some(u8::from(column.as_boolean().value(row)).to_string()),
        DataType::Float64 => {
            let value = column.as_primitive::<Float64Type>().value(row);
            value.is_finite().then(|| format!("{value:e}"))
        }
        DataType::Date32 => {
            let days = column.as_primitive::<Date32Type>().value(row);
            let day = DateTime::UNIX_EPOCH.checked_add_signed(TimeDelta::days(days.into()))?;
            Some(format!("'{}'", day.format("%Y-%m-%d")))
        }
        DataType::Timestamp(..) => {
            let micros = column.as_primitive::<TimestampMicrosecondType>().value(row);
            let time = DateTime::from_timestamp_micros(micros)?;
            Some(format!("'{}'", time.format("%Y-%m-%d %H:%M:%S%.6f")))
        }
        DataType::Utf8 => {
            let text = column.as_string::<i32>().value(row);
            match mysql_type {
                // As text, it would be compared as a floating-point number.
                MySqlType::Decimal { .. } => is_number(text).then(|| text.to_owned()),
                _ => Some(format!("_utf8mb4 {}", hexadecimal(text.as_bytes()))),
            }
        }
        DataType::Binary => {
            let bytes = hexadecimal(column.as_binary::<i32>().value(row));
            let is_bit = matches!(mysql_type, MySqlType::Bit { .. });
            Some(if is_bit { format!("{bytes} + 0") } else { bytes })
        }
        data_type if data_type.is_integer() => text(),
        DataType::Decimal128(..) => text(),
        _ => None,
    }
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len() + 3);
    text.push_str("x'");
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02X}");
    }
    text.push('\'');
    text
}

/// The condition that a row's key is behind `key`, in the order of these columns. The first part
/// alone is one that MySQL finds in an index.
pub(super) fn behind(columns: &[String], key: &[String]) -> String {
    let pairs: Vec<(&String, &String)> = columns.iter().zip(key).collect();
    let mut condition = String::from("FALSE");
    for (column, value) in pairs.iter().rev() {
        condition = format!("({column} > {value} OR ({column} = {value} AND {condition}))");
    }
    let first = pairs.first().map(|(column, value)| format!("{column} >= {value} AND "));
    format!("{}{condition}", first.unwrap_or_default())
}

/// The condition that a row's key is not behind `key`.
pub(super) fn up_to(columns: &[String], key: &[String]) -> String {
    let pairs: Vec<(&String, &String)> = columns.iter().zip(key).collect();
    let mut condition = String::from("TRUE");
    for (column, value) in pairs.iter().rev() {
        condition = format!("({column} < {value} OR ({column} = {value} AND {condition}))");
    }
    let first = pairs.first().map(|(column, value)| format!("{column} <= {value} AND "));
    format!("{}{condition}", first.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{BinaryArray, Int16Array, StringArray};

    use super::*;

    #[test]
    fn conditions_go_through_the_columns_of_a_key() {
        let text = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            behind(&text(&["a", "b"]), &text(&["1", "2"])),
            "a >= 1 AND (a > 1 OR (a = 1 AND (b > 2 OR (b = 2 AND FALSE))))"
        );
        assert_eq!(up_to(&text(&["a"]), &text(&["1"])), "a <= 1 AND (a < 1 OR (a = 1 AND TRUE))");
    }

    #[test]
    fn values_are_written_so_that_nothing_in_them_is_sql() {
        let text: ArrayRef = Arc::new(StringArray::from(vec!["a'`", "1.50", "1 OR 1"]));
        assert_eq!(literal(&text, 0, MySqlType::Text).as_deref(), Some("_utf8mb4 x'612760'"));
        let decimal = MySqlType::Decimal { precision: 60, scale: 2 };
        assert_eq!(literal(&text, 1, decimal).as_deref(), Some("1.50"));
        assert_eq!(literal(&text, 2, decimal), None);
        let bytes: ArrayRef = Arc::new(BinaryArray::from(vec![&[0_u8, 255][..]]));
        assert_eq!(literal(&bytes, 0, MySqlType::Bytes).as_deref(), Some("x'00FF'"));
        let small: ArrayRef = Arc::new(Int16Array::from(vec![Some(-5), None]));
        let int = MySqlType::SmallInt { unsigned: false };
        assert_eq!(literal(&small, 0, int).as_deref(), Some("-5"));
        assert_eq!(literal(&small, 1, int), None);
        assert_eq!(quoted("a`b"), "`a``b`");
    }
}
