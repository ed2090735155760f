//! The columns of a table in the lake: their types, and how they may evolve.

pub mod evolve;
mod reshape;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use serde::{Deserialize, Serialize};

pub use reshape::{ColumnChange, earlier_name, pending_changes, reshaped};

/// A column type in the lake: one of the Delta types that every reader of protocol reader 1 /
/// writer 2 supports. It is written down in Delta's spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum ColumnType {
    /// 8-bit signed integer.
    Byte,
    /// 16-bit signed integer.
    Short,
    /// 32-bit signed integer.
    Int,
    /// 64-bit signed integer.
    Long,
    /// Exact decimal of at most 38 digits.
    Decimal {
        /// Digits in all, 1 to 38.
        precision: u8,
        /// Digits after the point, at most `precision`.
        scale: u8,
    },
    /// 64-bit floating point.
    Double,
    /// True or false.
    Boolean,
    /// A day.
    Date,
    /// An instant in UTC with microseconds.
    Timestamp,
    /// UTF-8 text.
    String,
    /// Bytes.
    Binary,
}

impl ColumnType {
    /// The Arrow type that carries the column from decoding to the data file.
    #[must_use]
    pub fn arrow(self) -> DataType {
        match self {
            Self::Byte => DataType::Int8,
            Self::Short => DataType::Int16,
            Self::Int => DataType::Int32,
            Self::Long => DataType::Int64,
            Self::Decimal { precision, scale } => {
                // Scale is at most 38 and so fits.
                DataType::Decimal128(precision, i8::try_from(scale).unwrap_or(i8::MAX))
            }
            Self::Double => DataType::Float64,
            Self::Boolean => DataType::Boolean,
            Self::Date => DataType::Date32,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::String => DataType::Utf8,
            Self::Binary => DataType::Binary,
        }
    }
}

impl fmt::Display for ColumnType {
    /// Delta's spelling: `long`, `decimal(20,0)`, …
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Byte => f.write_str("byte"),
            Self::Short => f.write_str("short"),
            Self::Int => f.write_str("integer"),
            Self::Long => f.write_str("long"),
            Self::Decimal { precision, scale } => write!(f, "decimal({precision},{scale})"),
            Self::Double => f.write_str("double"),
            Self::Boolean => f.write_str("boolean"),
            Self::Date => f.write_str("date"),
            Self::Timestamp => f.write_str("timestamp"),
            Self::String => f.write_str("string"),
            Self::Binary => f.write_str("binary"),
        }
    }
}

impl From<ColumnType> for String {
    fn from(column_type: ColumnType) -> Self {
        column_type.to_string()
    }
}

impl TryFrom<String> for ColumnType {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl FromStr for ColumnType {
    type Err = String;

    /// Reads Delta's spelling.
    fn from_str(text: &str) -> Result<Self, String> {
        let digits = |inner: &str| {
            let (precision, scale) = inner.split_once(',')?;
            let (precision, scale) = (precision.parse().ok()?, scale.parse().ok()?);
            (scale <= precision && precision <= 38).then_some(Self::Decimal { precision, scale })
        };
        let decimal = text.strip_prefix("decimal(").and_then(|rest| rest.strip_suffix(')'));
        let plain = [
            Self::Byte,
            Self::Short,
            Self::Int,
            Self::Long,
            Self::Double,
            Self::Boolean,
            Self::Date,
            Self::Timestamp,
            Self::String,
            Self::Binary,
        ];
        let named = || plain.into_iter().find(|plain| plain.to_string() == text);
        decimal.map_or_else(named, digits).ok_or_else(|| format!("there is no type `{text}`"))
    }
}

/// One column of a table in the lake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name in the lake.
    pub name: String,
    /// Its type in the lake.
    pub column_type: ColumnType,
    /// Whether it may hold NULL. Only columns of the first commit can be required.
    pub nullable: bool,
}

/// The columns of a table in the lake, in order; names are unique regardless of case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableSchema {
    columns: Vec<Column>,
}

impl TableSchema {
    /// A schema of these columns.
    #[must_use]
    pub fn new(columns: Vec<Column>) -> Self {
        Self { columns }
    }

    /// The columns in table order.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The column with a name, whose letter case must match.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The columns as an Arrow schema in which each may be NULL, as in a change even those that the
    /// table requires: a delete has only its key, a value may be missing because its column was added
    /// later, or because it is a zero date. Decoding refuses rows that lack a required value.
    #[must_use]
    pub(crate) fn arrow_nullable(&self) -> SchemaRef {
        let schema = self.arrow();
        let fields = schema.fields().iter();
        let fields = fields.map(|field| field.as_ref().clone().with_nullable(true));
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    /// The columns as an Arrow schema.
    #[must_use]
    pub fn arrow(&self) -> SchemaRef {
        let fields = self
            .columns
            .iter()
            .map(|column| Field::new(&column.name, column.column_type.arrow(), column.nullable));
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }
}
