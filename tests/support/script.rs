//! One small table, `shop.orders`, with hand-written changes.

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::column::{Column, Kind};
use super::dms_writer::{
    Bounds, Endpoint, Scripted, StagedTable, TableTask, configuration, stage_scripted,
};
use super::history::TableHistory;
use super::model::{Op, Row, StagedRow, Value};

const KEY: usize = 0;

/// `id int`, `name varchar`, `amount decimal(15,2)`, and from epoch 1 on `note varchar`.
fn columns() -> Vec<Column> {
    let column = |name: &str, kind, from| Column {
        name: name.into(),
        lake: name.into(),
        kind,
        nullable: name != "id",
        from,
        until: usize::MAX,
    };
    vec![
        column("id", Kind::Int { bits: 32, unsigned: false }, 0),
        column("name", Kind::Varchar, 0),
        column("amount", Kind::Decimal { precision: 15, scale: 2 }, 0),
        column("note", Kind::Varchar, 1),
    ]
}

fn image(id: i32, name: &str) -> Row {
    vec![
        Value::Int(id.into()),
        Value::Text(name.into()),
        Value::Decimal { unscaled: i128::from(id) * 100, scale: 2 },
        Value::Text(format!("note on {id}")),
    ]
}

fn change(op: Op, before: Option<i32>, id: i32, name: &str) -> StagedRow {
    let before = before.map(|id| image(id, name));
    StagedRow {
        op,
        before,
        image: image(id, name),
        unset: vec![false; 4],
        bad: false,
        sequence: None,
        committed: None,
    }
}

/// `I`
pub(crate) fn insert(id: i32, name: &str) -> StagedRow {
    change(Op::Insert, None, id, name)
}

/// `U` with an unchanged key.
pub(crate) fn update(id: i32, name: &str) -> StagedRow {
    change(Op::Update, Some(id), id, name)
}

/// `U` that changes the key.
pub(crate) fn change_key(old: i32, new: i32, name: &str) -> StagedRow {
    change(Op::Update, Some(old), new, name)
}

/// `D`
pub(crate) fn delete(id: i32) -> StagedRow {
    change(Op::Delete, None, id, "")
}

/// A row that cannot be decoded.
pub(crate) fn bad(id: i32) -> StagedRow {
    StagedRow { bad: true, ..insert(id, "bad") }
}

/// The objects of `shop.orders`, in the order in which they are staged.
pub(crate) fn orders(script: Vec<Scripted>) -> StagedTable {
    let columns = columns();
    let bad_rows = script.iter().any(|object| object.rows.iter().any(|row| row.bad));
    let task = TableTask { bad_rows, ..TableTask::plain(columns.len()) };
    let history = TableHistory {
        schema: "shop".into(),
        table: "orders".into(),
        columns,
        keys: vec![KEY],
        stored_timestamp: None,
        initial: BTreeMap::new(),
        events: Vec::new(),
        during_load: 0,
        last: BTreeMap::new(),
        last_epoch: 0,
    };
    stage_scripted(&mut StdRng::seed_from_u64(1), history, &Endpoint::plain(), task, script)
}

/// The configuration of `shop.orders` with this memory budget.
pub(crate) fn orders_configuration(table: &StagedTable, memory_budget: Option<u64>) -> String {
    let bounds = Bounds { memory_budget, look_back_objects: 16 };
    let tables = std::slice::from_ref(table);
    let mut rng = StdRng::seed_from_u64(1);
    configuration(&mut rng, &Endpoint::plain(), tables, &bounds, "s3://bucket/dms", "s3://lake")
}
