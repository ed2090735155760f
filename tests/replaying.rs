//! What is staged, applied again: up to any object, row, version or time it makes what the model
//! makes of the same rows, and what the table itself was; and the change is found after which a
//! check fails.

mod bisecting;
mod histories;
mod shops;

use std::collections::BTreeMap;

use dmslake::inspect::{Bisected, Check, Replayed, Until, bisect, replay};
use dmslake::pipeline::{Limits, Pipeline, Silent};
use dmslake::storage::Location;

use crate::support::dms_writer::StagedTable;
use crate::support::model::{Model, Rows, differences};
use crate::support::table::{Commit, LakeTable};
use crate::support::world::{World, on_disk, spec};

/// Rows of objects in the order in which they were applied: the object's position, and its rows
/// before and after.
type Applied = Vec<(usize, usize, usize)>;

/// What the commits of a log took in, by version.
fn applied(table: &StagedTable, log: &[Commit]) -> Vec<(u64, Applied)> {
    let mut done: BTreeMap<usize, usize> = BTreeMap::new();
    let mut of_version = |commit: &Commit| {
        let entry = commit.entry();
        let objects = entry.iter().flat_map(|entry| &entry.objects);
        let portion = |object: &crate::support::table::AppliedObject| {
            let named = |it: &crate::support::dms_writer::Written| it.relative == object.key;
            let position = table.objects.iter().position(named).expect("it was staged");
            let before = done.get(&position).copied().unwrap_or(0);
            let after = object.done.unwrap_or(table.objects[position].rows.len());
            done.insert(position, after);
            (position, before, after)
        };
        (commit.version, objects.map(portion).collect())
    };
    log.iter().map(&mut of_version).collect()
}

/// The model after these rows.
fn model(table: &StagedTable, rows: &[(usize, usize, usize)]) -> Rows {
    let mut model = Model::new(table.task.guarded);
    take_in(&mut model, table, rows);
    model.rows
}

fn take_in(model: &mut Model, table: &StagedTable, rows: &[(usize, usize, usize)]) {
    let history = &table.history;
    for &(position, before, after) in rows {
        let object = &table.objects[position];
        let rows = object.rows[before..after].iter().map(|row| (object.epoch, row));
        model.apply(&history.columns, &history.keys, rows);
    }
}

/// The folders of a table in a lake: a percent sign is encoded there.
fn table_of(lake: &Location, table: &StagedTable) -> LakeTable {
    let (schema, name) = (&table.history.schema, &table.history.table);
    LakeTable::at(lake, &[&schema.replace('%', "~25"), &name.replace('%', "~25")])
}

/// A replay into a folder, whose rows are those expected.
async fn replay_equals(
    world: &World,
    table: &StagedTable,
    until: Until,
    expected: &Rows,
) -> Replayed {
    let folder = tempfile::tempdir().expect("a folder");
    let into = on_disk(folder.path()).await;
    let (pipeline, limits) = (world.pipeline(), Limits::default());
    let spec = spec(&world.settings, table);
    let replayed = replay(&pipeline, spec, &into, &until, &limits, &Silent).await;
    let replayed = replayed.unwrap_or_else(|error| panic!("{until:?}: {}", error.chain()));
    assert!(replayed.done, "{until:?}: {replayed:?}");
    let history = &table.history;
    let found = match replayed.version {
        None => Rows::new(),
        Some(version) => {
            table_of(&into, table).rows(version, &history.columns, &history.keys).await
        }
    };
    if let Some(difference) = differences(&history.columns, expected, &found) {
        panic!("{until:?} of {}.{}:\n{difference}", history.schema, history.table);
    }
    assert_eq!(replayed.rows, expected.len() as u64, "{until:?}: {replayed:?}");
    replayed
}

/// A search in a table.
async fn search(pipeline: &Pipeline, table: usize, sql: &str) -> Bisected {
    let spec = &pipeline.settings().tables[table];
    let (check, limits) = (Check::new(sql), Limits::default());
    let found = bisect(pipeline, spec, &check, &limits, &|_| {}).await;
    found.unwrap_or_else(|error| panic!("{sql}: {}", error.chain()))
}
