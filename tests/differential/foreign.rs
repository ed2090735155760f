//! Data files as other writers write them.

use std::path::Path;
use std::sync::Arc;

use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use chrono::{DateTime, Duration, NaiveDate};
use deltalake::kernel::Add;
use dmslake::clock::{Clock, SystemClock};
use dmslake::schema::Column;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};

use super::rows;
use crate::support::model::{Row, Value};

/// Writes rows as one file in a table's folder, in a random style: names, column order, row groups,
/// pages, indexes, encodings, text types, and log entry.
pub(super) fn write(
    rng: &mut StdRng,
    folder: &Path,
    columns: &[Column],
    keys: &[usize],
    values: &[Row],
) -> Add {
    let batch = foreign_batch(rng, columns, keys, values);
    let options = ArrowWriterOptions::new()
        .with_properties(properties(rng, values.len()))
        .with_skip_arrow_metadata(rng.random());
    let mut writer =
        ArrowWriter::try_new_with_options(Vec::new(), batch.schema(), options).unwrap();
    writer.write(&batch).unwrap();
    let bytes = writer.into_inner().unwrap();
    let statistics = statistics(rng, columns, keys, values);
    put(rng, folder, &bytes, statistics)
}

/// Puts a file into a table's folder, possibly under a name that needs escaping.
pub(super) fn put(rng: &mut StdRng, folder: &Path, bytes: &[u8], statistics: String) -> Add {
    let number: u64 = rng.random();
    let name = match rng.random_range(0..4) {
        0 => format!("a b/50% é {number}.parquet"),
        1 => format!("%20=x+y&{number}.parquet"),
        _ => format!("part-00000-{number:016x}-c000.snappy.parquet"),
    };
    let stands_at = folder.join(&name);
    std::fs::create_dir_all(stands_at.parent().unwrap()).unwrap();
    std::fs::write(stands_at, bytes).unwrap();
    Add {
        path: name,
        size: i64::try_from(bytes.len()).unwrap(),
        modification_time: SystemClock.now().timestamp_millis(),
        data_change: true,
        stats: Some(statistics),
        ..Add::default()
    }
}

fn properties(rng: &mut StdRng, rows: usize) -> WriterProperties {
    let group = *[1 << 20, rows.div_ceil(3).max(1), 5].choose(rng).unwrap();
    // Only small files get small row groups.
    let group = if rows > 200 { group.max(1000) } else { group };
    let compressions =
        [Compression::SNAPPY, Compression::UNCOMPRESSED, Compression::ZSTD(ZstdLevel::default())];
    let statistics = [EnabledStatistics::None, EnabledStatistics::Chunk, EnabledStatistics::Page];
    let version =
        if rng.random() { WriterVersion::PARQUET_1_0 } else { WriterVersion::PARQUET_2_0 };
    WriterProperties::builder()
        .set_max_row_group_row_count(Some(group))
        .set_data_page_row_count_limit(*[3, 100, 20_000].choose(rng).unwrap())
        .set_write_batch_size(*[1, 64, 1024].choose(rng).unwrap())
        .set_dictionary_enabled(rng.random())
        .set_dictionary_page_size_limit(*[50, 1 << 20].choose(rng).unwrap())
        .set_compression(*compressions.choose(rng).unwrap())
        .set_statistics_enabled(*statistics.choose(rng).unwrap())
        .set_statistics_truncate_length(*[None, Some(1), Some(64)].choose(rng).unwrap())
        .set_column_index_truncate_length(*[None, Some(1), Some(64)].choose(rng).unwrap())
        .set_offset_index_disabled(rng.random_bool(0.3))
        .set_bloom_filter_enabled(rng.random_bool(0.2))
        .set_writer_version(version)
        .build()
}

