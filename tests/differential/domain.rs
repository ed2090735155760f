//! Random columns, values and keys: every type of the lake, including extremes.

use std::collections::BTreeSet;

use dmslake::schema::{Column, ColumnType};
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::{IndexedMutRandom, IndexedRandom, SliceRandom};

use crate::support::model::{Key, Row, Value};

/// Days of 1000-01-01 and 9999-12-31, MySQL's limits.
const DAYS: (i64, i64) = (-354_285, 2_932_896);
const MICROSECONDS_OF_DAY: i64 = 86_400_000_000;

/// Longer than what any writer's statistics keep of a text, with characters that URLs escape.
const LONG_PREFIX: &str =
    "é/%20 a prefix that is longer than the sixty-four bytes that statistics keep of a text: ";

const PIECES: &[&str] =
    &["a", "Z", "é", "%", "/", " ", "🦀", "\u{10FFFF}", "%2F", "e\u{301}", "\"", "\n", "0", "~"];

const NAMES: &[&str] = &["id", "Camel.Case", "a b", "50%", "x/y", "é:ü", "Größe", "select", "_"];

fn any_type(rng: &mut StdRng) -> ColumnType {
    use ColumnType as T;
    let types = [
        T::Byte,
        T::Short,
        T::Int,
        T::Long,
        T::Decimal { precision: 5, scale: 0 },
        T::Decimal { precision: 15, scale: 2 },
        T::Decimal { precision: 20, scale: 0 },
        T::Decimal { precision: 38, scale: 10 },
        T::Double,
        T::Boolean,
        T::Date,
        T::Timestamp,
        T::String,
        T::Binary,
    ];
    *types.choose(rng).unwrap()
}

fn key_type(rng: &mut StdRng, is_alone: bool) -> ColumnType {
    use ColumnType as T;
    let types = [
        T::Int,
        T::Long,
        T::Long,
        T::Short,
        T::Decimal { precision: 20, scale: 0 },
        T::Decimal { precision: 38, scale: 10 },
        T::String,
        T::String,
        T::Binary,
        T::Date,
        T::Timestamp,
        T::Byte,
        T::Boolean,
    ];
    *types[..types.len() - usize::from(is_alone)].choose(rng).unwrap()
}

/// All columns that a table ever has, in the order in which they are added.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) columns: Vec<Column>,
    /// Positions of the key columns, in key order.
    pub(super) keys: Vec<usize>,
    /// The number of initial columns.
    pub(super) first: usize,
}

impl Shape {
    pub(super) fn random(rng: &mut StdRng) -> Self {
        let key_count = *[1, 1, 1, 2, 3].choose(rng).unwrap();
        let others = rng.random_range(0..7);
        let late = rng.random_range(0..3);
        let mut names: Vec<&str> = NAMES.to_vec();
        names.shuffle(rng);
        let column = |position: usize, column_type| Column {
            name: names.get(position).map_or(format!("column {position}"), |&name| name.to_owned()),
            column_type,
            nullable: true,
        };
        let first = key_count + others;
        let mut keys: Vec<usize> = (0..first).collect();
        keys.shuffle(rng);
        keys.truncate(key_count);
        let columns = (0..first + late)
            .map(|at| {
                let is_key = keys.contains(&at);
                column(at, if is_key { key_type(rng, key_count == 1) } else { any_type(rng) })
            })
            .collect();
        Self { columns, keys, first }
    }

    pub(super) fn key_names(&self) -> Vec<String> {
        self.keys.iter().map(|&key| self.columns[key].name.clone()).collect()
    }

    /// Up to `count` distinct keys.
    pub(super) fn pool(&self, rng: &mut StdRng, count: usize) -> Vec<Key> {
        let last = self.keys.len() - 1;
        let draw: Vec<Draw> = self
            .keys
            .iter()
            .enumerate()
            .map(|(at, &key)| {
                let draw = draw_key(rng, self.columns[key].column_type, count);
                if at < last && rng.random_bool(0.5) { few(rng, &draw) } else { draw }
            })
            .collect();
        let mut pool = BTreeSet::new();
        for _ in 0..4 * count {
            if pool.len() == count {
                break;
            }
            pool.insert(draw.iter().map(|draw| draw(rng)).collect::<Key>());
        }
        pool.into_iter().collect()
    }

