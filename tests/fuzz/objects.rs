//! Staged objects: chunks, batch sizes and the first row do not change the rows that are read, and
//! any bytes stay within the memory bounds.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, OnceLock};

use arrow::util::display::{ArrayFormatter, FormatOptions};
use bytes::Bytes;
use dmslake::config::{TableSpec, load};
use dmslake::decode::{DecodeContext, open};
use dmslake::dms::{Classified, S3Settings, classify};
use dmslake::error::ErrorKind;
use dmslake::staging::StagedObject;
use dmslake::storage::StoreKind;
use flate2::Compression;
use flate2::write::GzEncoder;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::runtime::Runtime;

use crate::hooked_store::{Chunks, HookedStore};
use crate::memory::most_held;

/// The smallest effective budget, and the multiple of it that the guide grants (src/guide/limits.md).
const BUDGET: usize = 16 << 20;
const MULTIPLE: usize = 8;

/// CSV: the first two bytes choose the endpoint's settings, the next one how it arrives.
pub(crate) fn csv(bytes: &[u8]) {
    let [dialect, more, chunk, text @ ..] = bytes else { return };
    if text.starts_with(&[0x1f, 0x8b]) {
        return;
    }
    let bit = |byte: &u8, bit: u8| byte & (1 << bit) != 0;
    let pick = |list: &[&str], at: u8| list[usize::from(at) % list.len()].to_owned();
    let dms = S3Settings {
        csv_delimiter: pick(&[",", "||", "\t", "ab"], dialect >> 6),
        csv_row_delimiter: pick(&["\n", "\r\n", "|", "abc"], (dialect >> 4) & 3),
        rfc_4180: bit(dialect, 0),
        add_column_name: bit(dialect, 1),
        cdc_inserts_only: bit(dialect, 2),
        change_seq_column: bit(dialect, 3).then(|| "note".to_owned()),
        csv_no_sup_value: bit(more, 0).then(|| "?".to_owned()),
        timestamp_column_name: bit(more, 1).then(|| "ts".to_owned()),
        ..S3Settings::default()
    };
    let name = if bit(more, 2) { "20260301-120000000.csv" } else { "LOAD00000001.csv" };
    let table = table();
    let whole = Read::of(text).with(&table, &dms, name);
    let piece = usize::from(chunk % 16) + 1;
    assert_eq!(Read { piece, ..Read::of(text) }.with(&table, &dms, name), whole, "in pieces");
    let few = Read { batch_rows: 1 + usize::from(chunk >> 4), ..Read::of(text) };
    assert_eq!(few.with(&table, &dms, name), whole, "in small batches");
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(text).unwrap();
    let packed = packed.finish().unwrap();
    assert_eq!(Read::of(&packed).with(&table, &dms, name), whole, "as gzip");
    let Ok(rows) = &whole else { return };
    let skip = rows.len() / 2;
    let rest = Read { skip, ..Read::of(text) }.with(&table, &dms, name);
    assert_eq!(rest.as_deref(), Ok(&rows[skip..]), "from row {skip} on");
}

/// Parquet, whose types are the table's.
pub(crate) fn parquet(bytes: &[u8]) {
    let (table, dms) = (table(), S3Settings::default());
    let name = "LOAD00000001.parquet";
    let whole = Read::of(bytes).with(&table, &dms, name);
    let few = Read { batch_rows: 3, piece: 100, ..Read::of(bytes) };
    let Ok(rows) = &whole else { return };
    assert_eq!(few.with(&table, &dms, name), whole, "in small batches");
    let skip = rows.len() / 2;
    let rest = Read { skip, ..Read::of(bytes) }.with(&table, &dms, name);
    assert_eq!(rest.as_deref(), Ok(&rows[skip..]), "from row {skip} on");
}

const CONFIGURATION: &str = r#"
staging = "s3://staging"
lake = "s3://lake"
[[table]]
source = "shop.t"
keys = ["id"]
on_bad_row = "quarantine"
columns = [
  { name = "id", type = "int" },
  { name = "note", type = "text" },
  { name = "amount", type = "decimal(12,2)" },
  { name = "at", type = "datetime(6)" },
  { name = "day", type = "date" },
  { name = "token", type = "binary(16)" },
]
"#;

