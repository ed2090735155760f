//! A row that was planted is found, in either format and in every merge mode.

use std::sync::Arc;

use dmslake::clock::SystemClock;
use dmslake::pipeline::{Limits, Pipeline, Scope, Silent, Status};
use dmslake::storage::StoreKind;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::search;
use crate::support::dms_writer::{
    Bounds, Endpoint, Scripted, StagedTable, TableTask, configuration, stage_scripted,
};
use crate::support::property;
use crate::support::script::{insert, orders, update};
use crate::support::world::{in_memory, settings};

const MODES: [&str; 3] = ["copy-on-write", "deletion-vectors", "auto"];

/// Objects of updates of some rows, one of which writes the name that is looked for.
fn planted(rng: &mut StdRng) -> (Vec<Scripted>, usize, usize) {
    let mut script = vec![Scripted {
        relative: "LOAD00000001".to_owned(),
        load: true,
        epoch: 0,
        rows: (1..=40).map(|id| insert(id, "first")).collect(),
    }];
    let objects = rng.random_range(3..9);
    for number in 0..objects {
        let rows = rng.random_range(1..60);
        let names = (0..rows).map(|_| update(rng.random_range(1..=30), "harmless"));
        let (relative, rows) = (format!("20240101-{number:09}"), names.collect());
        script.push(Scripted { relative, load: false, epoch: 0, rows });
    }
    let object = rng.random_range(1..script.len());
    let row = rng.random_range(0..script[object].rows.len());
    // Of a row that no other change is about, so that it stays.
    script[object].rows[row] = update(rng.random_range(31..=40), "poison");
    (script, object, row)
}

fn staged(script: Vec<Scripted>, csv: bool, merge: &'static str) -> StagedTable {
    let plain = orders(script.clone());
    let script = script.into_iter().map(|object| {
        let ending = if csv { "csv" } else { "parquet" };
        Scripted { relative: format!("{}.{ending}", object.relative), ..object }
    });
    let task = TableTask { csv, merge, ..plain.task };
    let mut rng = StdRng::seed_from_u64(1);
    stage_scripted(&mut rng, plain.history, &Endpoint::plain(), task, script.collect())
}

async fn finds_what_was_planted(mut rng: StdRng) {
    for merge in MODES {
        let (script, object, row) = planted(&mut rng);
        let table = staged(script, rng.random(), merge);
        let bounds = Bounds { memory_budget: None, look_back_objects: 16 };
        let tables = std::slice::from_ref(&table);
        let endpoint = Endpoint::plain();
        let text =
            configuration(&mut rng, &endpoint, tables, &bounds, "s3://bucket/dms", "s3://lake");
        let settings = settings(&text);
        let staging = in_memory("memory:///bucket/dms", StoreKind::S3);
        let lake = in_memory("memory:///lake", StoreKind::File);
        let pipeline = Pipeline::new(settings, staging.clone(), lake, Arc::new(SystemClock));
        let spec = pipeline.settings().tables[0].clone();
        let limits = Limits::default();
        for written in &table.objects {
            let path = staging.prefix().clone();
            let path = path.join("shop").join("orders").join(written.relative.as_str());
            let store = staging.store();
            object_store::ObjectStoreExt::put(store, &path, written.bytes.clone().into())
                .await
                .unwrap();
            if rng.random() {
                let report = pipeline.apply(&spec, &Scope::Everything, &limits, &Silent).await;
                assert_eq!(report.status, Status::Ok, "{report:?}");
            }
            if rng.random_bool(0.2) {
                pipeline.maintain(&spec, &limits).await;
            }
        }
        let report = pipeline.apply(&spec, &Scope::Everything, &limits, &Silent).await;
        assert_eq!(report.status, Status::Ok, "{report:?}");
        let sql = "SELECT id FROM shop.orders WHERE name = 'poison'";
        let found = search(&pipeline, 0, sql).await;
        let planted = &table.objects[object];
        assert!(found.found && !found.replayed, "{merge}: {found:?}");
        assert_eq!(found.object.as_deref(), Some(planted.relative.as_str()), "{merge}: {found:?}");
        let told = found.row.as_ref().expect("a row");
        assert_eq!((told.number, told.operation), (row as u64 + 1, "update"), "{merge}: {found:?}");
        let crate::support::model::Value::Int(id) = planted.rows[row].image[0] else { panic!() };
        assert_eq!(told.key.get("id"), Some(&id.to_string()), "{merge}: {found:?}");
        let commit = found.commit.as_ref().expect("a commit");
        assert!(commit.objects.contains(&planted.relative), "{merge}: {found:?}");
        let again = format!(
            "dmslake replay shop.orders --into DIR --until {} --rows {row}",
            planted.relative
        );
        assert!(found.next.contains(&again), "{merge}: {found:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planted_row_is_found_in_every_merge_mode() {
    let name = "a_planted_row_is_found_in_every_merge_mode";
    property::check(name, 20, 2, finds_what_was_planted).await;
}