    /// A key with a NULL part: no change matches it, and its row must survive all changes.
    pub(super) fn nameless(&self, rng: &mut StdRng) -> Key {
        let mut key: Key =
            self.keys.iter().map(|&key| value(rng, self.columns[key].column_type)).collect();
        *key.choose_mut(rng).unwrap() = Value::Null;
        key
    }

    /// A row with this key and the first `width` columns.
    pub(super) fn row(&self, rng: &mut StdRng, key: &Key, width: usize) -> Row {
        let value = |at: usize| match self.keys.iter().position(|&key| key == at) {
            Some(position) => key[position].clone(),
            None if rng.random_bool(0.15) => Value::Null,
            None => value(rng, self.columns[at].column_type),
        };
        (0..width).map(value).collect()
    }
}

/// Gives values of one key column.
type Draw = Box<dyn Fn(&mut StdRng) -> Value + Send>;

/// Few values, like the leading column of a composite key.
fn few(rng: &mut StdRng, draw: &Draw) -> Draw {
    let values = [draw(rng), draw(rng), draw(rng)];
    Box::new(move |rng| values.choose(rng).unwrap().clone())
}

/// Keys of a column, close together or far apart, where collisions and roundings are likely.
fn draw_key(rng: &mut StdRng, column_type: ColumnType, count: usize) -> Draw {
    let span = i128::try_from(3 * count).unwrap();
    let style = rng.random_range(0..6);
    match column_type {
        ColumnType::Byte => integers(rng, 8, span),
        ColumnType::Short => integers(rng, 16, span),
        ColumnType::Int => integers(rng, 32, span),
        ColumnType::Long => integers(rng, 64, span),
        ColumnType::Decimal { precision, scale } => {
            let limit = 10_i128.pow(u32::from(precision)) - 1;
            // Around the limits of doubles and 64-bit integers, and where statistics lose digits.
            let bases = [0, 1 << 53, 10_i128.pow(15), (1 << 63) - 1, (1 << 64) - 1, limit, -limit];
            let base = *bases.choose(rng).unwrap();
            let (least, most) = ((base - span).max(-limit), (base + span).min(limit));
            let (least, most) = if style == 0 { (-limit, limit) } else { (least, most) };
            Box::new(move |rng| Value::Decimal { unscaled: edge_or(rng, least, most), scale })
        }
        ColumnType::Double => Box::new(move |rng| value(rng, column_type)),
        ColumnType::Boolean => Box::new(|rng| Value::Bool(rng.random())),
        ColumnType::String => Box::new(move |rng| Value::Text(key_text(rng, style))),
        ColumnType::Binary => Box::new(move |rng| Value::Bytes(key_bytes(rng, style))),
        ColumnType::Date => {
            let base = *[DAYS.0, -1, 19_000, DAYS.1].choose(rng).unwrap();
            let span = i64::try_from(span).unwrap();
            Box::new(move |rng| {
                let day = (base + rng.random_range(-span..=span)).clamp(DAYS.0, DAYS.1);
                Value::Day(i32::try_from(day).unwrap())
            })
        }
        ColumnType::Timestamp => {
            let base = *[DAYS.0 + 1, -1, 0, 19_000, DAYS.1].choose(rng).unwrap();
            let base = base * MICROSECONDS_OF_DAY + rng.random_range(0..1000) * 1000;
            let span = i64::try_from(span).unwrap();
            // Around whole milliseconds, to which statistics are rounded.
            Box::new(move |rng| {
                let beside = *[-1, 0, 1, 500, 999].choose(rng).unwrap();
                Value::Instant(base + rng.random_range(0..span) * 1000 + beside)
            })
        }
    }
}

