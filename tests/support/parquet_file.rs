//! Parquet files in the physical forms that DMS writes, which Arrow's own writer does not choose.

use std::sync::Arc;

use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FixedLenByteArray,
    FixedLenByteArrayType, FloatType, Int32Type, Int64Type, Int96, Int96Type,
};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::parser::parse_message_type;

/// The values of one column in its physical type.
#[derive(Clone, Debug)]
pub(crate) enum Values {
    Bool(Vec<Option<bool>>),
    I32(Vec<Option<i32>>),
    I64(Vec<Option<i64>>),
    /// Microseconds since 1970, as the nanoseconds and Julian days that Spark writes.
    I96(Vec<Option<i64>>),
    /// Julian days, and nanoseconds of the day.
    Julian(Vec<Option<(i32, i64)>>),
    F32(Vec<Option<f32>>),
    F64(Vec<Option<f64>>),
    Bytes(Vec<Option<Vec<u8>>>),
    Fixed(Vec<Option<Vec<u8>>>),
}

/// Text or NULL.
pub(crate) fn texts(texts: &[Option<&str>]) -> Values {
    Values::Bytes(texts.iter().map(|text| text.map(|text| text.as_bytes().to_vec())).collect())
}

/// `1, 2, …` as `optional int64` keys.
pub(crate) fn numbers(count: usize) -> Values {
    Values::I64((1..).map(Some).take(count).collect())
}

/// A file of one row group; all columns must be optional.
pub(crate) fn file(columns: &[(&str, Values)]) -> Vec<u8> {
    file_with(columns, WriterProperties::new(), 1)
}

/// A file with these properties; the same rows stand in each of its row groups.
pub(crate) fn file_with(
    columns: &[(&str, Values)],
    properties: WriterProperties,
    row_groups: usize,
) -> Vec<u8> {
    let declared: Vec<&str> = columns.iter().map(|(column, _)| *column).collect();
    let declared = declared.join("; optional ");
    let schema = parse_message_type(&format!("message schema {{ optional {declared}; }}"))
        .unwrap_or_else(|error| panic!("{declared}: {error}"));
    let mut writer =
        SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties)).unwrap();
    for _ in 0..row_groups {
        let mut group = writer.next_row_group().unwrap();
        for (_, values) in columns {
            let mut column = group.next_column().unwrap().unwrap();
            write(&mut column, values);
            column.close().unwrap();
        }
        group.close().unwrap();
    }
    writer.into_inner().unwrap()
}

fn write(column: &mut SerializedColumnWriter<'_>, values: &Values) {
    match values {
        Values::Bool(values) => typed::<BoolType, _>(column, values, |value| *value),
        Values::I32(values) => typed::<Int32Type, _>(column, values, |value| *value),
        Values::I64(values) => typed::<Int64Type, _>(column, values, |value| *value),
        Values::I96(values) => typed::<Int96Type, _>(column, values, |value| int96(*value)),
        Values::Julian(values) => {
            typed::<Int96Type, _>(column, values, |(day, nanoseconds)| julian(*day, *nanoseconds));
        }
        Values::F32(values) => typed::<FloatType, _>(column, values, |value| *value),
        Values::F64(values) => typed::<DoubleType, _>(column, values, |value| *value),
        Values::Bytes(values) => {
            typed::<ByteArrayType, _>(column, values, |value| ByteArray::from(value.clone()));
        }
        Values::Fixed(values) => typed::<FixedLenByteArrayType, _>(column, values, |value| {
            FixedLenByteArray::from(value.clone())
        }),
    }
}

fn typed<T: DataType, V>(
    column: &mut SerializedColumnWriter<'_>,
    values: &[Option<V>],
    convert: impl Fn(&V) -> T::T,
) {
    let levels: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
    let present: Vec<T::T> = values.iter().flatten().map(convert).collect();
    column.typed::<T>().write_batch(&present, Some(&levels), None).unwrap();
}

/// The big-endian bytes of a decimal's unscaled value in the minimal width that DMS uses.
pub(crate) fn unscaled(value: i128, width: usize) -> Vec<u8> {
    value.to_be_bytes()[16 - width..].to_vec()
}

fn int96(microseconds: i64) -> Int96 {
    const DAY: i64 = 86_400_000_000;
    const JULIAN_DAY_OF_1970: i64 = 2_440_588;
    let day = i32::try_from(microseconds.div_euclid(DAY) + JULIAN_DAY_OF_1970).unwrap();
    julian(day, microseconds.rem_euclid(DAY) * 1000)
}

fn julian(day: i32, nanoseconds: i64) -> Int96 {
    let bits = nanoseconds.cast_unsigned();
    let half = |shift: u32| u32::try_from(bits >> shift & 0xFFFF_FFFF).unwrap();
    let mut value = Int96::new();
    value.set_data(half(0), half(32), day.cast_unsigned());
    value
}
