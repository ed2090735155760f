//! Parquet as DMS writes it: without an embedded Arrow schema, and with forms of a column that
//! differ between versions and settings.

use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Compression, ConvertedType, Repetition, Type as Physical};
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FixedLenByteArrayType, FloatType,
    Int32Type, Int64Type,
};
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::Type;
use rand::Rng;
use rand::rngs::StdRng;

use super::csv::{decimal, instant};
use super::log::{LoggedRow, Spoilt};
use super::{Field, Form};
use crate::support::column::Kind;
use crate::support::model::{Op, Value, hex};

/// The endpoint's settings when the object was written.
#[expect(clippy::struct_excessive_bools, reason = "independent switches")]
struct Settings {
    version_2: bool,
    milliseconds: bool,
    wide_decimals: bool,
    floats_as_doubles: bool,
    /// If a type is configured, its values may be text.
    as_text: bool,
    row_group: usize,
    properties: WriterProperties,
}

impl Settings {
    fn random(rng: &mut StdRng, unsteady: bool) -> Self {
        let mut flag = |chance| unsteady && rng.random_bool(chance);
        let version_2 = flag(0.5);
        let gzip = flag(0.5);
        let plain = flag(0.5);
        Self {
            version_2,
            milliseconds: flag(0.5),
            wide_decimals: flag(0.5),
            floats_as_doubles: flag(0.5),
            as_text: flag(0.1),
            row_group: if flag(0.5) { 3 } else { 10_024 },
            properties: WriterProperties::builder()
                .set_created_by("AWS".into())
                .set_writer_version(if version_2 {
                    WriterVersion::PARQUET_2_0
                } else {
                    WriterVersion::PARQUET_1_0
                })
                .set_compression(if gzip {
                    Compression::GZIP(parquet::basic::GzipLevel::default())
                } else {
                    Compression::UNCOMPRESSED
                })
                .set_dictionary_enabled(!plain)
                .build(),
        }
    }
}

/// How a column is stored in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stored {
    Int32(ConvertedType),
    Int64(ConvertedType),
    Float,
    Double,
    Bool,
    Text,
    Raw,
    Decimal { precision: u8, scale: u8, width: usize },
}

/// One object.
pub(super) fn encode(rng: &mut StdRng, form: &Form<'_>, rows: &[LoggedRow]) -> Bytes {
    let settings = Settings::random(rng, form.task.unsteady);
    let fields: Vec<(Field, Stored)> = form
        .fields()
        .into_iter()
        .map(|field| (field, stored(rng, form, &settings, field, rows)))
        .collect();
    let columns = fields.iter().map(|&(field, stored)| Arc::new(leaf(form, field, stored)));
    let schema = Type::group_type_builder("schema")
        .with_fields(columns.collect())
        .build()
        .expect("a flat schema");
    let mut file = Vec::new();
    let properties = Arc::new(settings.properties);
    let mut writer = SerializedFileWriter::new(&mut file, Arc::new(schema), properties)
        .expect("memory takes everything");
    for group in rows.chunks(settings.row_group) {
        let mut row_group = writer.next_row_group().expect("memory takes everything");
        for &(field, stored) in &fields {
            let values: Vec<Value> = group.iter().map(|row| value(form, row, field)).collect();
            write_column(&mut row_group, stored, required(field), &values);
        }
        row_group.close().expect("memory takes everything");
    }
    writer.close().expect("memory takes everything");
    Bytes::from(file)
}

fn required(field: Field) -> bool {
    field == Field::Timestamp
}

