//! Staged objects on the local disk, as DMS writes them by default, in both formats.

mod csv;
mod parquet;

use std::fs;
use std::path::{Path, PathBuf};

use dmslake::config::{Settings, load};
use serde::{Deserialize, Serialize};

use crate::report::count;
use crate::rows::{self, Row};

/// Objects of the full load and of the backlog.
const LOAD_OBJECTS: u64 = 10;
const CDC_OBJECTS: u64 = 100;
const ROWS: u64 = 1_000_000;

/// Values of `merge`.
pub(crate) const COPY_ON_WRITE: &str = "copy-on-write";
pub(crate) const DELETION_VECTORS: &str = "deletion-vectors";

/// How objects are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Csv,
    Parquet,
}

impl Format {
    pub(crate) const ALL: [Self; 2] = [Self::Csv, Self::Parquet];

    /// As suffix and folder.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Parquet => "parquet",
        }
    }

    /// In the report.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Csv => "CSV",
            Self::Parquet => "Parquet",
        }
    }

    /// An object of these rows.
    pub(crate) fn bytes(self, rows: &[Row]) -> Vec<u8> {
        match self {
            Self::Csv => csv::bytes(rows),
            Self::Parquet => parquet::bytes(rows),
        }
    }
}

/// The same rows in both formats, full load and backlog each in a staging folder of its own.
pub(crate) struct Staging {
    folder: PathBuf,
    pub(crate) rows: u64,
}

impl Staging {
    /// Writes all objects.
    pub(crate) fn write(folder: &Path) -> Self {
        let rows = number("DMSLAKE_BENCH_ROWS").unwrap_or(ROWS);
        let staging = Self { folder: folder.to_owned(), rows };
        for object in 0..LOAD_OBJECTS {
            let each = rows / LOAD_OBJECTS;
            let load = rows::loaded(object * each, each);
            staging.put("load", &format!("LOAD{:08X}", object + 1), &load);
        }
        for object in 0..CDC_OBJECTS {
            let changes = rows::changes(object, rows / CDC_OBJECTS, rows);
            let name = format!("20261103-1000{:05}", object * 600);
            staging.put("cdc", &name, &changes);
            staging.put_with_sequences(&name, object, &changes);
        }
        staging
    }

    fn put(&self, phase: &str, name: &str, rows: &[Row]) {
        for format in Format::ALL {
            let folder = self.place(phase, format).join("shop/orders");
            fs::create_dir_all(&folder).expect("a folder");
            let object = folder.join(format!("{name}.{}", format.suffix()));
            fs::write(object, format.bytes(rows)).expect("written");
        }
    }

    /// The same changes as CSV, each with a change sequence.
    fn put_with_sequences(&self, name: &str, object: u64, changes: &[Row]) {
        let folder = self.backlog_with_sequences().join("shop/orders");
        fs::create_dir_all(&folder).expect("a folder");
        let first = object * changes.len() as u64;
        let text = String::from_utf8(csv::bytes(changes)).expect("text");
        let lines = text.lines().zip(first..);
        let lines = lines.map(|(line, at)| format!("{line},2026110310000000{at:019}\n"));
        fs::write(folder.join(format!("{name}.csv")), lines.collect::<String>()).expect("written");
    }

    /// The staging folder of the backlog with change sequences.
    pub(crate) fn backlog_with_sequences(&self) -> PathBuf {
        self.folder.join("staging/sequences")
    }

    fn place(&self, phase: &str, format: Format) -> PathBuf {
        self.folder.join("staging").join(phase).join(format.suffix())
    }

    /// The staging folder of the full load.
    pub(crate) fn load(&self, format: Format) -> PathBuf {
        self.place("load", format)
    }

    /// The staging folder of the backlog.
    pub(crate) fn backlog(&self, format: Format) -> PathBuf {
        self.place("cdc", format)
    }

    /// A place for a lake.
    pub(crate) fn lake(&self, name: &str) -> PathBuf {
        self.folder.join("lake").join(name)
    }

    /// What is staged, with its bytes.
    pub(crate) fn described(&self) -> String {
        let megabytes = |phase| {
            Format::ALL.map(|format| {
                let folder = self.place(phase, format).join("shop/orders");
                let objects = fs::read_dir(folder).expect("a folder");
                let bytes: u64 = objects
                    .map(|object| object.unwrap().metadata().expect("an object").len())
                    .sum();
                format!("{} {} MB", format.name(), bytes / 1_000_000)
            })
        };
        format!(
            "shop.orders, 7 columns, one bigint key; full load: {rows} rows in {LOAD_OBJECTS} \
             objects ({}); backlog: {rows} changes in {CDC_OBJECTS} objects ({}), 80 % updates of \
             random rows, 10 % inserts, 10 % deletes",
            megabytes("load").join(", "),
            megabytes("cdc").join(", "),
            rows = count(self.rows),
        )
    }
}

/// A number that the environment sets.
pub(crate) fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}

/// What a configuration says of change sequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Sequences {
    /// There are none.
    None,
    /// They are read, and not kept.
    Read,
    /// They guard the table.
    Guard,
}

/// The configuration over two folders.
pub(crate) fn settings(staging: &Path, lake: &Path, merge: &str) -> Settings {
    settings_with(staging, lake, merge, Sequences::None)
}

/// The same, with change sequences or without.
pub(crate) fn settings_with(
    staging: &Path,
    lake: &Path,
    merge: &str,
    sequences: Sequences,
) -> Settings {
    let text = settings_text(staging, lake, merge);
    let text = match sequences {
        Sequences::None => text,
        Sequences::Read | Sequences::Guard => {
            let guard = if sequences == Sequences::Guard { "sequence" } else { "off" };
            let table =
                format!("[dms]\nchange_seq_column = \"seq\"\n[[table]]\nguard = \"{guard}\"");
            let column = "\n  { name = \"seq\", type = \"varchar(35)\" },\n]\n";
            text.replace("[[table]]", &table).replace("\n]\n", column)
        }
    };
    load::parse(&text).unwrap_or_else(|error| panic!("{}", error.chain()))
}

/// That without sequences, as text.
pub(crate) fn settings_text(staging: &Path, lake: &Path, merge: &str) -> String {
    format!(
        r#"
staging = "{}"
lake = "{}"
[[table]]
source = "shop.orders"
merge = "{merge}"
keys = ["id"]
columns = [
  {{ name = "id", type = "bigint", nullable = false }},
  {{ name = "customer", type = "int" }},
  {{ name = "state", type = "varchar(16)" }},
  {{ name = "amount", type = "decimal(12,2)" }},
  {{ name = "quantity", type = "int" }},
  {{ name = "ordered_at", type = "datetime(6)" }},
  {{ name = "note", type = "varchar(60)" }},
]
"#,
        staging.display(),
        lake.display()
    )
}
