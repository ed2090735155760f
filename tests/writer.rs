//! Who judges the judge: what the DMS writer stages is read back by other readers, and the model
//! of it is the source.

use std::collections::BTreeSet;
use std::io::Read;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int64Type, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, UInt64Type,
};
use bytes::Bytes;
use datafusion::arrow::csv::ReaderBuilder;
use flate2::read::MultiGzDecoder;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::support::column::Kind;
use crate::support::dms_writer::{Bounds, Endpoint, StagedTable, Written, configuration};
use crate::support::judge::check_convergence;
use crate::support::model::{Model, Op, Value, hex};
use crate::support::world::{random_table, settings, spec};

fn random(seed: u64) -> (Endpoint, StagedTable) {
    let mut rng = StdRng::seed_from_u64(seed);
    let endpoint = Endpoint::random(&mut rng);
    let table = random_table(&mut rng, &endpoint, "shop", "orders");
    (endpoint, table)
}

#[test]
fn the_model_of_all_objects_is_the_source_however_they_are_cut() {
    for seed in 0..100 {
        let (_, table) = random(seed);
        let history = &table.history;
        let rows = || {
            let objects = table.objects.iter();
            objects.flat_map(|object| object.rows.iter().map(|row| (object.epoch, row)))
        };
        let mut whole = Model::new(table.task.guarded);
        whole.apply(&history.columns, &history.keys, rows());
        let mut cut = Model::new(table.task.guarded);
        for row in rows() {
            cut.apply(&history.columns, &history.keys, [row]);
        }
        assert_eq!(whole.rows, cut.rows, "seed {seed}");
        check_convergence(&table, &whole);
    }
}

#[test]
fn the_model_counts_every_change_once() {
    for seed in 0..100 {
        let (_, table) = random(seed);
        let history = &table.history;
        let mut model = Model::new(table.task.guarded);
        for object in &table.objects {
            let before = model.rows.len() as u64;
            let slice = object.rows.iter().map(|row| (object.epoch, row));
            let counts = model.apply(&history.columns, &history.keys, slice);
            let fates = counts.inserted + counts.updated + counts.deleted + counts.superseded;
            assert_eq!(counts.rows, fates + counts.ignored + counts.quarantined, "seed {seed}");
            let after = model.rows.len() as u64;
            assert_eq!(after, before + counts.inserted - counts.deleted, "seed {seed}");
        }
    }
}

#[test]
fn names_rise_and_never_repeat() {
    for seed in 0..100 {
        let (_, table) = random(seed);
        let names: Vec<&str> = table.objects.iter().map(|object| &*object.relative).collect();
        let distinct: BTreeSet<&str> = names.iter().copied().collect();
        assert_eq!(distinct.len(), names.len(), "seed {seed}: {names:?}");
        let changes = table.objects.iter().filter(|object| !object.load);
        let stems = changes.map(|object| {
            let base = object.relative.rsplit('/').next().expect("a name");
            base.split('.').next().expect("a stem")
        });
        assert!(stems.is_sorted_by(|one, next| one < next), "seed {seed}: {names:?}");
    }
}

#[test]
fn parquet_objects_say_to_arrow_what_the_model_knows() {
    let mut compared = 0;
    for seed in 0..100 {
        let (_, table) = random(seed);
        if !table.task.csv {
            let full = table.objects.iter().filter(|object| !object.bytes.is_empty());
            compared += full.map(|object| compare_parquet(&table, object)).sum::<usize>();
        }
    }
    assert!(compared > 3_000, "only {compared} values were compared");
}

fn compare_parquet(table: &StagedTable, object: &Written) -> usize {
    let builder = ParquetRecordBatchReaderBuilder::try_new(object.bytes.clone()).expect("opens");
    let batches = builder.with_batch_size(10_000).build().expect("opens");
    let mut at = 0;
    let mut compared = 0;
    for batch in batches {
        let batch = batch.expect("reads");
        for (position, column) in table.history.columns.iter().enumerate() {
            let Some(array) = batch.column_by_name(&column.name) else {
                assert!(!column.stands_in(object.epoch) || !table.history.is_source(position));
                continue;
            };
            for index in 0..batch.num_rows() {
                let row = &object.rows[at + index];
                if row.op == Op::Delete || row.bad || !table.history.is_source(position) {
                    continue;
                }
                let value = &row.image[position];
                let as_text = array.data_type() == &DataType::Utf8
                    && matches!(value, Value::Decimal { .. } | Value::Day(_));
                if as_text {
                    continue;
                }
                assert_eq!(natural(array, index), said(value), "{}", column.name);
                compared += 1;
            }
        }
        at += batch.num_rows();
    }
    assert_eq!(at, object.rows.len(), "{}", object.relative);
    compared
}

/// A value as text, whatever form it has in a file.
fn natural(array: &ArrayRef, index: usize) -> Option<String> {
    if array.is_null(index) {
        return None;
    }
    let wide = |target| arrow::compute::cast(array, &target).expect("integers widen");
    Some(match array.data_type() {
        DataType::UInt64 => array.as_primitive::<UInt64Type>().value(index).to_string(),
        number if number.is_integer() => {
            wide(DataType::Int64).as_primitive::<Int64Type>().value(index).to_string()
        }
        DataType::Decimal128(..) => array.as_primitive::<Decimal128Type>().value(index).to_string(),
        DataType::Float32 => {
            f64::from(array.as_primitive::<Float32Type>().value(index)).to_string()
        }
        DataType::Float64 => array.as_primitive::<Float64Type>().value(index).to_string(),
        DataType::Boolean => array.as_boolean().value(index).to_string(),
        DataType::Date32 => array.as_primitive::<Date32Type>().value(index).to_string(),
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => {
            array.as_primitive::<TimestampMicrosecondType>().value(index).to_string()
        }
        DataType::Timestamp(TimeUnit::Millisecond, Some(_)) => {
            (array.as_primitive::<TimestampMillisecondType>().value(index) * 1000).to_string()
        }
        DataType::Utf8 => array.as_string::<i32>().value(index).to_owned(),
        DataType::Binary => hex(array.as_binary::<i32>().value(index)),
        other => panic!("DMS writes no {other}"),
    })
}

