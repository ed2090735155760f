//! Tests the checks themselves: they accept a correct commit and find each kind of error.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use dmslake::merge;
use dmslake::progress::CommitRecord;
use dmslake::schema::{ColumnType, TableSchema};
use dmslake::table::LakeTable;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use super::batches::Changes;
use super::world::World;
use super::{foreign, rows, shape};
use crate::support::model::{Key, Row, Value};
use crate::support::statistics::{self, Strictness};
use crate::support::{audit, lake};

fn is_condemned(check: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(check)).is_err()
}

#[test]
fn statistics_that_lie_are_condemned() {
    let folder = TempDir::new().unwrap();
    let shape = shape(&[ColumnType::Long, ColumnType::String, ColumnType::Double], vec![0]);
    let row = |id: i128, text: &str, double: f64| -> Row {
        vec![Value::Int(id), Value::Text(text.into()), Value::double(double)]
    };
    let mut made = vec![row(1, "b", 0.5), row(2, "é", -1.0), row(3, "c", 2.5)];
    made.push(vec![Value::Int(4), Value::Null, Value::Null]);
    let rng = &mut StdRng::seed_from_u64(1);
    let add = foreign::write(rng, folder.path(), &shape.columns, &shape.keys, &made);
    let file = folder.path().join(&add.path);
    let schema = TableSchema::new(shape.columns);
    let truth = json!({
        "numRecords": 4,
        "minValues": {"c0": 1, "c1": "b", "c2": -1.0},
        "maxValues": {"c0": 4, "c1": "é", "c2": 2.5},
        "nullCount": {"c0": 0, "c1": 1, "c2": 1},
    });
    let check = |told: &Json| {
        statistics::check(&file, &told.to_string(), &schema, Strictness::Everything);
    };
    check(&truth);
    let lies = [
        ("/numRecords", json!(3)),
        ("/minValues/c0", json!(2)),
        ("/minValues/c0", json!(0)),
        ("/minValues/c1", json!("ba")),
        ("/minValues/c2", json!(-0.5)),
        ("/maxValues/c0", json!(3)),
        ("/maxValues/c1", json!("d")),
        ("/maxValues/c2", json!(2.4)),
        ("/nullCount/c1", json!(0)),
        ("/nullCount/c0", json!(1)),
    ];
    for (place, lie) in lies {
        let mut told = truth.clone();
        *told.pointer_mut(place).unwrap() = lie.clone();
        assert!(is_condemned(|| check(&told)), "{place} = {lie}");
    }
    let mut wide = truth.clone();
    wide["minValues"]["c0"] = json!(-7);
    wide["tightBounds"] = json!(false);
    check(&wide);
}

/// A kind of error.
type Lie<'a> = (&'a str, Box<dyn Fn(&mut Vec<Json>) + 'a>);

/// A merge of an update, an insert and a delete, as in the log.
struct Merged {
    world: World,
    before: audit::Before,
    record: CommitRecord,
    log: PathBuf,
}

impl Merged {
    async fn new() -> Self {
        let rng = &mut StdRng::seed_from_u64(3);
        let shape = shape(&[ColumnType::Long, ColumnType::String], vec![0]);
        let pool: Vec<Key> = (0..20).map(|id| vec![Value::Int(id)]).collect();
        let mut world = World::of(rng, shape, pool.clone(), &[pool[..10].to_vec()], false).await;
        let upsert =
            |rng: &mut StdRng, at: usize| (pool[at].clone(), world.shape.row(rng, &pool[at], 2));
        let upserts = vec![upsert(rng, 1), upsert(rng, 15)];
        let changes = Changes { upserts, deletes: vec![pool[2].clone()] };
        let net = changes.net(rng, world.columns(), &[0]);
        let before = audit::Before::of(&world.table);
        let plan = merge::plan(&world.table, &world.shape.key_names(), net).await.unwrap();
        let record = lake::record(&world.table, &plan);
        let _ = lake::commit(&world.table, &record, plan).await.unwrap();
        world.reopened().await;
        let log = world.root.join(format!("_delta_log/{:020}.json", world.table.version()));
        Self { world, before, record, log }
    }

