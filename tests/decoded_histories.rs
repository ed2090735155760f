//! The decoder reads what the DMS writer meant, object by object: random histories under random
//! settings, every value of every row.

use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::{UInt8Type, UInt64Type};
use arrow::record_batch::RecordBatch;
use dmslake::decode::{BEFORE, DecodeContext, OPERATION, ROW, UNSET, open};
use dmslake::dms::{Classified, classify};
use dmslake::schema::TableSchema;
use dmslake::staging::StagedObject;
use dmslake::storage::StoreKind;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use crate::support::dms_writer::{Bounds, Endpoint, StagedTable, Written, configuration};
use crate::support::model::{Op, StagedRow, Value};
use crate::support::property;
use crate::support::table::value;
use crate::support::world::{random_table, settings, spec};

#[tokio::test]
async fn every_object_is_decoded_as_it_was_meant() {
    property::check("every_object_is_decoded_as_it_was_meant", 10, 20, decode).await;
}

async fn decode(mut rng: StdRng) {
    let endpoint = Endpoint::random(&mut rng);
    let staged = random_table(&mut rng, &endpoint, "shop", "orders");
    let bounds = Bounds { memory_budget: None, look_back_objects: 4 };
    let tables = std::slice::from_ref(&staged);
    let text = configuration(&mut rng, &endpoint, tables, &bounds, "s3://b/dms", "s3://lake");
    let settings = settings(&text);
    let table = spec(&settings, &staged);
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let mut lake = Vec::new();
    for object in &staged.objects {
        let listed = put(&store, object).await;
        let skipped = rng.random_range(0..=object.rows.len() / 4);
        let schema = TableSchema::new(lake.clone());
        let context = DecodeContext {
            table,
            dms: &settings.dms,
            changes: &[],
            lake: Some(&schema).filter(|_| !lake.is_empty()),
            store: &store,
            kind: StoreKind::S3,
            batch_rows: *[1, 3, 8192].choose(&mut rng).expect("a choice"),
            batch_bytes: *[1, 1000, 16 << 20].choose(&mut rng).expect("a choice"),
            memory_budget: 512 << 20,
        };
        let reader = open(&context, &listed, skipped as u64).await;
        let mut reader = reader.unwrap_or_else(|error| panic!("{}\n{text}", error.chain()));
        let mut seen = vec![false; object.rows.len()];
        seen[..skipped].fill(true);
        loop {
            let next = reader.next().await;
            let next = next.unwrap_or_else(|error| panic!("{}\n{text}", error.chain()));
            let Some(batch) = next else { break };
            for bad in &batch.bad_rows {
                let at = usize::try_from(bad.row).expect("small") - 1;
                let reason = (&object.relative, bad.row, &bad.column, &bad.reason);
                assert!(object.rows[at].bad, "{reason:?}: {:?}\n{text}", object.rows[at]);
                assert!(!std::mem::replace(&mut seen[at], true), "{reason:?} twice");
            }
            for index in 0..batch.changes.num_rows() {
                let row = batch.changes[ROW].as_primitive::<UInt64Type>().value(index);
                let at = usize::try_from(row).expect("small") - 1;
                assert!(!std::mem::replace(&mut seen[at], true), "row {row} twice");
                let found = Found { batch: &batch.changes, index };
                if let Some(fault) = found.fault(&staged, &endpoint, object, &object.rows[at]) {
                    panic!("{} row {row}: {fault}\n{text}", object.relative);
                }
            }
        }
        assert!(seen.iter().all(|&seen| seen), "{}: rows are missing", object.relative);
        for column in reader.columns() {
            if !lake.iter().any(|known: &dmslake::schema::Column| known.name == column.name) {
                lake.push(column.clone());
            }
        }
    }
}

async fn put(store: &Arc<dyn ObjectStore>, object: &Written) -> StagedObject {
    let location = Path::parse(format!("dms/shop/orders/{}", object.relative)).expect("a key");
    store.put(&location, object.bytes.clone().into()).await.expect("stages");
    let meta = store.head(&location).await.expect("is there");
    let Classified::Changes(name) = classify(&object.relative) else {
        panic!("{} is no object of changes", object.relative)
    };
    StagedObject {
        location,
        relative: object.relative.clone(),
        name,
        size: meta.size,
        e_tag: meta.e_tag,
        last_modified: meta.last_modified,
    }
}

/// A decoded row.
struct Found<'a> {
    batch: &'a RecordBatch,
    index: usize,
}

impl Found<'_> {
    fn value(&self, column: &str) -> Option<Value> {
        self.batch.column_by_name(column).map(|array| value(array, self.index))
    }

    /// How it differs from what was meant.
    fn fault(
        &self,
        staged: &StagedTable,
        endpoint: &Endpoint,
        object: &Written,
        meant: &StagedRow,
    ) -> Option<String> {
        let history = &staged.history;
        if meant.bad {
            return Some("a bad row passes".into());
        }
        let with_op = if object.load { endpoint.op_in_load } else { endpoint.op_in_cdc };
        let operation = match meant.op {
            Op::Update if with_op => 1,
            Op::Insert | Op::Update => 0,
            Op::Delete => 2,
        };
        let found = self.batch[OPERATION].as_primitive::<UInt8Type>().value(self.index);
        if found != operation {
            return Some(format!("operation {found}, not {operation}"));
        }
        for (position, column) in history.columns.iter().enumerate() {
            if !column.stands_in(object.epoch) {
                continue;
            }
            let key = history.keys.contains(&position);
            if meant.op == Op::Delete && !key {
                continue;
            }
            let unset = self.value(&format!("{UNSET}{}", column.lake)) == Some(Value::Bool(true));
            if unset != meant.unset[position] {
                return Some(format!("{} is unset: {unset}", column.lake));
            }
            let expected = match &meant.image[position] {
                Value::ZeroDate => Value::Null,
                _ if unset => Value::Null,
                other => other.clone(),
            };
            let found = self.value(&column.lake);
            if found.as_ref() != Some(&expected) {
                return Some(format!("{}: {found:?}, not {expected:?}", column.lake));
            }
            let before = self.value(&format!("{BEFORE}{}", column.lake));
            let meant_before = meant.before.as_ref().filter(|_| key && with_op);
            if let Some(before_image) = meant_before
                && before.as_ref() != Some(&before_image[position])
            {
                return Some(format!("before {}: {before:?}", column.lake));
            }
        }
        None
    }
}
