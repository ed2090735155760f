//! The MySQL columns of random histories: their values, their spelling in a configuration, and
//! their specified Delta type.

use chrono::NaiveDate;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::model::Value;

/// A MySQL type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `tinyint` to `bigint` by bits: 8, 16, 24, 32, 64.
    Int { bits: u8, unsigned: bool },
    /// `decimal(p,s)` that Delta can hold.
    Decimal { precision: u8, scale: u8 },
    /// `decimal(50,10)`: kept as its text.
    WideDecimal,
    /// `float`
    Float,
    /// `double`
    Double,
    /// `bit(1)`
    Bit,
    /// `bit(12)`
    Bits,
    /// `date`
    Date,
    /// `datetime(6)`
    DateTime,
    /// `timestamp`
    Timestamp,
    /// `time(6)`
    Time,
    /// `year`
    Year,
    /// `varchar(200)`
    Varchar,
    /// `text`
    Text,
    /// `json`
    Json,
    /// `enum(…)`
    Enum,
    /// `varbinary(40)`
    Binary,
}

/// The texts that a dataset may contain, depending on what its files can represent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Taste {
    /// Only texts that an unquoted CSV field can contain.
    pub(crate) harmless: bool,
    /// The empty text means NULL.
    pub(crate) never_empty: bool,
    /// Markers of NULL and of values that the log does not supply.
    pub(crate) never: Vec<String>,
}

/// A column at the source.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// Its name in the lake.
    pub(crate) lake: String,
    pub(crate) kind: Kind,
    pub(crate) nullable: bool,
    /// First schema epoch that has it.
    pub(crate) from: usize,
    /// First schema epoch that no longer has it.
    pub(crate) until: usize,
}

impl Column {
    /// Whether the source table has it in that epoch.
    pub(crate) fn stands_in(&self, epoch: usize) -> bool {
        (self.from..self.until).contains(&epoch)
    }
}

const KINDS: &[Kind] = &[
    Kind::Int { bits: 8, unsigned: false },
    Kind::Int { bits: 8, unsigned: true },
    Kind::Int { bits: 16, unsigned: false },
    Kind::Int { bits: 16, unsigned: true },
    Kind::Int { bits: 24, unsigned: false },
    Kind::Int { bits: 24, unsigned: true },
    Kind::Int { bits: 32, unsigned: false },
    Kind::Int { bits: 32, unsigned: true },
    Kind::Int { bits: 64, unsigned: false },
    Kind::Int { bits: 64, unsigned: true },
    Kind::Decimal { precision: 15, scale: 2 },
    Kind::Decimal { precision: 38, scale: 4 },
    Kind::Decimal { precision: 5, scale: 0 },
    Kind::WideDecimal,
    Kind::Float,
    Kind::Double,
    Kind::Bit,
    Kind::Bits,
    Kind::Date,
    Kind::DateTime,
    Kind::Timestamp,
    Kind::Time,
    Kind::Year,
    Kind::Varchar,
    Kind::Varchar,
    Kind::Text,
    Kind::Json,
    Kind::Enum,
    Kind::Binary,
];

const PIECES: &[&str] = &[
    "a", "Zz", "0", "\"", "\"\"", "'", ",", ";", "|", "||", "\t", "\u{1}", "\n", "\r\n", "\\",
    "\\n", "\\\"", " ", "NULL", "ü", "日本", "🦀", "e\u{301}", "=", "{}", "%20", "~",
];

const HARMLESS: &[&str] =
    &["a", "Zz", "0", "\"", "'", "\\", "ü", "日本", "🦀", "=", "x y", "NULLs"];

impl Kind {
    /// A kind for a column that is not a key.
    pub(crate) fn any(rng: &mut StdRng) -> Self {
        *KINDS.choose(rng).expect("there are kinds")
    }