fn integers(rng: &mut StdRng, bits: u32, span: i128) -> Draw {
    let (least, most) = (-(1 << (bits - 1)), (1_i128 << (bits - 1)) - 1);
    let (low, high) = match rng.random_range(0..6) {
        0 => (least, most),
        1 => (least, (least + span).min(most)),
        2 => ((most - span).max(least), most),
        3 => ((-span / 2).max(least), (span / 2).min(most)),
        _ => (1, span.min(most)),
    };
    Box::new(move |rng| Value::Int(edge_or(rng, low, high)))
}

fn key_text(rng: &mut StdRng, style: u32) -> String {
    match style {
        0 => format!("{:032x}", rng.random::<u128>()),
        1 => uuid::Uuid::from_u128(rng.random()).to_string(),
        2 => format!("{LONG_PREFIX}{}", rng.random_range(0..100_000)),
        3 => format!("{}{}", "\u{10FFFF}".repeat(20), rng.random_range(0..100_000)),
        4 => rng.random_range(0..1_000_000).to_string(),
        _ => text(rng),
    }
}

fn key_bytes(rng: &mut StdRng, style: u32) -> Vec<u8> {
    let number: u32 = rng.random_range(0..1_000_000);
    match style {
        0 | 1 => rng.random::<u128>().to_be_bytes().to_vec(),
        2 | 3 => [vec![0xFF; 70], number.to_be_bytes().to_vec()].concat(),
        4 => number.to_le_bytes().to_vec(),
        _ => (0..rng.random_range(0..4)).map(|_| rng.random()).collect(),
    }
}

fn text(rng: &mut StdRng) -> String {
    let length = if rng.random_bool(0.1) { 80 } else { rng.random_range(0..6) };
    let text: String = (0..length).map(|_| *PIECES.choose(rng).unwrap()).collect();
    if rng.random_bool(0.1) { format!("{LONG_PREFIX}{text}") } else { text }
}

/// A value that is not NULL.
fn value(rng: &mut StdRng, column_type: ColumnType) -> Value {
    let integer = |rng: &mut StdRng, bits: u32| {
        Value::Int(edge_or(rng, -(1 << (bits - 1)), (1_i128 << (bits - 1)) - 1))
    };
    match column_type {
        ColumnType::Byte => integer(rng, 8),
        ColumnType::Short => integer(rng, 16),
        ColumnType::Int => integer(rng, 32),
        ColumnType::Long => integer(rng, 64),
        ColumnType::Decimal { precision, scale } => {
            let limit = 10_i128.pow(u32::from(precision)) - 1;
            Value::Decimal { unscaled: edge_or(rng, -limit, limit), scale }
        }
        ColumnType::Double => {
            let edges = [0.0, -0.0, f64::MAX, f64::MIN, 5e-324, -1.5e300, 0.1 + 0.2];
            let any = f64::from(rng.random_range(-1_000_000..1_000_000)) / 1000.0;
            Value::double(if rng.random_bool(0.3) { *edges.choose(rng).unwrap() } else { any })
        }
        ColumnType::Boolean => Value::Bool(rng.random()),
        ColumnType::Date => {
            let day = edge_or(rng, DAYS.0.into(), DAYS.1.into());
            Value::Day(i32::try_from(day).unwrap())
        }
        ColumnType::Timestamp => {
            let (first, last) = (DAYS.0 * MICROSECONDS_OF_DAY, (DAYS.1 + 1) * MICROSECONDS_OF_DAY);
            let instant = edge_or(rng, first.into(), i128::from(last) - 1);
            Value::Instant(i64::try_from(instant).unwrap())
        }
        ColumnType::String => Value::Text(text(rng)),
        ColumnType::Binary => {
            let style = rng.random_range(0..6);
            Value::Bytes(key_bytes(rng, style))
        }
    }
}

fn edge_or(rng: &mut StdRng, least: i128, most: i128) -> i128 {
    match rng.random_range(0..40) {
        0 => least,
        1 => most,
        2..=5 if least < 0 && most > 100 => rng.random_range(least.max(-100)..=100),
        _ => rng.random_range(least..=most),
    }
}
