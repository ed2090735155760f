//! Tombstones: few objects, each tombstone found until it expires, and nothing believed of what is
//! gone.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int32Array, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use chrono::{DateTime, TimeDelta, Utc};
use dmslake::clock::{Clock, SystemClock};
use dmslake::progress::{GuardProgress, TombstoneObject, WhyUntraced};
use dmslake::storage::{Location, StoreKind};
use dmslake::tombstones::Tombstones;
use object_store::ObjectStoreExt;

use crate::support::world::in_memory;

const RETENTION: TimeDelta = TimeDelta::days(7);

fn lake() -> (Location, Tombstones) {
    let folder = in_memory("s3://lake", StoreKind::S3).folder(&["_dmslake", "shop", "t"]).unwrap();
    (folder.clone(), Tombstones::new(folder, RETENTION))
}

fn deletes(ids: &[i32], sequences: &[Option<&str>]) -> RecordBatch {
    let ids: ArrayRef = Arc::new(Int32Array::from(ids.to_vec()));
    let sequences: ArrayRef = Arc::new(StringArray::from(sequences.to_vec()));
    RecordBatch::try_from_iter_with_nullable([("id", ids, true), ("_cdc_seq", sequences, true)])
        .unwrap()
}

fn keys(data_type: DataType) -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("id", data_type, true)]))
}

async fn leave(
    tombstones: &Tombstones,
    progress: &mut GuardProgress,
    deleted: &RecordBatch,
    now: DateTime<Utc>,
) {
    let (batches, name) = ([deleted.clone()], SystemClock.attempt_id());
    tombstones.leave(&batches, progress, name, now).await.unwrap();
}

async fn found(
    tombstones: &Tombstones,
    progress: &mut GuardProgress,
    first: &str,
) -> Vec<(i64, String)> {
    let mut found = Vec::new();
    let take_in = |batch: &RecordBatch| {
        // A key that was widened since is found too.
        let ids = batch.column(0).as_primitive::<Int64Type>();
        let sequences = batch.column(1).as_string::<i32>();
        let rows = ids.values().iter().zip(sequences);
        found.extend(rows.map(|(id, sequence)| (*id, sequence.unwrap().to_owned())));
        Ok(())
    };
    tombstones.since(first, progress, &keys(DataType::Int64), take_in).await.unwrap();
    found.sort();
    found
}

#[tokio::test]
async fn tombstones_are_found_by_sequence_whatever_was_merged() {
    let (_, tombstones) = lake();
    let (mut progress, now) = (GuardProgress::default(), SystemClock.now());
    for id in 0..300 {
        let sequence = format!("{id:05}");
        let deleted = deletes(&[id, -1], &[Some(&sequence), None]);
        leave(&tombstones, &mut progress, &deleted, now).await;
    }
    assert!(progress.tombstones.len() < 10, "{} objects", progress.tombstones.len());
    let since = found(&tombstones, &mut progress, "00290").await;
    let expected: Vec<_> = (290..300).map(|id| (i64::from(id), format!("{id:05}"))).collect();
    assert_eq!(since, expected);
    assert_eq!(found(&tombstones, &mut progress, "").await.len(), 300);
    assert_eq!(progress.untraced, None);
}

#[tokio::test]
async fn what_has_expired_is_no_longer_believed() {
    let (_, tombstones) = lake();
    let (mut progress, now) = (GuardProgress::default(), SystemClock.now());
    leave(&tombstones, &mut progress, &deletes(&[1], &[Some("10")]), now).await;
    leave(&tombstones, &mut progress, &deletes(&[2], &[Some("20")]), now + TimeDelta::days(3))
        .await;
    assert_eq!((progress.tombstones.len(), progress.cannot_place("05")), (2, None));
    // Also where nothing is deleted.
    let later = now + RETENTION + TimeDelta::days(1);
    tombstones.leave(&[], &mut progress, SystemClock.attempt_id(), later).await.unwrap();
    assert_eq!(found(&tombstones, &mut progress, "").await, [(2, "20".to_owned())]);
    assert_eq!(progress.cannot_place("10"), Some(WhyUntraced::Expired));
    assert_eq!(progress.cannot_place("11"), None);
}

#[tokio::test]
async fn what_is_gone_is_not_believed_and_what_no_one_names_is_removed() {
    let (folder, tombstones) = lake();
    let (mut progress, now) = (GuardProgress::default(), SystemClock.now());
    leave(&tombstones, &mut progress, &deletes(&[1, 2], &[Some("10"), Some("11")]), now).await;
    let merged = progress.tombstones[0].clone();
    leave(&tombstones, &mut progress, &deletes(&[3], &[Some("20")]), now).await;
    let named: Vec<_> = progress.tombstones.iter().collect();
    let soon = SystemClock.now() + TimeDelta::minutes(1);
    let removed = tombstones.sweep(&named, soon).await.unwrap();
    assert_eq!((removed.0, progress.tombstones.len()), (1, 1), "{merged:?}");
    assert_eq!(found(&tombstones, &mut progress, "").await.len(), 3);
    let path = folder.prefix().clone().join(progress.tombstones[0].name.as_str());
    folder.store().delete(&path).await.unwrap();
    assert!(found(&tombstones, &mut progress, "15").await.is_empty());
    assert_eq!(progress.cannot_place("20"), Some(WhyUntraced::Expired));
}

/// What stands in memory at once is bounded, however many rows are deleted.
#[tokio::test]
async fn large_objects_are_not_merged_and_the_oldest_of_too_many_is_given_up() {
    let (_, tombstones) = lake();
    let (mut progress, now) = (GuardProgress::default(), SystemClock.now());
    let ids: Vec<i32> = (0..600_000).collect();
    let deleted = deletes(&ids, &vec![Some("10"); ids.len()]);
    for _ in 0..2 {
        leave(&tombstones, &mut progress, &deleted, now).await;
    }
    assert_eq!(progress.tombstones.iter().map(|it| it.rows).collect::<Vec<_>>(), [600_000; 2]);
    let large = progress.tombstones[0].clone();
    progress.tombstones = (0..48)
        .map(|at| TombstoneObject { rows: 1 << 20, last: format!("{at:02}"), ..large.clone() })
        .collect();
    leave(&tombstones, &mut progress, &deletes(&[1], &[Some("99")]), now).await;
    assert_eq!(progress.tombstones.len(), 48);
    assert_eq!(progress.tombstones[47].rows, 1);
    let untraced = progress.untraced.unwrap();
    assert_eq!((untraced.up_to.as_deref(), untraced.why), (Some("00"), WhyUntraced::Expired));
}