    /// MySQL's spelling, in one of several.
    pub(crate) fn sql(self, rng: &mut StdRng) -> String {
        let spellings: &[&str] = match self {
            Self::Int { bits, unsigned } => {
                let name = match bits {
                    8 => "tinyint",
                    16 => "smallint",
                    24 => "mediumint",
                    32 => "int",
                    _ => "bigint",
                };
                let width = if rng.random_bool(0.3) { "(11)" } else { "" };
                let suffix = if unsigned { " unsigned" } else { "" };
                return format!("{name}{width}{suffix}");
            }
            Self::Decimal { precision, scale } => return format!("decimal({precision},{scale})"),
            Self::WideDecimal => &["decimal(50,10)"],
            Self::Float => &["float"],
            Self::Double => &["double", "DOUBLE"],
            Self::Bit => &["bit(1)", "bit"],
            Self::Bits => &["bit(12)"],
            Self::Date => &["date"],
            Self::DateTime => &["datetime(6)", "DATETIME(6)"],
            Self::Timestamp => &["timestamp", "timestamp(6)"],
            Self::Time => &["time(6)", "time"],
            Self::Year => &["year", "year(4)"],
            Self::Varchar => &["varchar(200)", "VARCHAR(200)", "char(100)"],
            Self::Text => &["text", "mediumtext", "longtext"],
            Self::Json => &["json"],
            Self::Enum => &["enum('small','medium','large, really')"],
            Self::Binary => &["varbinary(40)", "blob"],
        };
        (*spellings.choose(rng).expect("there are spellings")).to_owned()
    }

    /// The Delta type of the column. Without a configured type, Parquet's annotation does not
    /// distinguish `mediumint unsigned` from `int unsigned`.
    pub(crate) fn delta_type(self, configured: bool) -> String {
        let name = match self {
            Self::Int { bits: 64, unsigned: true } => "decimal(20,0)",
            Self::Int { bits: 64, .. } | Self::Int { bits: 32, unsigned: true } | Self::Bits => {
                "long"
            }
            Self::Int { bits: 24, unsigned: true } if !configured => "long",
            Self::Int { bits: 24 | 32, .. } | Self::Int { bits: 16, unsigned: true } => "integer",
            Self::Int { bits: 16, .. } | Self::Int { unsigned: true, .. } | Self::Year => "short",
            Self::Int { .. } => "byte",
            Self::Decimal { precision, scale } => return format!("decimal({precision},{scale})"),
            Self::Float | Self::Double => "double",
            Self::Bit => "boolean",
            Self::Date => "date",
            Self::DateTime | Self::Timestamp => "timestamp",
            Self::WideDecimal
            | Self::Time
            | Self::Varchar
            | Self::Text
            | Self::Json
            | Self::Enum => "string",
            Self::Binary => "binary",
        };
        name.to_owned()
    }

    /// Whether letters make an invalid CSV field for the type.
    pub(crate) fn can_be_spoilt(self) -> bool {
        !matches!(
            self,
            Self::WideDecimal | Self::Time | Self::Varchar | Self::Text | Self::Json | Self::Enum
        )
    }

    /// A value that is not NULL.
    pub(crate) fn value(self, rng: &mut StdRng, taste: &Taste) -> Value {
        match self {
            Self::Int { bits, unsigned } => integer(rng, bits, unsigned),
            Self::Decimal { precision, scale } => {
                let limit = 10_i128.pow(u32::from(precision)) - 1;
                let unscaled = edge_or(rng, -limit, limit);
                Value::Decimal { unscaled, scale }
            }
            Self::WideDecimal => {
                let whole: u64 = rng.random();
                Value::Text(format!(
                    "-{whole}{whole}.{:010}",
                    rng.random_range(0..10_000_000_000_u64)
                ))
            }
            Self::Float => Value::double(f64::from(rng.random_range(-4000..4000)) * 0.25),
            Self::Double => Value::double(double(rng)),
            Self::Bit => Value::Bool(rng.random()),
            Self::Bits => Value::Int(rng.random_range(0..4096)),
            Self::Date | Self::DateTime if rng.random_bool(0.1) => Value::ZeroDate,
            Self::Date => Value::Day(i32::try_from(day(rng)).expect("four-digit years fit")),
            Self::DateTime => {
                let any = day(rng);
                Value::Instant(instant(rng, any))
            }
            Self::Timestamp => {
                let recent = rng.random_range(1..24_000);
                Value::Instant(instant(rng, recent))
            }
            Self::Time => Value::Text(time(rng)),
            Self::Year => Value::Int(*[0, 1901, 1999, 2024, 2155].choose(rng).expect("years")),
            Self::Varchar | Self::Text => Value::Text(text(rng, taste)),
            Self::Json if taste.harmless => Value::Text("{\"a\":1}".into()),
            Self::Json => Value::Text(format!(
                "{{\"a\": \"x, \\\"y\\\"\", \"n\": {}}}",
                rng.random_range(0..9)
            )),
            Self::Enum => {
                let last = if taste.harmless { "large" } else { "large, really" };
                let labels = if taste.never_empty {
                    &["small", "medium", last][..]
                } else {
                    &["", "small", last]
                };
                Value::Text((*labels.choose(rng).expect("labels")).into())
            }
            Self::Binary => {
                let least = usize::from(taste.never_empty);
                let length = rng.random_range(least..6);
                Value::Bytes((0..length).map(|_| rng.random()).collect())
            }
        }
    }
}