    fn check(&self, counts: [u64; 3]) {
        let table: &LakeTable = &self.world.table;
        audit::check(&self.world.root, &self.before, table, &self.record, counts);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_that_lie_are_condemned() {
    let merged = Merged::new().await;
    let truth = std::fs::read_to_string(&merged.log).unwrap();
    merged.check([1, 1, 1]);
    assert!(is_condemned(|| merged.check([2, 1, 1])), "another count");
    let actions: Vec<Json> =
        truth.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let place = |kind: &str| actions.iter().position(|action| action.get(kind).is_some()).unwrap();
    let (add, remove, info, txn) =
        (place("add"), place("remove"), place("commitInfo"), place("txn"));
    let lies: Vec<Lie<'_>> = vec![
        ("a file added twice", Box::new(|actions| actions.push(actions[add].clone()))),
        ("a file removed twice", Box::new(|actions| actions.push(actions[remove].clone()))),
        (
            "a file removed that was not there",
            Box::new(|actions| {
                actions[remove]["remove"]["path"] = json!("elsewhere.parquet");
            }),
        ),
        (
            "an active file added",
            Box::new(|actions| {
                actions[add]["add"]["path"] = actions[remove]["remove"]["path"].clone();
                actions.remove(remove);
            }),
        ),
        ("another size", Box::new(|actions| actions[add]["add"]["size"] = json!(1))),
        ("no transaction", Box::new(|actions| drop(actions.remove(txn)))),
        ("another transaction", Box::new(|actions| actions[txn]["txn"]["version"] = json!(9))),
        ("no record", Box::new(|actions| actions[info]["commitInfo"]["dmslake"] = json!(null))),
        (
            "metrics that lie",
            Box::new(|actions| {
                actions[info]["commitInfo"]["operationMetrics"] =
                    json!({"numTargetRowsUpdated": 7});
            }),
        ),
        (
            "a deletion vector that was not there",
            Box::new(|actions| {
                actions[remove]["remove"]["deletionVector"] = json!({
                    "storageType": "u", "pathOrInlineDv": "x", "offset": 1, "sizeInBytes": 1,
                    "cardinality": 1,
                });
            }),
        ),
    ];
    for (name, lie) in lies {
        let mut told = actions.clone();
        lie(&mut told);
        let text: Vec<String> = told.iter().map(Json::to_string).collect();
        std::fs::write(&merged.log, text.join("\n")).unwrap();
        assert!(is_condemned(|| merged.check([1, 1, 1])), "{name}");
    }
}

/// Bounds of long decimals include every value of the file, so readers may skip by them.
#[tokio::test(flavor = "multi_thread")]
async fn bounds_of_long_decimals_hold_their_values() {
    let decimals = [(20, 0, i128::from(u64::MAX)), (38, 10, 10_i128.pow(38) - 1)];
    for (precision, scale, most) in decimals {
        let shape = shape(&[ColumnType::Decimal { precision, scale }], vec![0]);
        for unscaled in [most, -most, most - 1, 10_i128.pow(15) + 1, 1 << 53 | 1] {
            let rng = &mut StdRng::seed_from_u64(1);
            let world = World::of(rng, shape.clone(), vec![], &[], false).await;
            let row: Row = vec![Value::Decimal { unscaled, scale }];
            let changes = Changes { upserts: vec![(row.clone(), row)], deletes: vec![] };
            let net = changes.net(rng, world.columns(), &[0]);
            let (_, table) = lake::apply(&world.location, &world.table, &["c0".into()], net).await;
            for file in table.delta().snapshot().unwrap().log_data().iter() {
                let (path, told) = (world.root.join(&*file.path()), file.stats().unwrap());
                statistics::check(&path, &told, table.schema(), Strictness::Everything);
            }
            assert_eq!(rows::content(table.delta(), world.columns(), &[0]).await.len(), 1);
        }
    }
}