fn table() -> TableSpec {
    load::parse(CONFIGURATION).unwrap().tables.remove(0)
}

/// One way to read an object.
struct Read<'a> {
    bytes: &'a [u8],
    piece: usize,
    batch_rows: usize,
    skip: usize,
}

impl<'a> Read<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, piece: usize::MAX, batch_rows: 1000, skip: 0 }
    }

    /// All rows with their numbers, bad ones with their reasons; or the error's kind and sentence.
    fn with(
        &self,
        table: &TableSpec,
        dms: &S3Settings,
        name: &str,
    ) -> Result<Vec<String>, (ErrorKind, String)> {
        static RUNTIME: OnceLock<Runtime> = OnceLock::new();
        let runtime = RUNTIME.get_or_init(|| {
            tokio::runtime::Builder::new_current_thread().build().expect("a runtime")
        });
        let (read, most) = most_held(|| runtime.block_on(self.read(table, dms, name)));
        assert!(most <= MULTIPLE * BUDGET, "{most} bytes were held at once");
        read
    }

    async fn read(
        &self,
        table: &TableSpec,
        dms: &S3Settings,
        name: &str,
    ) -> Result<Vec<String>, (ErrorKind, String)> {
        let location = Path::from(format!("dms/shop/t/{name}"));
        let memory = Arc::new(InMemory::new());
        let bytes = Bytes::copy_from_slice(self.bytes);
        memory.put(&location, bytes.into()).await.unwrap();
        let meta = memory.head(&location).await.unwrap();
        let Classified::Changes(parsed) = classify(name) else { panic!("{name} is no object") };
        let object = StagedObject {
            location,
            relative: name.to_owned(),
            name: parsed,
            size: meta.size,
            e_tag: meta.e_tag,
            last_modified: meta.last_modified,
        };
        let store: Arc<dyn ObjectStore> = if self.piece == usize::MAX {
            memory
        } else {
            Arc::new(HookedStore::new(memory, Chunks { size: self.piece }))
        };
        let context = DecodeContext {
            table,
            dms,
            changes: &[],
            lake: None,
            store: &store,
            kind: StoreKind::S3,
            batch_rows: self.batch_rows,
            batch_bytes: 2 << 20,
            memory_budget: BUDGET,
        };
        let told = |error: dmslake::error::Error| {
            let kinds = [ErrorKind::MalformedObject, ErrorKind::SchemaRefused];
            assert!(kinds.contains(&error.kind()), "{}", error.chain());
            (error.kind(), error.message().to_owned())
        };
        let mut reader = open(&context, &object, self.skip as u64).await.map_err(told)?;
        let mut rows = BTreeMap::new();
        while let Some(batch) = reader.next().await.map_err(told)? {
            let options = FormatOptions::new();
            let columns: Vec<ArrayFormatter<'_>> = batch
                .changes
                .columns()
                .iter()
                .map(|column| ArrayFormatter::try_new(column, &options).unwrap())
                .collect();
            for row in 0..batch.changes.num_rows() {
                let values: Vec<String> =
                    columns.iter().map(|column| column.value(row).to_string()).collect();
                let number: u64 = values[1].parse().unwrap();
                assert_eq!(rows.insert(number, values.join("|")), None, "row {number} twice");
            }
            for bad in batch.bad_rows {
                let shown = format!("{:?} {} {}", bad.column, bad.reason, bad.content);
                assert_eq!(rows.insert(bad.row, shown), None, "row {} twice", bad.row);
            }
            // A run of NULL takes a few bytes, whatever its length.
            if rows.len() > 20_000 {
                return Err((ErrorKind::Deadline, "too many rows to compare".to_owned()));
            }
        }
        let numbers: Vec<u64> = rows.keys().copied().collect();
        let expected: Vec<u64> = (self.skip as u64 + 1..).take(numbers.len()).collect();
        assert_eq!(numbers, expected, "rows are numbered one by one");
        Ok(rows.into_values().collect())
    }
}
