//! Random histories.

use chrono::DateTime;
use dmslake::inspect::Until;
use dmslake::pipeline::{Limits, Scope, Silent, Status};
use rand::Rng;
use rand::rngs::StdRng;

use super::{Applied, applied, model, replay_equals, search, table_of, take_in};
use crate::support::dms_writer::StagedTable;
use crate::support::model::Model;
use crate::support::property;
use crate::support::table::Commit;
use crate::support::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn any_replay_makes_what_the_model_makes() {
    property::check("any_replay_makes_what_the_model_makes", 40, 3, replays).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_row_is_found_behind_which_a_count_is_reached() {
    property::check("the_row_is_found_behind_which_a_count_is_reached", 40, 3, counts).await;
}

/// Stages all objects in turn and applies some at a time; maintains the tables now and then.
async fn live(rng: &mut StdRng, world: &World) {
    let pipeline = world.pipeline();
    for table in &world.tables {
        let spec = world.spec(table);
        let mut left = 0;
        for object in &table.objects {
            world.put(table, object).await;
            if left == 0 {
                apply(world, table).await;
                left = rng.random_range(1..6);
                if rng.random_bool(0.1) {
                    pipeline.maintain(spec, &Limits::default()).await;
                }
            }
            left -= 1;
        }
        apply(world, table).await;
    }
}

async fn apply(world: &World, table: &StagedTable) {
    let (spec, limits) = (world.spec(table), Limits::default());
    let report = world.pipeline().apply(spec, &Scope::Everything, &limits, &Silent).await;
    assert_eq!(report.status, Status::Ok, "{report:?}");
}

async fn replays(mut rng: StdRng) {
    let folder = tempfile::tempdir().expect("a folder");
    let on_disk = rng.random_bool(0.3).then(|| folder.path());
    let world = World::random(&mut rng, on_disk).await;
    live(&mut rng, &world).await;
    for table in &world.tables {
        let log = table_of(&world.lake, table).log().await;
        let versions = applied(table, &log);
        let all: Applied = versions.iter().flat_map(|(_, rows)| rows.clone()).collect();
        let whole = replay_equals(&world, table, Until::Everything, &model(table, &all)).await;
        if let Some((newest, _)) = versions.last() {
            let compared = whole.compared.expect("the table has taken in the same");
            assert!(compared.equal && compared.version <= *newest, "{compared:?}");
        }
        replay_of_version(&mut rng, &world, table, &versions, &log).await;
        replay_of_object(&mut rng, &world, table).await;
    }
}

async fn replay_of_version(
    rng: &mut StdRng,
    world: &World,
    table: &StagedTable,
    versions: &[(u64, Applied)],
    log: &[Commit],
) {
    if versions.is_empty() {
        return;
    }
    let chosen = rng.random_range(0..versions.len());
    let until = |last: usize| -> Applied {
        versions[..=last].iter().flat_map(|(_, rows)| rows.clone()).collect()
    };
    let (version, _) = versions[chosen];
    let expected = model(table, &until(chosen));
    let replayed = replay_equals(world, table, Until::Version(version), &expected).await;
    assert_eq!(replayed.until_version, Some(version));
    if let Some(compared) = &replayed.compared {
        assert!(compared.equal && compared.version == version, "{compared:?}");
    } else {
        assert_eq!(replayed.version, None, "{replayed:?}");
    }

    let times: Vec<i64> = log.iter().map(time).collect();
    let at = times[chosen];
    let last = times.iter().rposition(|time| *time <= at).expect("the chosen one is");
    let time = DateTime::from_timestamp_millis(at).expect("a time");
    let replayed =
        replay_equals(world, table, Until::Time(time), &model(table, &until(last))).await;
    assert_eq!(replayed.until_version, Some(versions[last].0));
}

fn time(commit: &Commit) -> i64 {
    commit.actions("commitInfo").find_map(|info| info["timestamp"].as_i64()).expect("a time")
}

/// Up to a random row of a random change object.
async fn replay_of_object(rng: &mut StdRng, world: &World, table: &StagedTable) {
    let changes: Vec<usize> =
        (0..table.objects.len()).filter(|&at| !table.objects[at].load).collect();
    let Some(&first) = changes.first() else { return };
    let chosen = rng.random_range(first..table.objects.len());
    let object = &table.objects[chosen];
    let rows = rng.random_bool(0.7).then(|| rng.random_range(0..=object.rows.len()));
    let mut expected: Applied =
        (0..chosen).map(|at| (at, 0, table.objects[at].rows.len())).collect();
    expected.push((chosen, 0, rows.unwrap_or(object.rows.len())));
    let name = object.relative.clone();
    let until = Until::Object { name, rows: rows.map(|rows| rows as u64) };
    let replayed = replay_equals(world, table, until, &model(table, &expected)).await;
    if let Some(compared) = replayed.compared {
        assert!(compared.equal, "{compared:?}");
    }
}

async fn counts(mut rng: StdRng) {
    let folder = tempfile::tempdir().expect("a folder");
    let on_disk = rng.random_bool(0.3).then(|| folder.path());
    let world = World::random(&mut rng, on_disk).await;
    live(&mut rng, &world).await;
    let pipeline = world.pipeline();
    for table in &world.tables {
        let log = table_of(&world.lake, table).log().await;
        let steps = steps(table, &applied(table, &log));
        let last = steps.last().map_or(0, |step| step.rows);
        if last == 0 {
            continue;
        }
        let wanted = rng.random_range(1..=last);
        let name = &table.history.table;
        let sql = format!("SELECT count(*) FROM \"{name}\" HAVING count(*) >= {wanted}");
        let named = |spec: &dmslake::config::TableSpec| spec.source.table == *name;
        let position = pipeline.settings().tables.iter().position(named).expect("configured");
        let found = search(&pipeline, position, &sql).await;
        let told = (found.commit.as_ref(), found.object.as_ref(), found.row.as_ref());
        let (Some(commit), Some(object), Some(row)) = told else { panic!("{sql}: {found:?}") };
        let before = |at: usize| if at == 0 { 0 } else { steps[at - 1].rows };
        let is_it = |at: &usize| {
            let step = &steps[*at];
            step.version == commit.version
                && table.objects[step.object].relative == *object
                && step.row as u64 == row.number
        };
        let at = (0..steps.len()).find(is_it).unwrap_or_else(|| panic!("{sql}: {found:?}"));
        assert!(before(at) < wanted && steps[at].rows >= wanted, "{sql}: {found:?}");
    }
}

/// One row of an object, as it was applied.
struct Step {
    version: u64,
    object: usize,
    /// From 1 on.
    row: usize,
    /// Rows in the table after it.
    rows: usize,
}

fn steps(table: &StagedTable, versions: &[(u64, Applied)]) -> Vec<Step> {
    let mut model = Model::new(table.task.guarded);
    let mut steps = Vec::new();
    for (version, rows) in versions {
        for &(object, before, after) in rows {
            for row in before..after {
                take_in(&mut model, table, &[(object, row, row + 1)]);
                let rows = model.rows.len();
                steps.push(Step { version: *version, object, row: row + 1, rows });
            }
        }
    }
    steps
}