fn said(value: &Value) -> Option<String> {
    Some(match value {
        Value::Null | Value::ZeroDate => return None,
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Decimal { unscaled, .. } => unscaled.to_string(),
        Value::Double(bits) => f64::from_bits(*bits).to_string(),
        Value::Text(text) => text.clone(),
        Value::Bytes(bytes) => hex(bytes),
        Value::Day(days) => days.to_string(),
        Value::Instant(micros) => micros.to_string(),
    })
}

#[test]
fn csv_objects_say_to_arrow_what_the_model_knows() {
    let mut compared = 0;
    for seed in 0..100 {
        let (endpoint, table) = random(seed);
        let simple = endpoint.rfc_4180
            && endpoint.delimiter.len() == 1
            && matches!(&*endpoint.row_delimiter, "\n" | "\r\n" | "\u{2}");
        if table.task.csv && simple {
            let objects = table.objects.iter();
            compared += objects.map(|object| compare_csv(&endpoint, &table, object)).sum::<usize>();
        }
    }
    assert!(compared > 1_000, "only {compared} values were compared");
}

fn compare_csv(endpoint: &Endpoint, table: &StagedTable, object: &Written) -> usize {
    let history = &table.history;
    let content = plain(&object.bytes);
    let source: Vec<usize> = (0..history.columns.len())
        .filter(|&at| history.is_source(at) && history.columns[at].stands_in(object.epoch))
        .collect();
    let op = if object.load { endpoint.op_in_load } else { endpoint.op_in_cdc };
    let first = usize::from(op) + usize::from(endpoint.timestamp.is_some());
    let before = source.iter().filter(|&&at| table.task.has_before(history, at)).count();
    let width = first
        + source.len()
        + if endpoint.before_prefix.is_some() { before } else { 0 }
        + usize::from(endpoint.sequence.is_some());
    let field = |at| arrow::datatypes::Field::new(format!("f{at}"), DataType::Utf8, true);
    let schema = arrow::datatypes::Schema::new((0..width).map(field).collect::<Vec<_>>());
    let mut reader = ReaderBuilder::new(Arc::new(schema))
        .with_header(endpoint.header)
        .with_delimiter(endpoint.delimiter.as_bytes()[0])
        .with_batch_size(10_000);
    if endpoint.row_delimiter == "\u{2}" {
        reader = reader.with_terminator(2);
    }
    let mut compared = 0;
    let mut at = 0;
    for batch in reader.build(content.as_slice()).expect("opens") {
        let batch = batch.expect("every row has every field");
        for index in 0..batch.num_rows() {
            let row = &object.rows[at + index];
            for (place, &position) in source.iter().enumerate() {
                let kind = history.columns[position].kind;
                let plain =
                    matches!(kind, Kind::Varchar | Kind::Text | Kind::Json | Kind::Int { .. });
                if !plain || row.op == Op::Delete || row.bad {
                    continue;
                }
                let array = batch.column(first + place);
                let field = natural(array, index).unwrap_or_default();
                let expected = if row.unset[position] {
                    endpoint.no_sup.clone()
                } else {
                    said(&row.image[position])
                };
                assert_eq!(field, expected.unwrap_or_else(|| endpoint.null.clone()));
                compared += 1;
            }
        }
        at += batch.num_rows();
    }
    assert_eq!(at, object.rows.len(), "{}", object.relative);
    compared
}

fn plain(bytes: &Bytes) -> Vec<u8> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return bytes.to_vec();
    }
    let mut content = Vec::new();
    MultiGzDecoder::new(bytes.as_ref()).read_to_end(&mut content).expect("unpacks");
    content
}

#[test]
fn every_generated_configuration_is_accepted() {
    for seed in 0..100 {
        let mut rng = StdRng::seed_from_u64(seed);
        let endpoint = Endpoint::random(&mut rng);
        let table = random_table(&mut rng, &endpoint, "shop", "orders");
        let bounds = Bounds { memory_budget: Some(64 << 10), look_back_objects: 4 };
        let tables = std::slice::from_ref(&table);
        let text = configuration(&mut rng, &endpoint, tables, &bounds, "s3://b/dms", "s3://lake");
        let settings = settings(&text);
        assert_eq!(spec(&settings, &table).keys.len(), table.history.keys.len());
        let dms = &settings.dms;
        assert_eq!(dms.csv_delimiter, endpoint.delimiter);
        assert_eq!(dms.csv_row_delimiter, endpoint.row_delimiter);
        assert_eq!(dms.csv_null_value, endpoint.null);
        assert_eq!(dms.csv_no_sup_value, endpoint.no_sup);
        assert_eq!(dms.change_seq_column, endpoint.sequence);
        assert_eq!(dms.timestamp_column_name, endpoint.timestamp);
        assert_eq!(dms.before_image_prefix, endpoint.before_prefix);
    }
}
