//! The judge condemns: a table written by a naive hand passes when it is right and fails for
//! each way of being wrong.

use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array, Int32Array, StringArray};
use arrow::record_batch::RecordBatch;
use deltalake::kernel::Transaction;
use deltalake::kernel::transaction::CommitProperties;
use deltalake::protocol::SaveMode;
use deltalake::{DeltaTable, DeltaTableBuilder};
use dmslake::storage::{Location, StoreKind};
use serde_json::json;

use crate::support::dms_writer::{Scripted, StagedTable};
use crate::support::hooked_store::{Faults, HookedStore};
use crate::support::judge::Judge;
use crate::support::model::{Model, Row, Rows, Value};
use crate::support::script::{change_key, delete, insert, orders, update};
use crate::support::world::in_memory;

/// How the naive hand goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slip {
    None,
    LosesARow,
    ChangesAValue,
    AppliesTwice,
    SkipsAnObject,
    SwapsObjects,
    ForgetsTheTransaction,
    RepeatsTheAttempt,
}

#[tokio::test]
async fn a_right_table_passes() {
    assert_eq!(judged(Slip::None).await, Ok(()));
}

#[tokio::test]
async fn every_slip_is_found() {
    for slip in [
        Slip::LosesARow,
        Slip::ChangesAValue,
        Slip::AppliesTwice,
        Slip::SkipsAnObject,
        Slip::SwapsObjects,
        Slip::ForgetsTheTransaction,
        Slip::RepeatsTheAttempt,
    ] {
        assert!(judged(slip).await.is_err(), "{slip:?} passes");
    }
}

#[tokio::test]
async fn writes_of_a_table_are_counted() {
    let lake = in_memory("memory:///lake", StoreKind::File);
    let counting = HookedStore::new(Arc::clone(lake.store()), Faults::new(None));
    let lake = lake.map_store(|_| Arc::new(counting.clone()));
    write(&shop(), &lake, Slip::None).await;
    // Each of four commits is a data file and an entry of the log.
    assert_eq!(counting.hooks().writes(), 8);
}

fn shop() -> StagedTable {
    let object = |name: &str, rows| Scripted {
        relative: format!("{name}.csv"),
        load: name.starts_with('L'),
        epoch: 0,
        rows,
    };
    orders(vec![
        object("LOAD00000001", vec![insert(1, "a"), insert(2, "b")]),
        object("20240305-101100000", vec![update(1, "c"), insert(3, "d")]),
        object("20240305-101100001", vec![change_key(1, 4, "e"), delete(2)]),
        object("20240305-101100002", vec![delete(4), update(3, "f")]),
    ])
}

/// Whether the judge accepts what the hand wrote.
async fn judged(slip: Slip) -> Result<(), String> {
    let judged = tokio::spawn(async move {
        let table = shop();
        let staging = in_memory("memory:///bucket/dms", StoreKind::S3);
        let lake = in_memory("memory:///lake", StoreKind::File);
        write(&table, &lake, slip).await;
        let mut judge = Judge::new(&table, &staging, &lake);
        judge.audit(&table).await;
        judge.check_complete(&table).await;
    });
    judged.await.map_err(|panic| panic.to_string())
}

/// Writes the whole table anew for each object.
async fn write(table: &StagedTable, lake: &Location, slip: Slip) {
    let folder = lake.folder(&["shop", "orders"]).expect("a folder");
    let mut order = vec![0, 1, 2, 3];
    match slip {
        Slip::AppliesTwice => order.insert(2, 1),
        Slip::SkipsAnObject => order.truncate(3),
        Slip::SwapsObjects => order.swap(1, 2),
        _ => {}
    }
    let mut model = Model::default();
    for (commit, position) in order.into_iter().enumerate() {
        let object = &table.objects[position];
        let history = &table.history;
        model.apply(&history.columns, &history.keys, object.rows.iter().map(|row| (0, row)));
        let mut rows = model.rows.clone();
        match slip {
            Slip::LosesARow if commit == 1 => {
                rows.pop_first();
            }
            Slip::ChangesAValue if commit == 1 => {
                rows.first_entry().expect("rows").get_mut()[1] = Value::Text("x".into());
            }
            _ => {}
        }
        let attempt = if slip == Slip::RepeatsTheAttempt { 0 } else { commit };
        let key = format!("bucket/dms/shop/orders/{}", object.relative);
        let entry = json!({"attempt": attempt.to_string(), "objects": {"key": [key], "rows": [2]}});
        let mut properties = CommitProperties::default().with_metadata([("dmslake".into(), entry)]);
        if slip != Slip::ForgetsTheTransaction || commit != 2 {
            let version = i64::try_from(commit).expect("few");
            properties = properties.with_application_transaction(Transaction::new("t", version));
        }
        let rewritten = open(&folder, commit > 0)
            .await
            .write([batch(&rows)])
            .with_save_mode(SaveMode::Overwrite)
            .with_commit_properties(properties);
        rewritten.await.expect("the table is written");
    }
}

async fn open(folder: &Location, exists: bool) -> DeltaTable {
    let builder = DeltaTableBuilder::from_url(folder.url().clone())
        .expect("a URL of a table")
        .with_storage_backend(Arc::clone(folder.store()), folder.url().clone());
    if exists { builder.load().await.expect("opens") } else { builder.build().expect("opens") }
}

fn batch(rows: &Rows) -> RecordBatch {
    let int = |row: &Row| match &row[0] {
        Value::Int(id) => i32::try_from(*id).expect("small"),
        other => panic!("{other:?} is no id"),
    };
    let text = |row: &Row| match &row[1] {
        Value::Text(text) => text.clone(),
        other => panic!("{other:?} is no text"),
    };
    let amount = |row: &Row| match &row[2] {
        Value::Decimal { unscaled, .. } => *unscaled,
        other => panic!("{other:?} is no amount"),
    };
    let ids: ArrayRef = Arc::new(Int32Array::from_iter_values(rows.values().map(int)));
    let names: ArrayRef = Arc::new(StringArray::from_iter_values(rows.values().map(text)));
    let amounts = Decimal128Array::from_iter_values(rows.values().map(amount));
    let amounts = amounts.with_precision_and_scale(15, 2).expect("a legal decimal");
    let columns = [("id", ids), ("name", names), ("amount", Arc::new(amounts))];
    let nullable = columns.map(|(name, array)| (name, array, true));
    RecordBatch::try_from_iter_with_nullable(nullable).expect("columns of one length")
}
