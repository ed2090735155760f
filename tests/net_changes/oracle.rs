//! The plain truth about a slice: a map replayed change by change; and the decoded batches
//! that DMS could have written for it. All values are small numbers, written as whatever type
//! a column has.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Int64Array,
    StringArray, TimestampMicrosecondArray, UInt8Array, UInt64Array,
};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Int64Type, TimestampMicrosecondType};
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use dmslake::change::CurrentRows;
use dmslake::decode::{BEFORE, OPERATION, ROW, UNSET};
use dmslake::dms::Operation;
use dmslake::error::Result;
use dmslake::schema::{Column, ColumnType, TableSchema};
use rand::Rng;
use rand::rngs::StdRng;

pub(super) type Key = Vec<i64>;
pub(super) type Image = Vec<Option<i64>>;
pub(super) type Rows = BTreeMap<Key, Image>;

/// The columns after the key.
pub(super) const VALUES: [(&str, ColumnType); 3] =
    [("amount", ColumnType::Long), ("note", ColumnType::String), ("Photo", ColumnType::Binary)];

/// What a change says about a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// Keeps what the row had.
    Unset,
    Value(Option<i64>),
}

#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) operation: Operation,
    pub(super) key: Key,
    /// The old key of a key change.
    pub(super) before: Option<Key>,
    /// By column of [`VALUES`].
    pub(super) values: Vec<Given>,
}

impl Change {
    pub(super) fn rows(&self) -> u64 {
        if self.before.is_some() { 2 } else { 1 }
    }
}

pub(super) fn replay(rows: &mut Rows, change: &Change) {
    if change.operation == Operation::Delete {
        rows.remove(&change.key);
        return;
    }
    let old = match &change.before {
        // A key change that is repeated finds its row under the new key.
        Some(before) => rows.remove(before).or_else(|| rows.get(&change.key).cloned()),
        None => rows.get(&change.key).cloned(),
    };
    let kept = |column: usize| old.as_ref().and_then(|image| image[column]);
    let image = change.values.iter().enumerate().map(|(column, given)| match given {
        Given::Unset => kept(column),
        Given::Value(value) => *value,
    });
    let image = image.collect();
    rows.insert(change.key.clone(), image);
}

/// The types of a table's key columns.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) keys: Vec<ColumnType>,
}

impl Shape {
    pub(super) fn random(rng: &mut StdRng) -> Self {
        let types = [
            ColumnType::Long,
            ColumnType::String,
            ColumnType::Decimal { precision: 20, scale: 0 },
            ColumnType::Timestamp,
            ColumnType::Binary,
            ColumnType::Date,
        ];
        let width = rng.random_range(1..=3);
        Self { keys: (0..width).map(|_| types[rng.random_range(0..types.len())]).collect() }
    }

    pub(super) fn key_names(&self) -> Vec<String> {
        // In capitals, so that a plan that folds names fails.
        (0..self.keys.len()).map(|key| format!("Key{key}")).collect()
    }

    /// Key columns stand last and in reverse, so that a place never happens to be right.
    pub(super) fn schema(&self) -> TableSchema {
        let column = |name: String, column_type| Column { name, column_type, nullable: true };
        let values = VALUES.iter().map(|(name, kind)| column((*name).to_owned(), *kind));
        let keys = self.key_names().into_iter().zip(&self.keys).rev();
        TableSchema::new(values.chain(keys.map(|(name, kind)| column(name, *kind))).collect())
    }

    pub(super) fn column_type(&self, name: &str) -> DataType {
        self.schema().column(name).expect("known column").column_type.arrow()
    }
}

/// A batch that holds these changes. What a reader must not look at is garbage; what may be
/// left out sometimes is.
pub(super) fn decoded(changes: &[Change], shape: &Shape, rng: &mut StdRng) -> RecordBatch {
    let mut columns: Vec<(String, ArrayRef)> = vec![
        (
            OPERATION.to_owned(),
            Arc::new(changes.iter().map(|c| Some(c.operation.code())).collect::<UInt8Array>()),
        ),
        (ROW.to_owned(), Arc::new(UInt64Array::from_iter_values(1..=changes.len() as u64))),
    ];
    for (place, (name, kind)) in shape.key_names().into_iter().zip(&shape.keys).enumerate() {
        let before = changes.iter().map(|change| match &change.before {
            Some(before) if before[place] != change.key[place] => Some(before[place]),
            _ if change.operation != Operation::Update => random_value(rng),
            _ => rng.random_bool(0.5).then_some(change.key[place]),
        });
        let before: Vec<_> = before.collect();
        if changes.iter().any(|change| change.before.is_some()) || rng.random() {
            columns.push((format!("{BEFORE}{name}"), encode(&kind.arrow(), &before)));
        }
        let key: Vec<_> = changes.iter().map(|change| Some(change.key[place])).collect();
        columns.push((name, encode(&kind.arrow(), &key)));
    }
    for (place, (name, kind)) in VALUES.iter().enumerate() {
        let unset = |change: &Change| change.values[place] == Given::Unset;
        if changes.iter().any(unset) {
            let flags = changes.iter().map(|change| {
                if change.operation == Operation::Delete { rng.random() } else { unset(change) }
            });
            let flags = flags.collect::<Vec<bool>>();
            columns.push((format!("{UNSET}{name}"), Arc::new(BooleanArray::from(flags))));
        }
        let is_null = |change: &Change| {
            change.operation == Operation::Delete || change.values[place] == Given::Value(None)
        };
        if changes.iter().all(is_null) && rng.random() {
            continue;
        }
        let values = changes.iter().map(|change| match change.values[place] {
            Given::Value(value) if change.operation != Operation::Delete => value,
            _ => random_value(rng),
        });
        columns.push(((*name).to_owned(), encode(&kind.arrow(), &values.collect::<Vec<_>>())));
    }
    RecordBatch::try_from_iter(columns).expect("columns of one length")
}

