//! How the values of one column are read: by the configured MySQL type, otherwise by the lake's
//! type, otherwise by the object's own.

use std::fmt;

use arrow::datatypes::DataType;

use crate::config::{ColumnSpec, StatedIn};
use crate::dms::MySqlType;
use crate::schema::ColumnType;
use crate::schema::evolve::{is_integer, natural, widened};

/// The set of values that a column may have in MySQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::decode) enum Domain {
    /// A signed or unsigned integer in a range that `i64` holds.
    Integer { min: i64, max: i64 },
    /// 0, and 1901 to 2155.
    Year,
    /// `bigint unsigned`
    UnsignedLong,
    /// An exact decimal of at most 38 digits.
    Decimal { precision: u8, scale: u8 },
    /// A finite floating-point number.
    Double,
    /// True or false.
    Boolean,
    /// `bit(2)` to `bit(63)`; `hex` if its text is hexadecimal even without letters.
    Bit { width: u8, hex: bool },
    /// A day of the years 1 to 9999. Zero dates and days of the year 0 are NULL.
    Date,
    /// An instant of the years 1 to 9999. Zero dates and days of the year 0 are NULL.
    Timestamp,
    /// A time of day or a span of up to 838 hours, as text that has one form for each value.
    Time { padded: bool },
    /// UTF-8 text; with `padded`, one trailing space is the endpoint's padding character.
    Text { padded: bool },
    /// Bytes; `hex` if Parquet's bytes are hexadecimal text, as they always are in CSV.
    Bytes { hex: bool },
}

/// How the values of one column are read, and the type that they get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::decode) struct Reading {
    /// The values that the column may have.
    pub(in crate::decode) domain: Domain,
    /// The lake's type; every value of the domain fits into it.
    pub(in crate::decode) target: ColumnType,
    /// The type's name in messages.
    pub(in crate::decode) label: String,
    /// Whether it is boolean because of `boolean = true`.
    pub(in crate::decode) switched: bool,
    /// Whether the lock file states its type.
    pub(in crate::decode) is_locked: bool,
}

/// Why a column cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::decode) enum Refusal {
    /// Its type is not known.
    Untyped,
    /// Its type does not fit into the lake's.
    Unfit { from: String, to: ColumnType },
}

impl Reading {
    /// Text as it is.
    pub(in crate::decode) fn text() -> Self {
        Self::of_type(ColumnType::String, ColumnType::String)
    }

    /// An instant.
    pub(in crate::decode) fn timestamp() -> Self {
        Self::of_type(ColumnType::Timestamp, ColumnType::Timestamp)
    }

    /// How to read a column that is configured as `spec`, has the type `lake` in the lake and
    /// `physical` in the object, if that is Parquet. The target is the lake's type, or a wider one
    /// that the lake has to get first.
    pub(in crate::decode) fn resolve(
        spec: Option<&ColumnSpec>,
        lake: Option<ColumnType>,
        physical: Option<&DataType>,
        padded: bool,
    ) -> Result<Self, Refusal> {
        let mut reading = if let Some(spec) = spec {
            let asked =
                if spec.boolean { ColumnType::Boolean } else { spec.mysql_type.column_type() };
            let label = Label(spec.mysql_type).to_string();
            let target = lake.map_or(Ok(asked), |lake| {
                let from = || format!("{asked} (of {label})");
                widened(lake, asked).ok_or_else(|| Refusal::Unfit { from: from(), to: lake })
            })?;
            let (switched, is_locked) = (spec.boolean, spec.stated_in == StatedIn::LockFile);
            Self { domain: Domain::of_spec(spec), target, label, switched, is_locked }
        } else if let Some(physical) = physical {
            let asked = natural(physical).ok_or(Refusal::Untyped)?;
            match lake {
                // DMS writes booleans as text if it is not certain of the type.
                Some(ColumnType::Boolean) if asked == ColumnType::String => {
                    Self::of_type(ColumnType::Boolean, ColumnType::Boolean)
                }
                // A `tinyint(1)` of a number column.
                Some(lake) if asked == ColumnType::Boolean && is_integer(lake) => {
                    Self::of_type(lake, lake)
                }
                Some(lake) => match widened(lake, asked) {
                    Some(target) => Self::of_type(asked, target),
                    None => return Err(Refusal::Unfit { from: asked.to_string(), to: lake }),
                },
                None => Self::of_type(asked, asked),
            }
        } else {
            let lake = lake.ok_or(Refusal::Untyped)?;
            Self::of_type(lake, lake)
        };
        if let Domain::Text { padded: strips } | Domain::Time { padded: strips } =
            &mut reading.domain
        {
            *strips = padded;
        }
        Ok(reading)
    }

