//! The batches of changes, made once for each table and kept beside it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, new_null_array};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::{DataType, Field, Schema};
use dmslake::change::NetChanges;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::merge::orders::{self, Key, random};
use crate::merge::target::Target;

/// Of a hundred changes so many insert a row and so many delete one; the rest update one.
const INSERTS: u64 = 9;
const DELETES: u64 = 5;
/// The share of the table that is recent.
const RECENT: u64 = 100;
/// The places at which clustered changes stand.
const CLUSTERS: u64 = 10;
/// The column that tells upserts (`U`) from deletes (`D`).
const OP: &str = "op";

/// Where in the table the changed rows stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spread {
    /// Anywhere.
    Random,
    /// Among the newest hundredth.
    Recent,
    /// Side by side at ten places.
    Clustered,
}

impl Spread {
    pub(crate) const ALL: [Self; 3] = [Self::Random, Self::Recent, Self::Clustered];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Recent => "recent",
            Self::Clustered => "clustered",
        }
    }

    /// Rows to change, each once, in no order.
    fn rows(self, count: u64, existing: u64) -> Vec<u64> {
        let count = count.min(existing);
        let recent = (existing / RECENT).max(count);
        let each = (count / CLUSTERS).max(1);
        let room = existing / CLUSTERS;
        let row = |draw: u64| match self {
            Self::Random => random(draw, 200) % existing,
            Self::Recent => existing - 1 - random(draw, 201) % recent,
            Self::Clustered => {
                let cluster = draw / each % CLUSTERS;
                let first = cluster * room + random(cluster, 202) % (room - each.min(room - 1));
                (first + draw % each + draw / each / CLUSTERS * each) % existing
            }
        };
        let mut seen = BTreeSet::new();
        let mut rows: Vec<u64> = Vec::new();
        let mut draw = 0;
        while (rows.len() as u64) < count {
            if seen.insert(row(draw)) {
                rows.push(row(draw));
            }
            draw += 1;
        }
        rows.sort_by_key(|row| random(*row, 203));
        rows
    }
}

/// A batch of net changes in a Parquet file: `op` and the columns of the table, of deletes only
/// the keys.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub(crate) path: PathBuf,
    /// What each contestant must count: inserted, updated, deleted.
    pub(crate) fates: [u64; 3],
    /// The data files that hold changed rows.
    pub(crate) touched: BTreeSet<String>,
}

impl Batch {
    /// Makes the batch, or finds it.
    pub(crate) fn ready(target: &Target, changes: u64, spread: Spread) -> Self {
        let [inserted, deleted] = [INSERTS, DELETES].map(|share| changes * share / 100);
        let rows = spread.rows(changes - inserted, target.rows);
        let touched = rows.iter().map(|row| target.file_of(*row).to_owned()).collect();
        let path = target.folder().join(format!("batch-{changes}-{}.parquet", spread.name()));
        if !path.exists() {
            let (removed, updated) = rows.split_at(usize::try_from(deleted).expect("few"));
            let fresh = target.rows..target.rows + inserted;
            let upserts: Vec<u64> = updated.iter().copied().chain(fresh).collect();
            write(&path, target.key, &upserts, removed);
        }
        Self { path, fates: [inserted, changes - inserted - deleted, deleted], touched }
    }
}

fn write(path: &Path, key: Key, upserts: &[u64], deletes: &[u64]) {
    let upserts = orders::images(key, upserts, 1);
    let deletes = orders::keys(key, deletes);
    let mut fields = vec![Arc::new(Field::new(OP, DataType::Utf8, false))];
    fields.extend(upserts.schema().fields().iter().cloned());
    let schema = Arc::new(Schema::new(fields));
    let marked = |op: &str, rows: &RecordBatch| {
        let mut columns: Vec<ArrayRef> =
            vec![Arc::new(StringArray::from(vec![op; rows.num_rows()]))];
        columns.extend(schema.fields().iter().skip(1).map(|field| {
            rows.column_by_name(field.name())
                .cloned()
                .unwrap_or_else(|| new_null_array(field.data_type(), rows.num_rows()))
        }));
        RecordBatch::try_new(Arc::clone(&schema), columns).expect("as the schema says")
    };
    let unfinished = path.with_extension("part");
    let file = File::create(&unfinished).expect("a file");
    let mut writer = ArrowWriter::try_new(file, Arc::clone(&schema), None).expect("a writer");
    for batch in [marked("U", &upserts), marked("D", &deletes)] {
        writer.write(&batch).expect("written");
    }
    writer.close().expect("written");
    fs::rename(unfinished, path).expect("renamed");
}

/// The net changes of a batch.
pub(crate) fn read(path: &Path, key: Key) -> NetChanges {
    let file = File::open(path).expect("a batch");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("a footer");
    let schema = Arc::clone(reader.schema());
    let batches: Vec<RecordBatch> =
        reader.build().expect("a reader").collect::<Result<_, _>>().expect("rows");
    let rows = concat_batches(&schema, &batches).expect("one schema");
    let ops = rows.column(0);
    let columns = orders::schema(key).arrow();
    let of = |op: &str, count: usize| {
        let is_op = arrow::compute::kernels::cmp::eq(ops, &StringArray::new_scalar(op));
        let found = filter_record_batch(&rows, &is_op.expect("texts")).expect("rows");
        let arrays = found.columns()[1..=count].to_vec();
        let fields = columns.fields()[..count].to_vec();
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays);
        Some(batch.expect("the table's columns")).filter(|batch| batch.num_rows() > 0)
    };
    let upserts: Vec<RecordBatch> = of("U", columns.fields().len()).into_iter().collect();
    let deletes: Vec<RecordBatch> = of("D", key.names().len()).into_iter().collect();
    let changes = rows.num_rows() as u64;
    NetChanges { upserts, deletes, changes, ..NetChanges::default() }
}
