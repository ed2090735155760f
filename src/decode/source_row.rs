//! One row by itself, as the source wrote it: decoded again as in its object, with fields repaired.
//!
//! The row is written as an object of one row, in one dialect of CSV with a header, whatever it was
//! before. So the fields, the types and the rules are those of every other row.

use bytes::Bytes;
use serde_json::Value;

use crate::decode::bounds::Bounds;
use crate::decode::csv::peek::fields_of;
use crate::decode::open::open_content;
use crate::decode::{DecodeContext, DecodedBatch};
use crate::dms::{Format, S3Settings};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::Column;
use crate::staging::StagedObject;

/// Texts that no value has by accident.
const NULL: &str = "\u{1}NULL\u{1}";
const UNSET: &str = "\u{1}UNSET\u{1}";

/// The text of one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FieldText {
    Null,
    /// The log did not supply the value.
    Unset,
    Text(String),
}

/// The named fields of one row.
#[derive(Clone, Debug)]
pub(crate) struct SourceRow {
    fields: Vec<(String, FieldText)>,
}

impl SourceRow {
    /// The row of a CSV object, given the names of the object's fields.
    ///
    /// # Errors
    /// Why the text cannot be cut into these fields.
    pub(crate) fn of_csv(
        text: &str,
        names: &[String],
        dms: &S3Settings,
    ) -> std::result::Result<Self, String> {
        let Some(texts) = fields_of(text, dms) else {
            return Err("text follows a closing quote".to_owned());
        };
        let (width, expected) = (texts.len(), names.len());
        if width != expected {
            return Err(format!("the row has {width} fields, but the object has {expected}"));
        }
        Ok(Self { fields: names.iter().cloned().zip(texts).collect() })
    }

    /// The row of a Parquet object; none if the text is no such row.
    pub(crate) fn of_json(text: &str) -> Option<Self> {
        let Value::Object(fields) = serde_json::from_str(text).ok()? else { return None };
        let field = |(name, value): (String, Value)| {
            let text = match value {
                Value::Null => FieldText::Null,
                Value::String(text) => FieldText::Text(text),
                other => FieldText::Text(other.to_string()),
            };
            (name, text)
        };
        let mut fields: Vec<(String, FieldText)> = fields.into_iter().map(field).collect();
        // DMS's operation is the first field wherever there is one.
        fields.sort_by_key(|(name, _)| name != crate::decode::columns::OP);
        Some(Self { fields })
    }

    /// Gives a field another value; false if the row has no such field.
    pub(crate) fn set(&mut self, column: &str, value: &FieldText) -> bool {
        let exact = self.fields.iter().position(|(name, _)| name == column);
        let alike = || self.fields.iter().position(|(name, _)| name.eq_ignore_ascii_case(column));
        let Some(at) = exact.or_else(alike) else { return false };
        self.fields[at].1 = value.clone();
        true
    }

    /// The text of a field; none if the row has no such field, or no value in it.
    pub(crate) fn text(&self, column: &str) -> Option<&str> {
        let (_, text) = self.fields.iter().find(|(name, _)| name == column)?;
        match text {
            FieldText::Text(text) => Some(text),
            FieldText::Null | FieldText::Unset => None,
        }
    }

    /// The fields whose bytes were not text: what they were is not known any more.
    pub(crate) fn lossy(&self) -> Option<&str> {
        let is_lossy =
            |text: &FieldText| matches!(text, FieldText::Text(it) if it.contains('\u{fffd}'));
        self.fields.iter().find(|(_, text)| is_lossy(text)).map(|(name, _)| name.as_str())
    }

    /// Decodes the row as one of that object, which need not be staged any more: the columns of the
    /// lake that it has, and a batch of it alone, as a change or as a bad row.
    ///
    /// # Errors
    /// Those of [`crate::decode::open()`].
    pub(crate) async fn decode(
        &self,
        context: &DecodeContext<'_>,
        object: &StagedObject,
    ) -> Result<(Vec<Column>, DecodedBatch)> {
        let dms = S3Settings {
            csv_delimiter: ",".into(),
            csv_row_delimiter: "\n".into(),
            csv_row_delimiter_stated: true,
            csv_null_value: NULL.into(),
            csv_no_sup_value: context.dms.csv_no_sup_value.as_ref().map(|_| UNSET.into()),
            rfc_4180: true,
            add_column_name: true,
            add_column_name_stated: true,
            ..context.dms.clone()
        };
        let context = DecodeContext { dms: &dms, ..*context };
        let bytes = Bytes::from(self.written());
        let mut object = object.clone();
        object.name.format = Format::Csv;
        object.size = bytes.len() as u64;
        let bounds = Bounds::of_budget(context.memory_budget);
        let mut reader = open_content(&context, &object, 0, Some(bytes), bounds).await?;
        let batch = reader.next().await?.ok_or_else(|| {
            Error::new(ErrorKind::Internal, "a row that was written for it is not decoded")
        })?;
        Ok((reader.columns().to_vec(), batch))
    }

    fn written(&self) -> String {
        let names: Vec<String> = self.fields.iter().map(|(name, _)| quoted(name)).collect();
        let text = |(_, text): &(String, FieldText)| match text {
            FieldText::Null => NULL.to_owned(),
            FieldText::Unset => UNSET.to_owned(),
            FieldText::Text(text) => quoted(text),
        };
        let texts: Vec<String> = self.fields.iter().map(text).collect();
        format!("{}\n{}\n", names.join(","), texts.join(","))
    }
}

fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        return format!("\"{}\"", text.replace('"', "\"\""));
    }
    text.to_owned()
}

/// The names of the fields of a CSV object without a header that is no longer staged, from one of its
/// rows.
///
/// # Errors
/// `SchemaRefused` if the row does not tell them.
pub(crate) async fn csv_field_names(
    context: &DecodeContext<'_>,
    object: &StagedObject,
    row: &str,
) -> Result<Vec<String>> {
    if context.dms.add_column_name {
        return Err(Error::new(
            ErrorKind::SchemaRefused,
            "the object is no longer staged, and with it the names of its fields are gone",
        ));
    }
    let text = format!("{row}{}", context.dms.csv_row_delimiter);
    let object = StagedObject { size: text.len() as u64, ..object.clone() };
    let bounds = Bounds::of_budget(context.memory_budget);
    let reader = open_content(context, &object, 0, Some(Bytes::from(text)), bounds).await?;
    Ok(reader.field_names().to_vec())
}