fn stored(
    rng: &mut StdRng,
    form: &Form<'_>,
    settings: &Settings,
    field: Field,
    rows: &[LoggedRow],
) -> Stored {
    let (Field::Source(position) | Field::Before(position)) = field else { return Stored::Text };
    let uncertain = settings.as_text && form.task.configured[position] && rng.random_bool(0.5);
    match form.history.columns[position].kind {
        Kind::Bit | Kind::Decimal { .. } | Kind::Int { .. } | Kind::Date if uncertain => {
            Stored::Text
        }
        Kind::Int { bits: 8, unsigned: false } => Stored::Int32(ConvertedType::INT_8),
        Kind::Int { bits: 8, unsigned: true } => Stored::Int32(ConvertedType::UINT_8),
        Kind::Int { bits: 16, unsigned: true } => Stored::Int32(ConvertedType::UINT_16),
        Kind::Int { bits: 16, .. } | Kind::Year => Stored::Int32(ConvertedType::INT_16),
        Kind::Int { bits: 24 | 32, unsigned: true } if settings.version_2 => {
            Stored::Int32(ConvertedType::UINT_32)
        }
        Kind::Int { bits: 64, unsigned: true } => Stored::Int64(ConvertedType::UINT_64),
        Kind::Int { unsigned: true, .. } | Kind::Int { bits: 64, .. } | Kind::Bits => {
            Stored::Int64(ConvertedType::NONE)
        }
        Kind::Int { .. } => Stored::Int32(ConvertedType::NONE),
        Kind::Decimal { precision, scale } => {
            let width = if settings.wide_decimals { 16 } else { decimal_width(precision) };
            Stored::Decimal { precision, scale, width }
        }
        Kind::Float if !settings.floats_as_doubles => Stored::Float,
        Kind::Float | Kind::Double => Stored::Double,
        Kind::Bit => Stored::Bool,
        Kind::Date => Stored::Int32(ConvertedType::DATE),
        Kind::DateTime | Kind::Timestamp => {
            let whole = rows.iter().all(|row| match value(form, row, field) {
                Value::Instant(micros) => micros % 1000 == 0,
                _ => true,
            });
            Stored::Int64(if settings.milliseconds && whole {
                ConvertedType::TIMESTAMP_MILLIS
            } else {
                ConvertedType::TIMESTAMP_MICROS
            })
        }
        Kind::Binary if !form.task.hex => Stored::Raw,
        Kind::Binary
        | Kind::WideDecimal
        | Kind::Time
        | Kind::Varchar
        | Kind::Text
        | Kind::Json
        | Kind::Enum => Stored::Text,
    }
}

/// The number of bytes for this many digits and a sign: 7 for 15 digits, 16 for 38.
fn decimal_width(precision: u8) -> usize {
    let limit = 10_i128.pow(u32::from(precision));
    (1..=16).find(|&bytes| bytes == 16 || 1_i128 << (8 * bytes - 1) >= limit).expect("16 do")
}

fn leaf(form: &Form<'_>, field: Field, stored: Stored) -> Type {
    let (physical, converted) = match stored {
        Stored::Int32(converted) => (Physical::INT32, converted),
        Stored::Int64(converted) => (Physical::INT64, converted),
        Stored::Float => (Physical::FLOAT, ConvertedType::NONE),
        Stored::Double => (Physical::DOUBLE, ConvertedType::NONE),
        Stored::Bool => (Physical::BOOLEAN, ConvertedType::NONE),
        Stored::Text => (Physical::BYTE_ARRAY, ConvertedType::UTF8),
        Stored::Raw => (Physical::BYTE_ARRAY, ConvertedType::NONE),
        Stored::Decimal { .. } => (Physical::FIXED_LEN_BYTE_ARRAY, ConvertedType::DECIMAL),
    };
    let repetition = if required(field) { Repetition::REQUIRED } else { Repetition::OPTIONAL };
    let name = form.name(field);
    let mut builder = Type::primitive_type_builder(&name, physical)
        .with_repetition(repetition)
        .with_converted_type(converted);
    if let Stored::Decimal { precision, scale, width } = stored {
        builder = builder
            .with_precision(precision.into())
            .with_scale(scale.into())
            .with_length(i32::try_from(width).expect("at most 16"));
    }
    builder.build().expect("a legal column")
}

