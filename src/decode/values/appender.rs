//! Reads one column's values from text into an Arrow array of the lake's type.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float64Builder,
    Int8Builder, Int16Builder, Int32Builder, Int64Builder, StringBuilder,
    TimestampMicrosecondBuilder,
};

use crate::decode::values::reading::{Domain, Reading};
use crate::decode::values::text::{self, Fault};
use crate::decode::values::time;
use crate::schema::ColumnType;

/// Builds one column. Domain and target type are chosen once.
pub(in crate::decode) struct Appender {
    domain: Domain,
    /// Ten to the power of the difference between a decimal target's scale and the domain's.
    factor: i128,
    builder: Builder,
    scratch: Vec<u8>,
}

enum Builder {
    Byte(Int8Builder),
    Short(Int16Builder),
    Int(Int32Builder),
    Long(Int64Builder),
    Decimal(Decimal128Builder),
    Double(Float64Builder),
    Boolean(BooleanBuilder),
    Date(Date32Builder),
    Timestamp(TimestampMicrosecondBuilder),
    String(StringBuilder),
    Binary(BinaryBuilder),
}

macro_rules! each {
    ($builder:expr, $inner:ident => $action:expr) => {
        match $builder {
            Builder::Byte($inner) => $action,
            Builder::Short($inner) => $action,
            Builder::Int($inner) => $action,
            Builder::Long($inner) => $action,
            Builder::Decimal($inner) => $action,
            Builder::Double($inner) => $action,
            Builder::Boolean($inner) => $action,
            Builder::Date($inner) => $action,
            Builder::Timestamp($inner) => $action,
            Builder::String($inner) => $action,
            Builder::Binary($inner) => $action,
        }
    };
}

impl Appender {
    /// An appender with room for `rows` rows.
    pub(in crate::decode) fn new(reading: &Reading, rows: usize) -> Self {
        let mut factor = 1;
        let builder = match reading.target {
            ColumnType::Byte => Builder::Byte(Int8Builder::with_capacity(rows)),
            ColumnType::Short => Builder::Short(Int16Builder::with_capacity(rows)),
            ColumnType::Int => Builder::Int(Int32Builder::with_capacity(rows)),
            ColumnType::Long => Builder::Long(Int64Builder::with_capacity(rows)),
            ColumnType::Decimal { scale, .. } => {
                factor = 10_i128.pow((scale - reading.domain.scale()).into());
                let builder = Decimal128Builder::with_capacity(rows);
                Builder::Decimal(builder.with_data_type(reading.target.arrow()))
            }
            ColumnType::Double => Builder::Double(Float64Builder::with_capacity(rows)),
            ColumnType::Boolean => Builder::Boolean(BooleanBuilder::with_capacity(rows)),
            ColumnType::Date => Builder::Date(Date32Builder::with_capacity(rows)),
            ColumnType::Timestamp => {
                let builder = TimestampMicrosecondBuilder::with_capacity(rows);
                Builder::Timestamp(builder.with_data_type(reading.target.arrow()))
            }
            ColumnType::String => Builder::String(StringBuilder::with_capacity(rows, rows * 16)),
            ColumnType::Binary => Builder::Binary(BinaryBuilder::with_capacity(rows, rows * 16)),
        };
        Self { domain: reading.domain, factor, builder, scratch: Vec::new() }
    }

    /// Appends NULL.
    pub(in crate::decode) fn append_null(&mut self) {
        each!(&mut self.builder, builder => builder.append_null());
    }

