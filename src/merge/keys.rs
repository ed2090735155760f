//! The keys of net changes, hashed to find them among the keys of a file.

use std::hash::{BuildHasher, Hash};

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, RecordBatch};
use arrow::compute::concat;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Field, Int8Type, Int16Type, Int32Type, Int64Type, Schema,
    TimeUnit, TimestampMicrosecondType,
};
use arrow::row::{RowConverter, Rows, SortField};
use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashTable};

use crate::error::{Error, ErrorKind, Result};

/// The key columns of net changes: one key for each change, no duplicates, no NULL.
#[derive(Debug)]
pub(super) struct KeySet {
    schema: Schema,
    /// For each key column, all keys in the order of the changes.
    columns: Vec<ArrayRef>,
    index: Index,
}

/// Maps a key to its change. A single column of a common type is compared directly. Anything else
/// uses the row format, which is three to four times slower.
#[derive(Debug)]
enum Index {
    Integers(HashMap<i64, u32, RandomState>),
    Decimals(HashMap<i128, u32, RandomState>),
    Bytes { places: HashTable<u32>, hasher: RandomState },
    Rows { converter: Box<RowConverter>, rows: Rows, places: HashTable<u32>, hasher: RandomState },
}

impl KeySet {
    /// The keys of these batches, in order.
    ///
    /// # Errors
    /// `Internal` if a batch lacks a key column, or a key is NULL or duplicate.
    pub(super) fn new<'a>(
        names: &[String],
        batches: impl IntoIterator<Item = &'a RecordBatch>,
    ) -> Result<Self> {
        let batches: Vec<&RecordBatch> = batches.into_iter().collect();
        let columns = names.iter().map(|name| whole_column(name, &batches));
        let columns = columns.collect::<Result<Vec<ArrayRef>>>()?;
        let index = Index::over(&columns)?;
        let fields = names.iter().zip(&columns);
        let fields =
            fields.map(|(name, column)| Field::new(name, column.data_type().clone(), true));
        let schema = Schema::new(fields.collect::<Vec<_>>());
        let keys = Self { schema, columns, index };
        if keys.index.len() == keys.len() {
            return Ok(keys);
        }
        Err(Error::new(ErrorKind::Internal, "a key is in the net changes twice")
            .with("keys", keys.names()))
    }

    /// The number of keys.
    pub(super) fn len(&self) -> usize {
        self.columns.first().map_or(0, Array::len)
    }

    /// The key columns, in key order.
    pub(super) fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The names of the key columns, for a message.
    pub(super) fn names(&self) -> String {
        let names = self.schema.fields().iter().map(|field| field.name().as_str());
        names.collect::<Vec<_>>().join(", ")
    }

    /// For each key column, all keys in the order of the changes.
    pub(super) fn columns(&self) -> &[ArrayRef] {
        &self.columns
    }

    /// Calls `found` with each row of `columns` that contains one of the keys, and with the key's
    /// change. `columns` are the key columns of a file, in key order and in the types of the
    /// schema. Rows ascend. A NULL matches no key.
    pub(super) fn probe(&self, columns: &[ArrayRef], found: impl FnMut(usize, u32)) -> Result<()> {
        self.index.probe(columns, &self.columns, found)
    }
}

fn whole_column(name: &str, batches: &[&RecordBatch]) -> Result<ArrayRef> {
    let parts = batches.iter().map(|batch| {
        batch.column_by_name(name).map(AsRef::as_ref).filter(|column| column.null_count() == 0)
    });
    let parts = parts.collect::<Option<Vec<&dyn Array>>>().ok_or_else(|| {
        Error::new(ErrorKind::Internal, "a change lacks a key column").with("column", name)
    })?;
    Ok(concat(&parts)?)
}

