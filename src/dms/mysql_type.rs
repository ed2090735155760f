//! MySQL's column types, as `SHOW CREATE TABLE` and `information_schema.columns.column_type`
//! spell them, and the column types of the lake that hold their values.

mod names;
mod spelling;

use serde::{Deserialize, Serialize};

use crate::schema::ColumnType;

/// A MySQL column type, reduced to what decoding needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum MySqlType {
    /// `tinyint`, `tinyint(1)`, `bool`
    TinyInt {
        /// `unsigned`
        unsigned: bool,
    },
    /// `smallint`
    SmallInt {
        /// `unsigned`
        unsigned: bool,
    },
    /// `mediumint`
    MediumInt {
        /// `unsigned`
        unsigned: bool,
    },
    /// `int`
    Int {
        /// `unsigned`
        unsigned: bool,
    },
    /// `bigint`, `serial`
    BigInt {
        /// `unsigned`
        unsigned: bool,
    },
    /// `decimal(p,s)`, `numeric(p,s)`
    Decimal {
        /// 1 to 65
        precision: u8,
        /// 0 to 30
        scale: u8,
    },
    /// `float`
    Float,
    /// `double`, `real`
    Double,
    /// `bit(n)`
    Bit {
        /// 1 to 64
        width: u8,
    },
    /// `date`
    Date,
    /// `datetime(n)`
    DateTime,
    /// `timestamp(n)`
    Timestamp,
    /// `time(n)`
    Time,
    /// `year`
    Year,
    /// `char`, `varchar`, every `text`, `json`, `enum`, `set`
    Text,
    /// `binary`, `varbinary`, every `blob`, spatial types
    Bytes,
}

impl MySqlType {
    /// Reads any spelling that MySQL accepts. Synonyms, letter case, display widths, character sets
    /// and collations do not matter.
    ///
    /// ```
    /// use dmslake::dms::MySqlType;
    ///
    /// assert_eq!(MySqlType::parse("int(11) UNSIGNED"), Ok(MySqlType::Int { unsigned: true }));
    /// assert_eq!(MySqlType::parse("enum('new','paid')"), Ok(MySqlType::Text));
    /// assert!(MySqlType::parse("vector(3)").is_err());
    /// ```
    ///
    /// # Errors
    /// A sentence that begins with the quoted text and says what is allowed.
    pub fn parse(text: &str) -> Result<Self, String> {
        spelling::parse(text)
    }

    /// The column type in the lake that holds every value of this type.
    ///
    /// Delta has no unsigned types, so unsigned integers get the next wider one. Decimals beyond
    /// Delta's 38 digits are kept as text.
    #[must_use]
    pub fn column_type(self) -> ColumnType {
        match self {
            Self::TinyInt { unsigned: false } => ColumnType::Byte,
            Self::TinyInt { unsigned: true } | Self::SmallInt { unsigned: false } | Self::Year => {
                ColumnType::Short
            }
            Self::SmallInt { unsigned: true }
            | Self::MediumInt { .. }
            | Self::Int { unsigned: false } => ColumnType::Int,
            Self::Int { unsigned: true }
            | Self::BigInt { unsigned: false }
            | Self::Bit { width: 2..=63 } => ColumnType::Long,
            Self::BigInt { unsigned: true } => ColumnType::Decimal { precision: 20, scale: 0 },
            Self::Decimal { precision, scale } if precision <= 38 => {
                ColumnType::Decimal { precision, scale }
            }
            Self::Decimal { .. } | Self::Time | Self::Text => ColumnType::String,
            Self::Float | Self::Double => ColumnType::Double,
            Self::Bit { width: 1 } => ColumnType::Boolean,
            Self::Bit { .. } | Self::Bytes => ColumnType::Binary,
            Self::Date => ColumnType::Date,
            Self::DateTime | Self::Timestamp => ColumnType::Timestamp,
        }
    }
}