    /// Appends the value of a text, or NULL for a zero date; returns whether it is a value.
    ///
    /// # Errors
    /// What is wrong with the text. Nothing is appended then.
    pub(in crate::decode) fn append(&mut self, text: &[u8]) -> Result<bool, Fault> {
        match &mut self.builder {
            Builder::String(builder) => {
                let mut found = std::str::from_utf8(text).map_err(|_| Fault::Encoding)?;
                if let Domain::Text { padded: true } | Domain::Time { padded: true } = self.domain {
                    found = found.strip_suffix(' ').unwrap_or(found);
                }
                match self.domain {
                    Domain::Time { .. } => builder.append_value(time::canonical(found)?),
                    _ => builder.append_value(found),
                }
                return Ok(true);
            }
            Builder::Binary(builder) => {
                self.scratch.clear();
                text::hexadecimal(text, &mut self.scratch)?;
                builder.append_value(&self.scratch);
                return Ok(true);
            }
            _ if text.is_empty() => return Err(Fault::Empty),
            _ => {}
        }
        match self.domain {
            Domain::Integer { .. } | Domain::Year | Domain::Bit { .. } => {
                self.push_whole(text::integer(self.domain, text)?)
            }
            Domain::UnsignedLong => self.push_decimal(text::unsigned_long(text)?.into()),
            Domain::Decimal { precision, scale } => {
                self.push_decimal(text::decimal(text, precision, scale)?)
            }
            Domain::Double => self.push_double(text::double(text)?),
            Domain::Boolean => self.push_boolean(text::boolean(text)?),
            Domain::Date => match text::date(text)? {
                Some(days) => self.push_day(days),
                None => return self.push_zero_date(),
            },
            Domain::Timestamp => match text::timestamp(text)? {
                Some(micros) => self.push_instant(micros),
                None => return self.push_zero_date(),
            },
            // Text, times and bytes have only their own target types, which are handled above.
            Domain::Time { .. } | Domain::Text { .. } | Domain::Bytes { .. } => {
                return Err(Fault::Unreadable);
            }
        }?;
        Ok(true)
    }

    /// The rows so far as an array. The appender is empty afterwards.
    pub(in crate::decode) fn finish(&mut self) -> ArrayRef {
        each!(&mut self.builder, builder => Arc::new(builder.finish()))
    }

    fn push_whole(&mut self, value: i64) -> Result<(), Fault> {
        match &mut self.builder {
            Builder::Byte(builder) => builder.append_value(narrowed(value)?),
            Builder::Short(builder) => builder.append_value(narrowed(value)?),
            Builder::Int(builder) => builder.append_value(narrowed(value)?),
            Builder::Long(builder) => builder.append_value(value),
            Builder::Decimal(builder) => builder.append_value(i128::from(value) * self.factor),
            // Only integers of at most 32 bits become doubles.
            Builder::Double(builder) => builder.append_value(f64::from(narrowed::<i32>(value)?)),
            _ => return Err(Fault::Unreadable),
        }
        Ok(())
    }

    fn push_decimal(&mut self, unscaled: i128) -> Result<(), Fault> {
        let Builder::Decimal(builder) = &mut self.builder else { return Err(Fault::Unreadable) };
        builder.append_value(unscaled * self.factor);
        Ok(())
    }

    fn push_double(&mut self, value: f64) -> Result<(), Fault> {
        let Builder::Double(builder) = &mut self.builder else { return Err(Fault::Unreadable) };
        builder.append_value(value);
        Ok(())
    }

    fn push_boolean(&mut self, value: bool) -> Result<(), Fault> {
        let Builder::Boolean(builder) = &mut self.builder else { return Err(Fault::Unreadable) };
        builder.append_value(value);
        Ok(())
    }

    fn push_day(&mut self, days: i32) -> Result<(), Fault> {
        match &mut self.builder {
            Builder::Date(builder) => builder.append_value(days),
            Builder::Timestamp(builder) => {
                builder.append_value(i64::from(days) * text::MICROS_PER_DAY);
            }
            _ => return Err(Fault::Unreadable),
        }
        Ok(())
    }

    fn push_instant(&mut self, micros: i64) -> Result<(), Fault> {
        let Builder::Timestamp(builder) = &mut self.builder else {
            return Err(Fault::Unreadable);
        };
        builder.append_value(micros);
        Ok(())
    }

    #[expect(clippy::unnecessary_wraps, reason = "it ends the same paths as a value does")]
    fn push_zero_date(&mut self) -> Result<bool, Fault> {
        self.append_null();
        Ok(false)
    }
}

fn narrowed<T: TryFrom<i64>>(value: i64) -> Result<T, Fault> {
    T::try_from(value).map_err(|_| Fault::OutOfRange)
}
