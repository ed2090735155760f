//! CSV with the defaults of DMS: no header, `NULL` for null, RFC 4180 quotes where needed.

use std::borrow::Cow;

use super::super::source::{MONEY_SCALE, Value};
use super::{Line, letter, timestamp};

const NULL: &str = "NULL";

/// Encodes an object.
pub(super) fn encode(lines: &[Line]) -> Vec<u8> {
    let mut text = String::new();
    for line in lines {
        let control = line.operation.map(letter).map(str::to_owned);
        let control = control.into_iter().chain([line.timestamp.clone()]);
        let columns = line.row.iter().map(|value| field(value, NULL));
        // Columns that rules add are empty if they have no value.
        let before = line.before.iter().map(|value| field(value, ""));
        let fields = control.chain(columns).chain([line.sequence.clone()]).chain(before);
        let fields: Vec<String> = fields.map(|field| quoted(&field).into_owned()).collect();
        text.push_str(&fields.join(","));
        text.push('\n');
    }
    text.into_bytes()
}

fn field(value: &Value, null: &str) -> String {
    match value {
        Value::Null => null.to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Money(cents) => money(*cents),
        Value::Text(text) => text.clone(),
        Value::Instant(time) => timestamp(*time),
    }
}

/// The amount with its decimal point.
fn money(cents: i64) -> String {
    let unit = 10_i64.pow(u32::from(MONEY_SCALE));
    let (whole, rest) = (cents / unit, (cents % unit).abs());
    let sign = if cents < 0 && whole == 0 { "-" } else { "" };
    format!("{sign}{whole}.{rest:02}")
}

fn quoted(field: &str) -> Cow<'_, str> {
    if field.contains(['"', ',', '\n']) {
        Cow::Owned(format!("\"{}\"", field.replace('"', "\"\"")))
    } else {
        Cow::Borrowed(field)
    }
}
