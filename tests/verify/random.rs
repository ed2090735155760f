//! Random histories under random settings: what was applied equals its replay, and after one fault
//! in one row, that one is found and nothing else.

use std::sync::atomic::{AtomicU32, Ordering};

use dmslake::inspect::verify::{Differing, Verdict};
use dmslake::pipeline::{Limits, Scope, Silent};
use rand::Rng;
use rand::rngs::StdRng;

use super::faults::{Fault, any, overwrite, rows, with_fault};
use super::{of_staging, verified};
use crate::support::property;
use crate::support::table::LakeTable;
use crate::support::world::World;

static FAULTS: AtomicU32 = AtomicU32::new(0);

#[tokio::test(flavor = "multi_thread")]
async fn what_was_applied_equals_its_replay_and_one_fault_is_found() {
    property::check("what_was_applied_equals_its_replay_and_one_fault_is_found", 15, 8, case).await;
    if std::env::var_os("DMSLAKE_SEED").is_none() {
        assert!(FAULTS.load(Ordering::Relaxed) > 0, "no fault was planted");
    }
}

async fn case(mut rng: StdRng) {
    let world = World::random(&mut rng, None).await;
    for table in &world.tables {
        // Whole, or as far as it was staged by some time.
        let staged = if rng.random() {
            table.objects.len()
        } else {
            rng.random_range(0..=table.objects.len())
        };
        for object in &table.objects[..staged] {
            world.put(table, object).await;
        }
        let (pipeline, spec) = (world.pipeline(), world.spec(table).clone());
        let report = pipeline.apply(&spec, &Scope::Everything, &Limits::default(), &Silent).await;
        if report.version.is_none() || !report.is_caught_up() {
            continue;
        }
        let found = verified(&pipeline, &spec, &of_staging()).await;
        assert_eq!(found.verdict, Verdict::Equal, "{}: {found:?}", spec.source);
        let location = pipeline.lake_folder(&spec.source).unwrap();
        let lake = LakeTable::at(&location, &[]);
        let version = found.version;
        let Some(all) = rows(&lake, version).await.filter(|all| all.num_rows() > 0) else {
            continue;
        };
        assert_eq!(found.lake_rows, all.num_rows() as u64);
        assert_eq!(found.source_rows, Some(all.num_rows() as u64));
        // The Delta library writes no table whose rows may be masked.
        if table.task.merge != "copy-on-write" {
            continue;
        }
        let fault = any(&mut rng, all.num_columns());
        let row = rng.random_range(0..all.num_rows());
        overwrite(&location, with_fault(&all, fault, row)).await;
        FAULTS.fetch_add(1, Ordering::Relaxed);
        let found = verified(&pipeline, &spec, &of_staging()).await;
        assert_eq!(found.verdict, Verdict::Different, "{fault:?} {found:?}");
        judge(&found, fault, &all.schema().fields()[..], &spec.lake_keys(), row);
    }
}

fn judge(
    found: &dmslake::inspect::verify::Verification,
    fault: Fault,
    fields: &[arrow::datatypes::FieldRef],
    keys: &[String],
    row: usize,
) {
    let nothing = Differing::default();
    let counts = found.differing;
    match fault {
        Fault::Lost => assert_eq!(counts, Differing { missing: 1, ..nothing }, "row {row}"),
        Fault::Doubled => assert_eq!(counts, Differing { repeated: 1, ..nothing }, "row {row}"),
        Fault::Changed(column) => {
            let name = fields[column].name();
            // The nearest other key may be another row's.
            if keys.contains(name) {
                assert_eq!(counts.missing, 1, "{counts:?}");
                assert_eq!(counts.extra + counts.repeated, 1, "{counts:?}");
            } else {
                assert_eq!(counts, Differing { other_values: 1, ..nothing }, "{name}");
                assert_eq!(found.keys[0].columns, std::slice::from_ref(name));
            }
        }
    }
}
