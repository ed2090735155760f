//! A key as a person writes it.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Schema};

use crate::error::{Error, ErrorKind, Result};
use crate::inspect::why::Values;
use crate::inspect::why::image::values;
use crate::schema::TableSchema;

/// The key of one row, in the table's types.
#[derive(Debug)]
pub(crate) struct AskedKey {
    names: Vec<String>,
    columns: RecordBatch,
}

impl AskedKey {
    /// Reads the value of the one key column, or `column=value,…` of all of them in any order.
    ///
    /// # Errors
    /// `Config` if a column is missing, is none of the key, or its value does not fit its type.
    pub(crate) fn parse(text: &str, keys: &[String], schema: &TableSchema) -> Result<Self> {
        let parts = parts(text, keys)?;
        let mut fields = Vec::with_capacity(keys.len());
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(keys.len());
        for (name, text) in keys.iter().zip(parts) {
            let column = schema.column(name).ok_or_else(|| {
                refused("the table lacks a key column", keys).with("column", name)
            })?;
            let wanted = column.column_type.arrow();
            columns.push(value(text, &wanted).ok_or_else(|| {
                refused("the value does not fit its column", keys)
                    .with("column", name)
                    .with("type", column.column_type)
            })?);
            fields.push(Field::new(name, wanted, true));
        }
        let columns = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?;
        Ok(Self { names: keys.to_vec(), columns })
    }

    /// The names of its columns.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// Its columns, with one row.
    pub(crate) fn columns(&self) -> &RecordBatch {
        &self.columns
    }

    /// Whether these texts, in key order, are this key: as values of its types, or letter by letter.
    pub(crate) fn is_written(&self, texts: &[Option<&str>]) -> bool {
        let is_same = |(column, text): (&ArrayRef, Option<&str>)| {
            let Some(read) = text.and_then(|text| value(text, column.data_type())) else {
                return false;
            };
            read.as_ref() == column.as_ref()
        };
        texts.len() == self.columns.num_columns()
            && self.columns.columns().iter().zip(texts.iter().copied()).all(is_same)
    }

    /// Its values as text.
    pub(crate) fn values(&self) -> Result<Values> {
        values(&self.columns, 0)
    }
}

/// The texts of the key columns, in key order.
fn parts<'a>(text: &'a str, keys: &[String]) -> Result<Vec<&'a str>> {
    if let [only] = keys {
        // The value itself may have an equals sign.
        let named = text.strip_prefix(only.as_str()).and_then(|rest| rest.strip_prefix('='));
        return Ok(vec![named.unwrap_or(text)]);
    }
    let named: Vec<(&str, &str)> =
        text.split(',').filter_map(|part| part.split_once('=')).collect();
    let part = |key: &String| {
        let found = named.iter().find(|(name, _)| name.trim() == key);
        found.map(|(_, value)| *value).ok_or_else(|| refused("a key column is missing", keys))
    };
    let parts: Vec<&str> = keys.iter().map(part).collect::<Result<_>>()?;
    if parts.len() == text.split(',').count() {
        return Ok(parts);
    }
    Err(refused("something is none of the key's columns", keys))
}

/// A text as a value of that type; bytes are written in hexadecimal digits.
fn value(text: &str, wanted: &DataType) -> Option<ArrayRef> {
    let texts: ArrayRef = Arc::new(StringArray::from(vec![text]));
    if *wanted == DataType::Binary {
        let digits = text.strip_prefix("0x").unwrap_or(text);
        let byte = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
        let bytes: Option<Vec<u8>> = (0..digits.len()).step_by(2).map(byte).collect();
        return Some(Arc::new(arrow::array::BinaryArray::from_vec(vec![&bytes?])));
    }
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(&texts, wanted, &options).ok()
}

fn refused(message: &str, keys: &[String]) -> Error {
    let example = match keys {
        [_] => "1".to_owned(),
        keys => keys.iter().map(|key| format!("{key}=1")).collect::<Vec<_>>().join(","),
    };
    Error::new(ErrorKind::Config, message)
        .with("key columns", keys.join(", "))
        .with_remedy(format!("write it as {example:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_named_unless_there_is_one() {
        let keys = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let one = keys(&["id"]);
        assert_eq!(parts("5", &one).expect("a key"), ["5"]);
        assert_eq!(parts("id=5", &one).expect("a key"), ["5"]);
        assert_eq!(parts("a=b", &one).expect("a key"), ["a=b"]);
        let two = keys(&["a", "b"]);
        assert_eq!(parts("b=2, a=1", &two).expect("a key"), ["1", "2"]);
        for text in ["1", "a=1", "a=1,c=2", "a=1,b=2,c=3"] {
            assert!(parts(text, &two).is_err(), "{text}");
        }
    }
}
