//! Maintenance: when it acts, that no row changes by it, and what it must not delete.

mod site;
mod spread;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use deltalake::kernel::TableFeatures;
use dmslake::clock::{Clock, SystemClock};
use dmslake::config::MergeMode;
use dmslake::maintenance::{Action, MaintenanceReport, Outcome};
use dmslake::pipeline::{Limits, Status};
use dmslake::progress::Ledger;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IteratorRandom;
use serde_json::json;

use crate::support::hooked_store::{Fault, Faults, HookedStore, Side};
use crate::support::lake;
use crate::support::property;
use site::{DAY, Site, maintain};

fn actions(report: &MaintenanceReport) -> Vec<Action> {
    assert!(report.actions.iter().all(|action| action.outcome == Outcome::Done), "{report:?}");
    report.actions.iter().map(|action| action.action).collect()
}

/// A table of nine files over the whole range of keys.
async fn overlapping(mode: MergeMode) -> Site {
    let mut site = Site::new(mode).await;
    for file in 0..9 {
        site.append((0..100).map(|id| id * 9 + file)).await;
    }
    assert_eq!(site.files().await.len(), 9);
    site
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_overlap_become_one_in_key_order() {
    let site = overlapping(MergeMode::CopyOnWrite).await;
    let report = site.maintain().await;
    assert_eq!(actions(&report), [Action::Compact, Action::Checkpoint]);
    let compact = &report.actions[0];
    assert_eq!((compact.files_removed, compact.files_added), (9, 1));
    assert_eq!(compact.reason, "9 runs of files overlap in their keys, 8 may: 9 merged");
    assert_eq!(site.files().await, [(900, 0)]);
    site.check().await;
    assert_eq!(site.ids_of_the_only_file().await, site.rows.keys().copied().collect::<Vec<_>>());

    let again = site.maintain().await;
    assert_eq!(actions(&again), []);
    assert_eq!(again.version, report.version);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compaction_changes_no_data_and_carries_progress_on() {
    let site = overlapping(MergeMode::CopyOnWrite).await;
    let before = site.table().await;
    let version = site.maintain().await.version.unwrap();
    let after = site.table().await;
    assert_eq!(*after.ledger(), Ledger { rows: 900, ..before.ledger().clone() });
    assert_eq!(after.version(), version);
    let info = &site.actions(version, "commitInfo")[0];
    assert_eq!(info["operation"], "OPTIMIZE");
    assert_eq!(info["operationMetrics"]["numRemovedFiles"], "9");
    assert_eq!(info["dmslake"]["books"]["rows"], 0);
    let (adds, removes) = (site.actions(version, "add"), site.actions(version, "remove"));
    assert_eq!((adds.len(), removes.len()), (1, 9));
    assert!(adds.iter().chain(&removes).all(|action| action["dataChange"] == false));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_do_not_overlap_are_left_until_they_are_small_and_many() {
    let mut site = Site::new(MergeMode::CopyOnWrite).await;
    for file in 0..7 {
        site.append(file * 100..(file + 1) * 100).await;
    }
    assert_eq!(actions(&site.maintain().await), []);
    site.append(700..800).await;
    let report = site.maintain().await;
    assert_eq!(actions(&report), [Action::Compact, Action::Checkpoint]);
    assert_eq!(report.actions[0].reason, "8 neighbours are smaller than a 4th of the target size");
    assert_eq!(site.files().await, [(800, 0)]);
    site.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_run_is_not_rewritten_for_small_ones() {
    let mut site = Site::new(MergeMode::CopyOnWrite).await;
    site.append((0..200_000).map(|id| id * 10)).await;
    for file in 1..9 {
        site.append((0..100).map(|id| id * 20_000 + file)).await;
    }
    let report = site.maintain().await;
    assert_eq!(actions(&report), [Action::Compact, Action::Checkpoint]);
    assert_eq!(report.actions[0].files_removed, 8, "the large file stays");
    let mut rows: Vec<u64> = site.files().await.into_iter().map(|(rows, _)| rows).collect();
    rows.sort_unstable();
    assert_eq!(rows, [800, 200_000]);
    site.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_the_time_left_is_due_still() {
    let site = overlapping(MergeMode::CopyOnWrite).await;
    let keeper = site.keeper("copy-on-write", "", None).await;
    let table = &keeper.settings().tables[0];
    let over = Limits { deadline: Some(SystemClock.instant()), ..Limits::default() };
    let report = keeper.maintain(table, &over).await;
    assert_eq!(report.status, Status::Ok);
    let compact = &report.actions[0];
    assert_eq!((compact.action, compact.outcome), (Action::Compact, Outcome::Skipped));
    assert!(compact.reason.contains("too much for the time left"), "{}", compact.reason);
    assert_eq!(site.files().await.len(), 9);
    assert_eq!(actions(&site.maintain().await), [Action::Compact]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_deletion_vectors_mask_a_quarter_of_is_purged() {
    let mut site = Site::new(MergeMode::DeletionVectors).await;
    site.append(0..100).await;
    site.merge([], &(0..24).collect::<Vec<_>>()).await;
    assert_eq!(actions(&site.maintain().await), []);
    assert_eq!(site.files().await, [(100, 24)]);
    site.merge([], &[24]).await;
    let report = site.maintain().await;
    assert_eq!(actions(&report), [Action::Purge]);
    assert_eq!(site.files().await, [(75, 0)]);
    site.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_leaves_deletion_vectors_is_purged_and_lowered() {
    let mut site = Site::new(MergeMode::DeletionVectors).await;
    site.append(0..100).await;
    site.merge([200], &[1]).await;
    let masked = site.table().await.version();
    assert!(site.table().await.may_mask());
    let report = site.maintain_as("copy-on-write").await;
    assert_eq!(actions(&report), [Action::Purge, Action::Checkpoint, Action::Lower]);
    assert_eq!(
        report.actions[2].reason,
        "no row is masked and the table is merged by copy-on-write: reader 1 / writer 2 will do"
    );
    // No reader may have to put commits of the lowered protocol onto a checkpoint with vectors.
    let lowered = report.actions[2].version.unwrap();
    let checkpoint = format!("{:020}.checkpoint.parquet", lowered - 1);
    assert_eq!(report.actions[1].version, Some(lowered - 1));
    assert!(site.root().join("_delta_log").join(checkpoint).exists());
    let table = site.table().await;
    let protocol = table.delta().snapshot().unwrap().protocol().clone();
    assert_eq!((protocol.min_reader_version(), protocol.min_writer_version()), (1, 2));
    assert!(!table.may_mask());
    site.check().await;
    assert_eq!(site.content_at(masked).await, site.rows, "time travel to a masked version");
    assert_eq!(actions(&site.maintain_as("copy-on-write").await), []);

    // And back again.
    let clock = Arc::clone(&site.clock) as Arc<dyn Clock>;
    let _ = dmslake::table::allow_vectors(&table, &clock).await.unwrap();
    site.merge([], &[2]).await;
    assert_eq!(site.files().await.iter().map(|(_, masked)| masked).sum::<u64>(), 1);
    site.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_else_needs_a_protocol_keeps_it_and_is_named() {
    let mut site = Site::new(MergeMode::DeletionVectors).await;
    site.append(0..10).await;
    site.merge([], &[1]).await;
    site.add_feature(TableFeatures::V2Checkpoint).await;
    let report = site.maintain_as("copy-on-write").await;
    assert_eq!(actions(&report), [Action::Purge, Action::Checkpoint, Action::Lower]);
    let reason = &report.actions[2].reason;
    let told = "reader 3 / writer 7 will do, which v2Checkpoint need";
    assert!(reason.ends_with(told), "{reason}");
    let protocol = &site.actions(report.version.unwrap(), "protocol")[0];
    assert_eq!(protocol["readerFeatures"], json!(["v2Checkpoint"]));
    assert_eq!(protocol["minReaderVersion"], 3);
    assert_eq!(actions(&site.maintain_as("copy-on-write").await), []);
    site.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_comes_after_ten_commits_and_the_log_is_cleaned_behind_it() {
    let mut site = Site::new(MergeMode::CopyOnWrite).await;
    for _ in 0..8 {
        site.merge([1], &[]).await;
    }
    assert_eq!(actions(&site.maintain().await), [], "nine commits");
    site.merge([1], &[]).await;
    let report = site.maintain().await;
    assert_eq!(actions(&report), [Action::Checkpoint]);
    assert_eq!(report.actions[0].reason, "10 commits since the newest checkpoint");
    assert_eq!(site.log_versions(), (0..10).collect::<Vec<_>>());

    site.clock.pass(DAY * 31);
    let report = site.maintain().await;
    assert_eq!(actions(&report)[0], Action::CleanLog);
    assert_eq!(site.log_versions(), [9], "our newest commit holds the ledger");
    site.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_survives_other_writers_checkpoints() {
    let mut site = Site::new(MergeMode::CopyOnWrite).await;
    site.merge([1], &[]).await;
    site.append([2]).await;
    let table = site.table().await;
    deltalake::checkpoints::create_checkpoint(table.delta(), None).await.unwrap();
    site.clock.pass(DAY * 31);
    site.maintain().await;
    assert!(site.log_versions().contains(&1), "our newest commit lies below the checkpoint");
    site.check().await;
}

/// The properties follow the configuration, and vacuum follows them.
#[tokio::test(flavor = "multi_thread")]
async fn the_retention_of_the_configuration_becomes_the_tables_own() {
    let mut site = Site::new(MergeMode::CopyOnWrite).await;
    site.append(0..100).await;
    site.merge([200], &[]).await;
    let properties = async |site: &Site| {
        let table = site.table().await;
        let metadata = table.delta().snapshot().unwrap().metadata().clone();
        ["delta.deletedFileRetentionDuration", "delta.logRetentionDuration"]
            .map(|key| metadata.configuration().get(key).cloned().unwrap_or_default())
    };
    let maintained = async |site: &Site, retention: &str| {
        let more = format!("[defaults]\nretention = {retention}\n");
        maintain(&site.keeper("copy-on-write", &more, None).await).await
    };
    let report = maintained(&site, "{ files = \"1 day\", log = \"36h\" }").await;
    assert_eq!(actions(&report), [Action::Retain]);
    assert_eq!(properties(&site).await, ["interval 1 day", "interval 36 hours"]);
    assert_eq!(actions(&maintained(&site, "{ files = \"1d\", log = \"36h\" }").await), []);
    assert_eq!(actions(&site.maintain().await), [], "no retention leaves it to the table");
    // A file that was replaced two days ago, which 7 days would keep.
    site.merge([], &[1]).await;
    site.clock.pass(DAY * 2);
    let report = maintained(&site, "\"1 day\"").await;
    assert_eq!(actions(&report), [Action::Retain, Action::Vacuum]);
    assert_eq!(properties(&site).await, ["interval 1 day"; 2]);
    site.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn vacuum_takes_what_no_version_within_the_retention_needs() {
    let mut site = Site::new(MergeMode::DeletionVectors).await;
    site.append(0..100).await;
    site.merge([], &(0..10).collect::<Vec<_>>()).await;
    let masked = site.table().await.version();
    let masked_rows = site.rows.clone();
    let orphan = "part-00000-ffffffff-0000-0000-0000-000000000000-c000.snappy.parquet";
    site.leave(orphan);
    site.leave("_notes.parquet");

    // Five days on, the masked file and its vector are replaced.
    site.clock.pass(DAY * 5);
    site.merge([], &(10..40).collect::<Vec<_>>()).await;
    assert_eq!(actions(&site.maintain().await), [Action::Purge]);
    assert_eq!(site.stored(".bin").len(), 2);

    // Three more days: the files are eight days old, but were live until three days ago.
    site.clock.pass(DAY * 3);
    let report = site.maintain().await;
    assert_eq!(actions(&report), [Action::Vacuum]);
    assert_eq!(report.actions[0].files_removed, 1, "{report:?}");
    assert!(!site.stored(".parquet").contains(&orphan.to_owned()));
    assert_eq!(site.content_at(masked).await, masked_rows, "time travel within the retention");
    assert_eq!(actions(&site.maintain().await), []);

    // And five more: now nobody needs them.
    site.clock.pass(DAY * 5);
    let report = site.maintain().await;
    assert_eq!(actions(&report), [Action::Vacuum]);
    assert_eq!(report.actions[0].files_removed, 3, "a data file and two vectors: {report:?}");
    assert_eq!(site.stored(".bin"), Vec::<String>::new());
    assert_eq!(site.stored(".parquet").len(), 2, "the live file and the hidden one");
    site.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn vacuum_reads_removals_from_checkpoints_too() {
    let mut site = Site::new(MergeMode::DeletionVectors).await;
    site.append(0..100).await;
    site.merge([], &[1]).await;
    let masked = site.table().await.version();
    let masked_rows = site.rows.clone();
    site.clock.pass(DAY * 5);
    site.maintain_as("copy-on-write").await;
    for commit in 0..10 {
        site.merge([1_000 + commit], &[]).await;
    }
    assert!(actions(&site.maintain_as("copy-on-write").await).contains(&Action::Checkpoint));
    site.clock.pass(DAY * 3);
    site.maintain_as("copy-on-write").await;
    assert_eq!(site.content_at(masked).await, masked_rows);
    site.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_deleted_where_that_is_switched_off() {
    let site = overlapping(MergeMode::CopyOnWrite).await;
    site.maintain().await;
    site.clock.pass(DAY * 60);
    let keeper = site.keeper("copy-on-write", "[maintain]\ndelete = false\n", None).await;
    let before = site.stored(".parquet").len();
    assert_eq!(actions(&maintain(&keeper).await), []);
    assert_eq!(site.stored(".parquet").len(), before);
    assert_eq!(actions(&site.maintain().await), [Action::CleanLog, Action::Vacuum]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_every_write_leaves_the_rows_and_heals() {
    let scene = storm(MergeMode::DeletionVectors).await;
    let mut writes = u64::MAX;
    let mut write = 1;
    while write <= writes {
        for (side, died) in [(Side::Before, false), (Side::After, false), (Side::After, true)] {
            let twin = scene.twin().await;
            let fault = Fault { write, side, died };
            let store =
                HookedStore::new(Arc::clone(twin.location.store()), Faults::new(Some(fault)));
            let _ = maintain(&twin.keeper("deletion-vectors", "", Some(&store)).await).await;
            twin.check().await;
            twin.maintain().await;
            twin.check().await;
            assert_eq!(actions(&twin.maintain().await), [], "{fault:?}");
        }
        if writes == u64::MAX {
            let twin = scene.twin().await;
            let store = HookedStore::new(Arc::clone(twin.location.store()), Faults::new(None));
            let report = maintain(&twin.keeper("deletion-vectors", "", Some(&store)).await).await;
            let due = [Action::Compact, Action::Purge, Action::Checkpoint, Action::CleanLog];
            assert_eq!(actions(&report)[..4], due, "{report:?}");
            assert_eq!(actions(&report)[4..], [Action::Vacuum]);
            writes = store.hooks().writes();
        }
        write += 1;
    }
}

/// A table in which everything is due.
async fn storm(mode: MergeMode) -> Site {
    let mut site = overlapping(mode).await;
    site.merge([], &(0..300).collect::<Vec<_>>()).await;
    site.append(10_000..40_000).await;
    site.merge([], &(10_000..25_000).collect::<Vec<_>>()).await;
    site.leave("part-00000-ffffffff-0000-0000-0000-000000000000-c000.snappy.parquet");
    site.clock.pass(DAY * 31);
    site
}

/// Keeper and writer at once: neither loses a row, and what the keeper does is never undone.
#[tokio::test(flavor = "multi_thread")]
async fn a_writer_beside_maintenance_loses_nothing() {
    property::check("a_writer_beside_maintenance_loses_nothing", 20, 3, |mut rng| async move {
        let rng: &mut StdRng = &mut rng;
        let mode = if rng.random() { MergeMode::DeletionVectors } else { MergeMode::CopyOnWrite };
        let mut site = overlapping(mode).await;
        let keeper = site.keeper(site::mode_name(mode), "", None).await;
        let kept = tokio::spawn(async move {
            let mut done = 0;
            for _ in 0..12 {
                let report = maintain(&keeper).await;
                assert_eq!(report.status, Status::Ok, "{report:?}");
                done += report.actions.len();
            }
            done
        });
        for _ in 0..25 {
            let upserts: BTreeSet<i64> = (0..30).map(|_| rng.random_range(0..2_000)).collect();
            let there = site.rows.keys().filter(|id| !upserts.contains(id));
            let deletes: Vec<i64> = there.copied().choose_multiple(rng, 10);
            site.merge_at_last(&upserts, &deletes).await;
        }
        assert!(kept.await.unwrap() > 0, "nothing was due");
        site.check().await;
        site.maintain().await;
        site.check().await;
    })
    .await;
}

/// Another commit comes just before that of a compaction: where it leaves its files alone the
/// compaction is committed as it is, else made anew.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_in_between_is_gone_around_or_wins() {
    for (id, files_written) in [(5_000, 1), (0, 2)] {
        let mut site = overlapping(MergeMode::CopyOnWrite).await;
        let before = site.stored(".parquet").len();
        let mut rival = site.beside();
        site.clock.before_next_attempt(move || {
            let merge = async {
                // A merge that inserts would fold the files that are due for compaction.
                if id == 0 {
                    rival.merge([id], &[]).await;
                } else {
                    rival.append([id]).await;
                }
                rival.rows
            };
            tokio::runtime::Runtime::new().unwrap().block_on(merge)
        });
        let report = site.maintain().await;
        site.rows = site.clock.met().expect("the rival came in between");
        site.check().await;
        assert_eq!(
            (report.actions[0].action, report.actions[0].files_removed),
            (Action::Compact, 9)
        );
        // One of the files is the rival's.
        assert_eq!(site.stored(".parquet").len() - before - 1, files_written, "{report:?}");
    }
}

/// The remedy of a reload, followed while a compaction is under way: the folder is moved away, and
/// perhaps another table stands there by then.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_committed_to_what_took_the_place_of_the_table() {
    for has_successor in [false, true] {
        let site = overlapping(MergeMode::CopyOnWrite).await;
        let (root, location) = (site.root(), site.location.clone());
        site.clock.before_next_attempt(move || {
            std::fs::rename(&root, root.with_extension("away")).unwrap();
            let successor = async {
                if has_successor {
                    lake::create(&location, "t", &site::schema()).await;
                }
            };
            tokio::runtime::Runtime::new().unwrap().block_on(successor);
            BTreeMap::new()
        });
        let report = maintain(&site.keeper("copy-on-write", "", None).await).await;
        assert!(site.clock.met().is_some(), "it was moved in between");
        let done = report.actions.iter().filter(|action| action.outcome == Outcome::Done);
        assert_eq!(done.count(), 0, "{report:?}");
        assert_eq!(report.status == Status::Ok, has_successor, "{report:?}");
        if has_successor {
            assert_eq!(site.log_versions(), [0]);
        } else {
            assert!(!site.root().join("_delta_log").exists());
        }
    }
}