impl Index {
    fn over(columns: &[ArrayRef]) -> Result<Self> {
        let hasher = RandomState::default();
        let [column] = columns else { return Self::over_rows(columns, hasher) };
        Ok(match column.data_type() {
            DataType::Int8 => Self::Integers(numbers::<Int8Type, _>(column, hasher)),
            DataType::Int16 => Self::Integers(numbers::<Int16Type, _>(column, hasher)),
            DataType::Int32 => Self::Integers(numbers::<Int32Type, _>(column, hasher)),
            DataType::Int64 => Self::Integers(numbers::<Int64Type, _>(column, hasher)),
            DataType::Date32 => Self::Integers(numbers::<Date32Type, _>(column, hasher)),
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                Self::Integers(numbers::<TimestampMicrosecondType, _>(column, hasher))
            }
            DataType::Decimal128(..) => {
                Self::Decimals(numbers::<Decimal128Type, _>(column, hasher))
            }
            DataType::Utf8 | DataType::Binary => {
                let key = |place: u32| bytes(column, place as usize);
                let places = places(column.len(), key, &hasher);
                Self::Bytes { places, hasher }
            }
            _ => Self::over_rows(columns, hasher)?,
        })
    }

    fn over_rows(columns: &[ArrayRef], hasher: RandomState) -> Result<Self> {
        let fields = columns.iter().map(|column| SortField::new(column.data_type().clone()));
        let converter = RowConverter::new(fields.collect())?;
        let rows = converter.convert_columns(columns)?;
        let places = places(rows.num_rows(), |place| rows.row(place as usize).data(), &hasher);
        Ok(Self::Rows { converter: Box::new(converter), rows, places, hasher })
    }

    fn len(&self) -> usize {
        match self {
            Self::Integers(map) => map.len(),
            Self::Decimals(map) => map.len(),
            Self::Bytes { places, .. } | Self::Rows { places, .. } => places.len(),
        }
    }

    fn probe(
        &self,
        columns: &[ArrayRef],
        own: &[ArrayRef],
        mut found: impl FnMut(usize, u32),
    ) -> Result<()> {
        match self {
            Self::Integers(map) => match columns[0].data_type() {
                DataType::Int8 => probe_numbers::<Int8Type, _>(&columns[0], map, found),
                DataType::Int16 => probe_numbers::<Int16Type, _>(&columns[0], map, found),
                DataType::Int32 => probe_numbers::<Int32Type, _>(&columns[0], map, found),
                DataType::Date32 => probe_numbers::<Date32Type, _>(&columns[0], map, found),
                DataType::Int64 => probe_numbers::<Int64Type, _>(&columns[0], map, found),
                _ => probe_numbers::<TimestampMicrosecondType, _>(&columns[0], map, found),
            },
            Self::Decimals(map) => probe_numbers::<Decimal128Type, _>(&columns[0], map, found),
            Self::Bytes { places, hasher } => {
                for row in valid_rows(&columns[0]) {
                    let key = bytes(&columns[0], row);
                    let same = |&place: &u32| bytes(&own[0], place as usize) == key;
                    if let Some(&change) = places.find(hasher.hash_one(key), same) {
                        found(row, change);
                    }
                }
            }
            Self::Rows { converter, rows, places, hasher } => {
                let asked = converter.convert_columns(columns)?;
                for (row, key) in asked.iter().enumerate() {
                    let key = key.data();
                    let same = |&place: &u32| rows.row(place as usize).data() == key;
                    if let Some(&change) = places.find(hasher.hash_one(key), same) {
                        found(row, change);
                    }
                }
            }
        }
        Ok(())
    }
}

fn valid_rows(column: &ArrayRef) -> impl Iterator<Item = usize> {
    (0..column.len()).filter(|&row| column.is_valid(row))
}

/// A value of a string or binary column.
fn bytes(column: &ArrayRef, row: usize) -> &[u8] {
    match column.as_string_opt::<i32>() {
        Some(strings) => strings.value(row).as_bytes(),
        None => column.as_binary::<i32>().value(row),
    }
}

/// The position of each key; of equal keys, the first.
fn places<'a>(count: usize, key: impl Fn(u32) -> &'a [u8], hasher: &RandomState) -> HashTable<u32> {
    let mut places = HashTable::with_capacity(count);
    for place in 0..u32::try_from(count).expect("a slice has fewer changes") {
        let hash = |&place: &u32| hasher.hash_one(key(place));
        places.entry(hash(&place), |&other| key(other) == key(place), hash).or_insert(place);
    }
    places
}

fn numbers<T, N>(column: &ArrayRef, hasher: RandomState) -> HashMap<N, u32, RandomState>
where
    T: ArrowPrimitiveType,
    T::Native: Into<N>,
    N: Hash + Eq,
{
    let values = column.as_primitive::<T>().values();
    let mut map = HashMap::with_capacity_and_hasher(values.len(), hasher);
    map.extend(values.iter().map(|&value| value.into()).zip(0..));
    map
}

fn probe_numbers<T, N>(
    column: &ArrayRef,
    map: &HashMap<N, u32, RandomState>,
    mut found: impl FnMut(usize, u32),
) where
    T: ArrowPrimitiveType,
    T::Native: Into<N>,
    N: Hash + Eq,
{
    let column = column.as_primitive::<T>();
    let has_nulls = column.null_count() > 0;
    for (row, &value) in column.values().iter().enumerate() {
        if let Some(&change) = map.get(&value.into())
            && !(has_nulls && column.is_null(row))
        {
            found(row, change);
        }
    }
}
