//! Rules out row groups by bloom filters where statistics leave only a few possible keys.

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit,
    TimestampMicrosecondType,
};
use deltalake::kernel::Add;
use deltalake::logstore::ObjectStoreRef;
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::basic::Type as PhysicalType;
use parquet::schema::types::ColumnDescriptor;

use crate::error::Result;
use crate::files::Selected;
use crate::files::filters::{Chunk, Filters, filter_bytes};
use crate::merge::bounds::SortedKeys;
use crate::merge::keys::KeySet;
use crate::merge::prune;

/// The most keys for which a row group's filter is asked. Among more keys, one is likely to be in
/// the row group or to be a false positive.
const MOST_KEYS: usize = 64;
/// A smaller key column is read in one request, like a filter.
const LEAST_BYTES: u64 = 16 << 10;
/// A filter is read only if it is this many times smaller than its column.
const WORTH: u64 = 2;

/// Keys, and a file that may contain them.
pub(super) struct Asked<'a> {
    pub(super) file: &'a ArrowReaderMetadata,
    pub(super) keys: &'a KeySet,
    pub(super) sorted: &'a SortedKeys,
}

/// A filter to check.
#[derive(Clone, Copy)]
struct Question {
    chunk: Chunk,
    /// Index of the column in the key.
    key_column: usize,
    values: Values,
}

impl Asked<'_> {
    /// These rows without the row groups whose filters rule out every key. Filters are read only if
    /// that is clearly cheaper than reading the keys.
    ///
    /// # Errors
    /// `Unavailable` if the file cannot be read.
    pub(super) async fn without_absent(
        &self,
        selected: Selected,
        store: &ObjectStoreRef,
        add: &Add,
        filters: &Filters,
    ) -> Result<Selected> {
        let questions = self.questions(&selected);
        if questions.is_empty() {
            return Ok(selected);
        }
        let footer = self.file.metadata();
        let bounds = prune::row_groups(self.file, self.keys)?;
        let standing = self.sorted.standing(footer.num_row_groups(), &bounds, MOST_KEYS + 1)?;
        let is_few = |question: &Question| standing[question.chunk.row_group].len() <= MOST_KEYS;
        let questions: Vec<Question> = questions.into_iter().filter(is_few).collect();
        let chunks: Vec<Chunk> = questions.iter().map(|question| question.chunk).collect();
        let found = filters.of(store, add, footer, &chunks).await?;
        // The keys that no filter has ruled out yet, by row group.
        let mut left = standing;
        for (question, filter) in questions.iter().zip(found) {
            let Some(filter) = filter else { continue };
            let column = &self.keys.columns()[question.key_column];
            left[question.chunk.row_group].retain(|&key| {
                let value = question.values.of(column, key as usize);
                value.is_some_and(|value| filter.check(value.as_slice()))
            });
        }
        Ok(selected.of_row_groups(|row_group| !left[row_group].is_empty()))
    }

    /// The filters of these row groups that are worth reading.
    fn questions(&self, selected: &Selected) -> Vec<Question> {
        let footer = self.file.metadata();
        let mut questions = Vec::new();
        for (key_column, key) in self.keys.schema().fields().iter().enumerate() {
            let Some((column, values)) = self.column(key.name(), key.data_type()) else {
                continue;
            };
            for row_group in selected.row_groups() {
                let chunk = footer.row_group(row_group).column(column);
                let Some(cost) = filter_bytes(chunk) else { continue };
                let gain = u64::try_from(chunk.compressed_size()).unwrap_or_default();
                if gain >= LEAST_BYTES && gain >= WORTH * cost {
                    let chunk = Chunk { row_group, column };
                    questions.push(Question { chunk, key_column, values });
                }
            }
        }
        questions
    }

    /// The index of a key column in the file, and how its values are stored there; none if the file
    /// lacks the column or it is unclear how its values are hashed.
    fn column(&self, name: &str, key: &DataType) -> Option<(usize, Values)> {
        let schema = self.file.parquet_schema();
        let is_named = |column: &usize| schema.column(*column).path().parts() == [name];
        let column = (0..schema.num_columns()).find(is_named)?;
        let found = self.file.schema().field_with_name(name).ok()?;
        let values = Values::among(&schema.column(column), found.data_type(), key)?;
        Some((column, values))
    }
}

