//! The rows of the tables that are merged into: orders, made from their number alone, so that
//! every run, every process and every part of a table has the same.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Decimal128Array, Int32Array, Int64Array, RecordBatch, StringArray, StringBuilder,
    TimestampMicrosecondArray,
};
use dmslake::schema::{Column, ColumnType, TableSchema};
use serde::{Deserialize, Serialize};

const STATES: [&str; 6] = ["new", "paid", "packed", "shipped", "delivered", "returned"];
/// 2024-01-01 in microseconds of Unix time.
const BEGIN: i64 = 1_704_067_200_000_000;
/// Between two orders.
const PACE: i64 = 2_000_000;
const MONTH: u64 = 30 * 24 * 3600 * 1_000_000;
/// Orders that share the first column of a key of two.
const ORDERS_PER_SHOP: u64 = 200_000;

/// What identifies an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Key {
    /// A counter: files do not overlap.
    Integer,
    /// 128 random bits as hexadecimal digits, in the order of arrival: every file may hold any.
    Hex,
    /// A shop and a counter in it, rising together.
    Pair,
}

impl Key {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Integer => "integer",
            Self::Hex => "hex",
            Self::Pair => "pair",
        }
    }

    /// Whether any file may hold any key: such files have bloom filters.
    pub(crate) fn overlaps(self) -> bool {
        self == Self::Hex
    }

    fn columns(self) -> Vec<Column> {
        let key = |name: &str, column_type| Column { nullable: false, ..column(name, column_type) };
        match self {
            Self::Integer => vec![key("id", ColumnType::Long)],
            Self::Hex => vec![key("id", ColumnType::String)],
            Self::Pair => vec![key("shop_id", ColumnType::Int), key("id", ColumnType::Long)],
        }
    }

    /// Names of the key columns.
    pub(crate) fn names(self) -> Vec<String> {
        self.columns().into_iter().map(|column| column.name).collect()
    }

    fn arrays(self, rows: &[u64]) -> Vec<ArrayRef> {
        let longs = |of: &dyn Fn(u64) -> u64| -> ArrayRef {
            Arc::new(rows.iter().map(|row| of(*row) as i64).collect::<Int64Array>())
        };
        match self {
            Self::Integer => vec![longs(&|row| row)],
            Self::Hex => {
                let mut keys = StringBuilder::with_capacity(rows.len(), 32 * rows.len());
                for row in rows {
                    write!(keys, "{:016x}{:016x}", random(*row, 100), random(*row, 101))
                        .expect("memory takes everything");
                    keys.append_value("");
                }
                vec![Arc::new(keys.finish())]
            }
            Self::Pair => {
                let shops = rows.iter().map(|row| (row / ORDERS_PER_SHOP) as i32);
                vec![Arc::new(shops.collect::<Int32Array>()), longs(&|row| row % ORDERS_PER_SHOP)]
            }
        }
    }
}

fn column(name: &str, column_type: ColumnType) -> Column {
    Column { name: name.to_owned(), column_type, nullable: true }
}

/// The columns of the table, key first.
pub(crate) fn schema(key: Key) -> TableSchema {
    let mut columns = key.columns();
    columns.extend([
        column("customer_id", ColumnType::Int),
        column("status", ColumnType::String),
        column("amount", ColumnType::Decimal { precision: 12, scale: 2 }),
        column("created_at", ColumnType::Timestamp),
        column("updated_at", ColumnType::Timestamp),
        column("note", ColumnType::String),
    ]);
    TableSchema::new(columns)
}

/// The keys of these rows.
pub(crate) fn keys(key: Key, rows: &[u64]) -> RecordBatch {
    let schema = schema(key).arrow();
    let places: Vec<usize> = (0..key.names().len()).collect();
    let schema = schema.project(&places).expect("keys come first");
    RecordBatch::try_new(Arc::new(schema), key.arrays(rows)).expect("as the schema says")
}

/// These rows as they were loaded (`edition` 0) or as a later change leaves them.
pub(crate) fn images(key: Key, rows: &[u64], edition: u64) -> RecordBatch {
    let salt = edition * 16;
    let below = |row: &u64, column: u64, bound: u64| random(*row, salt + column) % bound;
    let customers = rows.iter().map(|row| below(row, 1, 300_000) as i32);
    let states = rows.iter().map(|row| STATES[below(row, 2, STATES.len() as u64) as usize]);
    let amounts = rows.iter().map(|row| i128::from(below(row, 3, 5_000_000)));
    let amounts = amounts.collect::<Decimal128Array>().with_precision_and_scale(12, 2);
    let created = |row: &u64| BEGIN + *row as i64 * PACE + (random(*row, 4) % 1_000_000) as i64;
    let updated = |row: &u64| created(row) + below(row, 5, MONTH) as i64;
    let instants = |of: &dyn Fn(&u64) -> i64| -> ArrayRef {
        let instants: TimestampMicrosecondArray = rows.iter().map(|row| Some(of(row))).collect();
        Arc::new(instants.with_timezone("UTC"))
    };
    let mut notes = StringBuilder::with_capacity(rows.len(), 16 * rows.len());
    for row in rows {
        match below(row, 6, 8) {
            0 => notes.append_null(),
            _ => notes.append_value(format!("parcel {:06x}", below(row, 7, 1 << 24))),
        }
    }
    let mut columns = key.arrays(rows);
    columns.extend([
        Arc::new(customers.collect::<Int32Array>()) as ArrayRef,
        Arc::new(states.map(Some).collect::<StringArray>()),
        Arc::new(amounts.expect("amounts are small")),
        instants(&created),
        instants(&updated),
        Arc::new(notes.finish()),
    ]);
    RecordBatch::try_new(schema(key).arrow(), columns).expect("as the schema says")
}

/// Bits that follow from a number and a salt alone (`SplitMix64`).
pub(crate) fn random(number: u64, salt: u64) -> u64 {
    let mut bits = number.wrapping_add((salt + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}