/// The rows with columns in random order, some all-NULL columns left out, keys required or not, and
/// texts and bytes with wide offsets or not.
fn foreign_batch(
    rng: &mut StdRng,
    columns: &[Column],
    keys: &[usize],
    values: &[Row],
) -> RecordBatch {
    let batch = rows::batch(columns, &values.iter().collect::<Vec<_>>());
    let (wide, required) = (rng.random_bool(0.3), rng.random_bool(0.3));
    let mut order: Vec<usize> = (0..columns.len()).collect();
    if rng.random_bool(0.3) {
        order.shuffle(rng);
    }
    order.retain(|&at| {
        keys.contains(&at) || batch.column(at).null_count() < values.len() || rng.random()
    });
    let (fields, arrays): (Vec<Field>, Vec<_>) = order
        .into_iter()
        .map(|at| {
            let array = batch.column(at);
            let data_type = match array.data_type() {
                DataType::Utf8 if wide => DataType::LargeUtf8,
                DataType::Binary if wide => DataType::LargeBinary,
                other => other.clone(),
            };
            let nullable = !(required && keys.contains(&at) && array.null_count() == 0);
            let array = cast(array, &data_type).unwrap();
            (Field::new(&columns[at].name, data_type, nullable), array)
        })
        .unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
}

/// Statistics as Spark writes them: exact, but with texts truncated to 32 characters and timestamps
/// to milliseconds. Or only the record count, or no key statistics.
pub(super) fn statistics(
    rng: &mut StdRng,
    columns: &[Column],
    keys: &[usize],
    values: &[Row],
) -> String {
    let (all, keys_too) = (rng.random_bool(0.7), rng.random_bool(0.8));
    let told: Vec<usize> =
        (0..columns.len()).filter(|at| all && (keys_too || !keys.contains(at))).collect();
    let object = |render: &dyn Fn(usize) -> Option<String>| {
        let members = told.iter().filter_map(|&at| {
            Some(format!("{}:{}", serde_json::to_string(&columns[at].name).unwrap(), render(at)?))
        });
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    };
    let present = |at: usize| values.iter().map(move |row| &row[at]).filter(|v| **v != Value::Null);
    let least = object(&|at| bound(present(at).min_by(|a, b| order(a, b))?, false));
    let most = object(&|at| bound(present(at).max_by(|a, b| order(a, b))?, true));
    let nulls = object(&|at| Some((values.len() - present(at).count()).to_string()));
    let count = values.len();
    if told.is_empty() {
        return format!("{{\"numRecords\":{count}}}");
    }
    format!(
        "{{\"numRecords\":{count},\"minValues\":{least},\"maxValues\":{most},\"nullCount\":{nulls}}}"
    )
}

/// The real order of values; the model orders doubles by their bits.
fn order(a: &Value, b: &Value) -> std::cmp::Ordering {
    match (a, b) {
        (Value::Double(a), Value::Double(b)) => {
            f64::from_bits(*a).partial_cmp(&f64::from_bits(*b)).unwrap()
        }
        _ => a.cmp(b),
    }
}

fn bound(value: &Value, upper: bool) -> Option<String> {
    const KEPT: usize = 32;
    Some(match value {
        Value::Int(value) => value.to_string(),
        Value::Decimal { unscaled, scale } => decimal(*unscaled, *scale),
        Value::Double(bits) => serde_json::to_string(&f64::from_bits(*bits)).unwrap(),
        Value::Text(text) => {
            let mut kept: String = text.chars().take(KEPT).collect();
            let mut rest = text.chars().skip(KEPT);
            // The tie-breaker must be greater than anything that is cut off.
            while upper && kept.len() < text.len() {
                kept.push('\u{10FFFF}');
                if rest.next() != Some('\u{10FFFF}') {
                    break;
                }
            }
            serde_json::to_string(&kept).unwrap()
        }
        Value::Day(day) => {
            format!("\"{}\"", NaiveDate::default() + Duration::days(i64::from(*day)))
        }
        Value::Instant(instant) => {
            let instant = DateTime::from_timestamp_micros(*instant).unwrap();
            format!("\"{}\"", instant.format("%Y-%m-%dT%H:%M:%S%.3fZ"))
        }
        Value::Bool(_) | Value::Bytes(_) | Value::Null | Value::ZeroDate => return None,
    })
}

/// All digits, with as many decimal places as the scale.
pub(super) fn decimal(unscaled: i128, scale: u8) -> String {
    let sign = if unscaled < 0 { "-" } else { "" };
    let scale = usize::from(scale);
    let digits = format!("{:0width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}