/// How a file stores the values of a key column. Filters hash the stored form.
#[derive(Clone, Copy, Debug)]
enum Values {
    Int32,
    Int64,
    /// The table's microseconds as whole milliseconds.
    Milliseconds,
    Bytes,
    /// Big-endian numbers with this many bytes.
    Fixed(usize),
}

impl Values {
    /// Only if each value of the key's type has exactly one form in such a column. A filter that
    /// rules out the form then rules out the value.
    fn among(column: &ColumnDescriptor, found: &DataType, key: &DataType) -> Option<Self> {
        use DataType as T;
        let integer = |data_type: &T| matches!(data_type, T::Int8 | T::Int16 | T::Int32 | T::Int64);
        let is_same_kind = match (found, key) {
            (T::Timestamp(TimeUnit::Millisecond, _), T::Timestamp(TimeUnit::Microsecond, _)) => {
                let is_int64 = column.physical_type() == PhysicalType::INT64;
                return is_int64.then_some(Self::Milliseconds);
            }
            (
                T::Utf8 | T::Binary | T::LargeUtf8 | T::LargeBinary | T::Utf8View | T::BinaryView,
                T::Utf8 | T::Binary,
            ) => {
                let is_bytes = column.physical_type() == PhysicalType::BYTE_ARRAY;
                return is_bytes.then_some(Self::Bytes);
            }
            (T::Date32, T::Date32)
            | (T::Timestamp(TimeUnit::Microsecond, _), T::Timestamp(TimeUnit::Microsecond, _)) => {
                true
            }
            (T::Decimal128(_, scale), T::Decimal128(_, of_key)) => scale == of_key,
            (found, key) => integer(found) && integer(key),
        };
        if !is_same_kind {
            return None;
        }
        match column.physical_type() {
            PhysicalType::INT32 => Some(Self::Int32),
            PhysicalType::INT64 => Some(Self::Int64),
            PhysicalType::FIXED_LEN_BYTE_ARRAY => {
                usize::try_from(column.type_length()).ok().map(Self::Fixed)
            }
            _ => None,
        }
    }

    /// The stored form of a key's value; none if a column of this kind cannot contain it.
    fn of(self, column: &ArrayRef, key: usize) -> Option<Vec<u8>> {
        Some(match self {
            Self::Bytes => match column.as_string_opt::<i32>() {
                Some(texts) => texts.value(key).as_bytes().to_vec(),
                None => column.as_binary::<i32>().value(key).to_vec(),
            },
            Self::Int32 => i32::try_from(number(column, key)?).ok()?.to_le_bytes().to_vec(),
            Self::Int64 => i64::try_from(number(column, key)?).ok()?.to_le_bytes().to_vec(),
            Self::Milliseconds => {
                let micros = i64::try_from(number(column, key)?).ok()?;
                (micros % 1_000 == 0).then(|| (micros / 1_000).to_le_bytes().to_vec())?
            }
            Self::Fixed(length) => big_endian(number(column, key)?, length)?,
        })
    }
}

fn number(column: &ArrayRef, key: usize) -> Option<i128> {
    Some(match column.data_type() {
        DataType::Int8 => column.as_primitive::<Int8Type>().value(key).into(),
        DataType::Int16 => column.as_primitive::<Int16Type>().value(key).into(),
        DataType::Int32 => column.as_primitive::<Int32Type>().value(key).into(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(key).into(),
        DataType::Date32 => column.as_primitive::<Date32Type>().value(key).into(),
        DataType::Timestamp(..) => {
            column.as_primitive::<TimestampMicrosecondType>().value(key).into()
        }
        DataType::Decimal128(..) => column.as_primitive::<Decimal128Type>().value(key),
        _ => return None,
    })
}

/// Two's complement with exactly this many bytes.
fn big_endian(number: i128, length: usize) -> Option<Vec<u8>> {
    let whole = number.to_be_bytes();
    let sign = if number < 0 { 0xFF } else { 0 };
    let Some(dropped) = whole.len().checked_sub(length) else {
        let mut wide = vec![sign; length - whole.len()];
        wide.extend(whole);
        return Some(wide);
    };
    let (dropped, kept) = whole.split_at(dropped);
    let fits = dropped.iter().all(|byte| *byte == sign)
        && kept.first().is_some_and(|first| first & 0x80 == sign & 0x80);
    fits.then(|| kept.to_vec())
}