pub(super) fn random_value(rng: &mut StdRng) -> Option<i64> {
    rng.random_bool(0.75).then(|| rng.random_range(0..1000))
}

/// A target table in memory that counts what it is asked for.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) shape: Shape,
    pub(super) rows: Rows,
    pub(super) asked: Mutex<Vec<Key>>,
}

impl Target {
    pub(super) fn new(shape: Shape, rows: Rows) -> Self {
        Self { shape, rows, asked: Mutex::default() }
    }
}

#[async_trait]
impl CurrentRows for Target {
    async fn rows(&self, keys: RecordBatch, columns: &[String]) -> Result<Vec<RecordBatch>> {
        let mut asked = read_keys(&keys, &self.shape);
        let mut found: Vec<_> =
            asked.iter().filter_map(|key| self.rows.get_key_value(key)).collect();
        // A row that nobody asked for, and an order that nobody chose.
        found.extend(self.rows.iter().find(|(key, _)| !asked.contains(key)));
        found.reverse();
        let mut batches = Vec::new();
        for rows in found.chunks(3) {
            let mut batch: Vec<(String, ArrayRef)> = Vec::new();
            for name in columns {
                let place = VALUES.iter().position(|(value, _)| value == name);
                let place = place.expect("asked for a value column");
                let values: Vec<_> = rows.iter().map(|(_, image)| image[place]).collect();
                batch.push((name.clone(), encode(&self.shape.column_type(name), &values)));
            }
            for (place, name) in self.shape.key_names().into_iter().enumerate() {
                let values: Vec<_> = rows.iter().map(|(key, _)| Some(key[place])).collect();
                let array = encode(&self.shape.column_type(&name), &values);
                batch.push((name, array));
            }
            batches.push(RecordBatch::try_from_iter(batch).expect("columns of one length"));
        }
        self.asked.lock().expect("no panic while held").append(&mut asked);
        Ok(batches)
    }
}

pub(super) fn read_keys(batch: &RecordBatch, shape: &Shape) -> Vec<Key> {
    let names = shape.key_names();
    let column = |name| batch.column_by_name(name).expect("a key column");
    (0..batch.num_rows())
        .map(|row| names.iter().map(|name| decode(column(name), row).expect("a key")).collect())
        .collect()
}

pub(super) fn read_images(batch: &RecordBatch) -> Vec<Image> {
    let column = |name| batch.column_by_name(name).expect("a value column");
    (0..batch.num_rows())
        .map(|row| VALUES.iter().map(|(name, _)| decode(column(name), row)).collect())
        .collect()
}

/// Texts that some collations of MySQL take for one stand among the small numbers.
const TEXTS: [&str; 7] = ["", "a", "A", "a ", "ä", "straße", "strasse"];

fn text(number: i64) -> String {
    let special = usize::try_from(number).ok().and_then(|place| TEXTS.get(place));
    special.map_or_else(|| format!("n{number}"), |text| (*text).to_owned())
}

fn number(text: &str) -> i64 {
    let special = TEXTS.iter().position(|special| *special == text);
    special.map_or_else(
        || text[1..].parse().expect("a number's text"),
        |place| i64::try_from(place).expect("small"),
    )
}

fn encode(data_type: &DataType, values: &[Option<i64>]) -> ArrayRef {
    let values = values.iter().copied();
    match data_type {
        DataType::Int64 => Arc::new(values.collect::<Int64Array>()),
        DataType::Utf8 => Arc::new(values.map(|value| value.map(text)).collect::<StringArray>()),
        DataType::Binary => {
            let bytes = values.map(|value| value.map(|value| value.to_le_bytes().to_vec()));
            Arc::new(bytes.collect::<BinaryArray>())
        }
        DataType::Decimal128(..) => {
            let digits = values.map(|value| value.map(i128::from)).collect::<Decimal128Array>();
            Arc::new(digits.with_data_type(data_type.clone()))
        }
        DataType::Timestamp(..) => {
            Arc::new(values.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
        }
        DataType::Date32 => {
            let days = values.map(|value| value.map(|day| i32::try_from(day).expect("small")));
            Arc::new(days.collect::<Date32Array>())
        }
        other => panic!("no column has type {other}"),
    }
}

fn decode(array: &ArrayRef, row: usize) -> Option<i64> {
    if array.is_null(row) {
        return None;
    }
    Some(match array.data_type() {
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row),
        DataType::Utf8 => number(array.as_string::<i32>().value(row)),
        DataType::Binary => {
            let bytes = array.as_binary::<i32>().value(row);
            i64::from_le_bytes(bytes.try_into().expect("eight bytes"))
        }
        DataType::Decimal128(..) => {
            i64::try_from(array.as_primitive::<Decimal128Type>().value(row)).expect("small")
        }
        DataType::Timestamp(..) => array.as_primitive::<TimestampMicrosecondType>().value(row),
        DataType::Date32 => i64::from(array.as_primitive::<Date32Type>().value(row)),
        other => panic!("no column has type {other}"),
    })
}