    fn of_type(asked: ColumnType, target: ColumnType) -> Self {
        let label = asked.to_string();
        let domain = Domain::of_type(asked);
        Self { domain, target, label, switched: false, is_locked: false }
    }
}

impl Domain {
    /// The values of a configured column.
    fn of_spec(spec: &ColumnSpec) -> Self {
        let integer = |min, max| Self::Integer { min, max };
        match spec.mysql_type {
            MySqlType::TinyInt { .. } | MySqlType::Bit { width: 1 }
                if spec.boolean || spec.mysql_type == (MySqlType::Bit { width: 1 }) =>
            {
                Self::Boolean
            }
            MySqlType::TinyInt { unsigned: false } => integer(i8::MIN.into(), i8::MAX.into()),
            MySqlType::TinyInt { unsigned: true } => integer(0, u8::MAX.into()),
            MySqlType::SmallInt { unsigned: false } => integer(i16::MIN.into(), i16::MAX.into()),
            MySqlType::SmallInt { unsigned: true } => integer(0, u16::MAX.into()),
            MySqlType::MediumInt { unsigned: false } => integer(-(1 << 23), (1 << 23) - 1),
            MySqlType::MediumInt { unsigned: true } => integer(0, (1 << 24) - 1),
            MySqlType::Int { unsigned: false } => integer(i32::MIN.into(), i32::MAX.into()),
            MySqlType::Int { unsigned: true } => integer(0, u32::MAX.into()),
            MySqlType::BigInt { unsigned: false } => integer(i64::MIN, i64::MAX),
            MySqlType::BigInt { unsigned: true } => Self::UnsignedLong,
            MySqlType::Decimal { precision, scale } if precision <= 38 => {
                Self::Decimal { precision, scale }
            }
            MySqlType::Decimal { .. } | MySqlType::Text => Self::Text { padded: false },
            MySqlType::Time => Self::Time { padded: false },
            MySqlType::Float | MySqlType::Double => Self::Double,
            MySqlType::Bit { width: 64.. } | MySqlType::Bytes => Self::Bytes { hex: spec.hex },
            MySqlType::Bit { width } => Self::Bit { width, hex: spec.hex },
            MySqlType::Date => Self::Date,
            MySqlType::DateTime | MySqlType::Timestamp => Self::Timestamp,
            MySqlType::Year => Self::Year,
        }
    }

    /// The values of a lake column.
    fn of_type(column_type: ColumnType) -> Self {
        match column_type {
            ColumnType::Byte => Self::Integer { min: i8::MIN.into(), max: i8::MAX.into() },
            ColumnType::Short => Self::Integer { min: i16::MIN.into(), max: i16::MAX.into() },
            ColumnType::Int => Self::Integer { min: i32::MIN.into(), max: i32::MAX.into() },
            ColumnType::Long => Self::Integer { min: i64::MIN, max: i64::MAX },
            ColumnType::Decimal { precision, scale } => Self::Decimal { precision, scale },
            ColumnType::Double => Self::Double,
            ColumnType::Boolean => Self::Boolean,
            ColumnType::Date => Self::Date,
            ColumnType::Timestamp => Self::Timestamp,
            ColumnType::String => Self::Text { padded: false },
            ColumnType::Binary => Self::Bytes { hex: false },
        }
    }

    /// The digits after the point of a whole-number or decimal domain.
    pub(in crate::decode) fn scale(self) -> u8 {
        if let Self::Decimal { scale, .. } = self { scale } else { 0 }
    }
}

/// Whether an integer is a MySQL year.
pub(in crate::decode) fn is_year(value: i64) -> bool {
    value == 0 || (1901..=2155).contains(&value)
}

/// A MySQL type's name in messages.
struct Label(MySqlType);

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, unsigned) = match self.0 {
            MySqlType::TinyInt { unsigned } => ("tinyint", unsigned),
            MySqlType::SmallInt { unsigned } => ("smallint", unsigned),
            MySqlType::MediumInt { unsigned } => ("mediumint", unsigned),
            MySqlType::Int { unsigned } => ("int", unsigned),
            MySqlType::BigInt { unsigned } => ("bigint", unsigned),
            MySqlType::Decimal { precision, scale } => {
                return write!(f, "decimal({precision},{scale})");
            }
            MySqlType::Float => ("float", false),
            MySqlType::Double => ("double", false),
            MySqlType::Bit { width } => return write!(f, "bit({width})"),
            MySqlType::Date => ("date", false),
            MySqlType::DateTime => ("datetime", false),
            MySqlType::Timestamp => ("timestamp", false),
            MySqlType::Time => ("time", false),
            MySqlType::Year => ("year", false),
            MySqlType::Text => ("text", false),
            MySqlType::Bytes => ("binary", false),
        };
        f.write_str(name)?;
        if unsigned { f.write_str(" unsigned") } else { Ok(()) }
    }
}
