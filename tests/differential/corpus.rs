//! Keeps tables, and the rows that must be read from them, for other readers.
//!
//! With `DMSLAKE_CORPUS=<folder>`, each table of these tests is copied there when its test is done:
//! `<folder>/<number>/expected.json` next to the table's folder, and `rows-<version>.jsonl` with
//! the model's rows after each merge. `tests/interop` compares the results of readers with them.
//! The texts do not depend on any reader: integers, days and microseconds since 1970 as numbers,
//! decimals with all digits of their scale, the bits of a double and bytes as hexadecimal digits.

use std::fmt::Write;
use std::path::PathBuf;

use dmslake::storage::encode_segment;
use serde_json::{Value as Json, json};

use super::world::World;
use super::{copy_folder, foreign};
use crate::support::model::{Rows, Value, hex};

/// The rows after each merge, recorded only if a corpus is requested.
pub(super) struct Trail {
    folder: Option<PathBuf>,
    rows: Vec<(u64, String)>,
    merges: Vec<Json>,
}

impl Trail {
    pub(super) fn begin() -> Self {
        let folder = std::env::var_os("DMSLAKE_CORPUS").map(PathBuf::from);
        Self { folder, rows: vec![], merges: vec![] }
    }
}

/// Records the table after the newest merge. `counts` are inserted, updated, deleted and ignored.
pub(super) fn note(world: &mut World, counts: [u64; 4]) {
    if world.trail.folder.is_none() {
        return;
    }
    let [inserted, updated, deleted, _] = counts;
    let version = world.table.version();
    world.trail.rows.push((version, lines(&world.rows)));
    world.trail.merges.push(json!({
        "version": version,
        "columns": world.width,
        "inserted": inserted,
        "updated": updated,
        "deleted": deleted,
    }));
}

/// Copies a table at the end of its test.
pub(super) fn leave(world: &World, origin: &str) {
    let Some(folder) = &world.trail.folder else { return };
    std::fs::create_dir_all(folder).unwrap();
    // Creating the folder reserves the number.
    let folder = (0..1000)
        .map(|number| folder.join(format!("{number:03}")))
        .find(|folder| std::fs::create_dir(folder).is_ok())
        .unwrap();
    let is_plain = world.rows.len().is_multiple_of(2);
    let name = encode_segment(if is_plain { "orders" } else { "order items 50% é" });
    let root = folder.join(&name);
    std::fs::create_dir(&root).unwrap();
    copy_folder(&world.root, &root);
    let newest = world.table.version();
    let columns = world.columns().iter();
    let columns: Vec<Json> = columns
        .map(|column| json!({"name": column.name, "type": column.column_type.to_string()}))
        .collect();
    let expected = json!({
        "origin": origin,
        "table": name,
        "version": newest,
        "columns": columns,
        "keys": world.shape.key_names(),
        "merges": world.trail.merges,
    });
    std::fs::write(folder.join("expected.json"), expected.to_string()).unwrap();
    let write = |version: u64, rows: &str| {
        std::fs::write(folder.join(format!("rows-{version}.jsonl")), rows).unwrap();
    };
    for (version, rows) in &world.trail.rows {
        write(*version, rows);
    }
    write(newest, &lines(&world.rows));
}

/// One row per line, with values in the table's column order.
fn lines(rows: &Rows) -> String {
    let mut lines = String::new();
    for row in rows.values() {
        let values: Vec<Option<String>> = row.iter().map(text).collect();
        writeln!(lines, "{}", json!(values)).unwrap();
    }
    lines
}

fn text(value: &Value) -> Option<String> {
    Some(match value {
        Value::Null | Value::ZeroDate => return None,
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Decimal { unscaled, scale } => foreign::decimal(*unscaled, *scale),
        Value::Double(bits) => format!("{bits:016X}"),
        Value::Text(text) => text.clone(),
        Value::Bytes(bytes) => hex(bytes),
        Value::Day(days) => days.to_string(),
        Value::Instant(microseconds) => microseconds.to_string(),
    })
}