fn value(form: &Form<'_>, logged: &LoggedRow, field: Field) -> Value {
    let row = &logged.row;
    let op = |op| {
        Value::Text(match op {
            Op::Insert => "I".into(),
            Op::Update => "U".into(),
            Op::Delete => "D".into(),
        })
    };
    match field {
        Field::Op => op(row.op),
        Field::Timestamp => Value::Text(instant(logged.timestamp)),
        Field::Sequence => Value::Text(logged.row.sequence.clone().unwrap_or_default()),
        Field::Before(position) => {
            row.before.as_ref().map_or(Value::Null, |row| row[position].clone())
        }
        Field::Source(position) => {
            let key = form.history.keys.contains(&position);
            let left_out = row.op == Op::Delete && form.endpoint.key_only_deletes && !key;
            let null_key =
                logged.spoilt == Some(Spoilt::NullKey) && form.history.keys[0] == position;
            if left_out || null_key { Value::Null } else { row.image[position].clone() }
        }
    }
}

fn write_column(
    group: &mut SerializedRowGroupWriter<'_, &mut Vec<u8>>,
    stored: Stored,
    required: bool,
    values: &[Value],
) {
    match stored {
        Stored::Int32(_) => write::<Int32Type>(group, required, values, int32),
        Stored::Int64(converted) => {
            write::<Int64Type>(group, required, values, |value| match value {
                Value::Instant(micros) if converted == ConvertedType::TIMESTAMP_MILLIS => {
                    micros / 1000
                }
                Value::Instant(micros) => *micros,
                Value::Int(value) => i64::try_from(*value).expect("in range"),
                // The bits of an unsigned number.
                Value::Decimal { unscaled, .. } => {
                    u64::try_from(*unscaled).expect("in range").cast_signed()
                }
                other => unreachable!("{other:?} is no 64-bit value"),
            });
        }
        Stored::Float => write::<FloatType>(group, required, values, |value| {
            #[expect(clippy::cast_possible_truncation, reason = "the generator made it a float")]
            let single = double(value) as f32;
            single
        }),
        Stored::Double => write::<DoubleType>(group, required, values, double),
        Stored::Bool => {
            write::<BoolType>(group, required, values, |value| *value == Value::Bool(true));
        }
        Stored::Text => write::<ByteArrayType>(group, required, values, |value| {
            ByteArray::from(text(value).into_bytes())
        }),
        Stored::Raw => write::<ByteArrayType>(group, required, values, |value| match value {
            Value::Bytes(bytes) => ByteArray::from(bytes.clone()),
            other => unreachable!("{other:?} is no bytes"),
        }),
        Stored::Decimal { width, .. } => {
            write::<FixedLenByteArrayType>(group, required, values, |value| match value {
                Value::Decimal { unscaled, .. } => {
                    ByteArray::from(unscaled.to_be_bytes()[16 - width..].to_vec()).into()
                }
                other => unreachable!("{other:?} is no decimal"),
            });
        }
    }
}

fn write<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, &mut Vec<u8>>,
    required: bool,
    values: &[Value],
    convert: impl Fn(&Value) -> T::T,
) {
    let is_null = |value: &Value| matches!(value, Value::Null | Value::ZeroDate);
    let levels: Vec<i16> = values.iter().map(|value| i16::from(!is_null(value))).collect();
    let present: Vec<T::T> = values.iter().filter(|value| !is_null(value)).map(convert).collect();
    let mut column = group.next_column().expect("memory takes everything").expect("one a field");
    let levels = if required { None } else { Some(levels.as_slice()) };
    column.typed::<T>().write_batch(&present, levels, None).expect("memory takes everything");
    column.close().expect("memory takes everything");
}

fn int32(value: &Value) -> i32 {
    match value {
        Value::Day(days) => *days,
        // Above the signed range these are the bits of an unsigned number.
        Value::Int(value) => i32::try_from(*value)
            .unwrap_or_else(|_| u32::try_from(*value).expect("in range").cast_signed()),
        other => unreachable!("{other:?} is no 32-bit value"),
    }
}

fn double(value: &Value) -> f64 {
    match value {
        Value::Double(bits) => f64::from_bits(*bits),
        other => unreachable!("{other:?} is no double"),
    }
}

/// A value as text, because its type is uncertain or it is text.
fn text(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Bytes(bytes) => hex(bytes),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Decimal { unscaled, scale } => decimal(*unscaled, *scale),
        Value::Day(days) => instant(i64::from(*days) * 86_400_000_000)[..10].to_owned(),
        other => unreachable!("{other:?} is never text"),
    }
}