fn integer(rng: &mut StdRng, bits: u8, unsigned: bool) -> Value {
    let span = 1_i128 << bits;
    let (least, most) = if unsigned { (0, span - 1) } else { (-span / 2, span / 2 - 1) };
    let value = edge_or(rng, least, most);
    // Only a decimal fits in the lake.
    if bits == 64 && unsigned {
        Value::Decimal { unscaled: value, scale: 0 }
    } else {
        Value::Int(value)
    }
}

fn edge_or(rng: &mut StdRng, least: i128, most: i128) -> i128 {
    match rng.random_range(0..10) {
        0 => least,
        1 => most,
        2..=5 => rng.random_range(least.max(-100)..=most.min(100)),
        _ => rng.random_range(least..=most),
    }
}

fn double(rng: &mut StdRng) -> f64 {
    match rng.random_range(0..6) {
        0 => f64::MAX,
        1 => 5e-324,
        2 => -1.5e300,
        3 => 0.1 + 0.2,
        _ => f64::from(rng.random_range(-1_000_000..1_000_000)) / 1000.0 + 0.0005,
    }
}

/// A day in MySQL's range, counted from 1970.
fn day(rng: &mut StdRng) -> i64 {
    let first = days(1000, 1, 1);
    let last = days(9999, 12, 31);
    match rng.random_range(0..12) {
        0 => first,
        1 => last,
        2 => days(2024, 2, 29),
        3 => days(1969, 12, 31),
        4 => rng.random_range(first..=last),
        _ => rng.random_range(10_000..21_000),
    }
}

fn days(year: i32, month: u32, day: u32) -> i64 {
    let date = NaiveDate::from_ymd_opt(year, month, day).expect("a date");
    (date - NaiveDate::default()).num_days()
}

fn instant(rng: &mut StdRng, day: i64) -> i64 {
    const DAY: i64 = 86_400_000_000;
    let unit = *[1, 1000, 1_000_000].choose(rng).expect("units");
    day * DAY + rng.random_range(0..DAY / unit) * unit
}

fn time(rng: &mut StdRng) -> String {
    let sign = if rng.random_bool(0.3) { "-" } else { "" };
    let hours = rng.random_range(0..839);
    let minutes = rng.random_range(0..60);
    let fraction = if rng.random_bool(0.5) { ".5" } else { "" };
    format!("{sign}{hours:02}:{minutes:02}:07{fraction}")
}

fn text(rng: &mut StdRng, taste: &Taste) -> String {
    let pieces = if taste.harmless { HARMLESS } else { PIECES };
    loop {
        let length = if rng.random_bool(0.02) { 300 } else { rng.random_range(0..6) };
        let text: String =
            (0..length).map(|_| *pieces.choose(rng).expect("there are pieces")).collect();
        let empty_allowed = !taste.never_empty || !text.is_empty();
        if empty_allowed && !taste.never.contains(&text) {
            return text;
        }
    }
}
