//! The net changes of a slice: equal to a replay of its changes one by one, however they are
//! cut into slices and batches.

mod oracle;

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use arrow::array::{Array, ArrayRef, Int64Array, StringArray, UInt8Array};
use arrow::record_batch::RecordBatch;
use datafusion::prelude::{SessionConfig, SessionContext};
use dmslake::change::{Changes, NetChanges, net_changes};
use dmslake::clock::{Clock, SystemClock};
use dmslake::decode::{BEFORE, OPERATION, UNSET};
use dmslake::dms::Operation;
use dmslake::error::{ErrorKind, Result};
use dmslake::memory::memory_size;
use dmslake::schema::ColumnType;
use oracle::{
    Change, Given, Key, Rows, Shape, Target, decoded, random_value, read_images, read_keys, replay,
};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// One for all: a session costs more than the plans of a small slice.
fn session() -> &'static SessionContext {
    static SESSION: LazyLock<SessionContext> = LazyLock::new(|| {
        SessionContext::new_with_config(SessionConfig::new().with_target_partitions(2))
    });
    &SESSION
}

/// Runs a property on fresh seeds for some seconds, or on `DMSLAKE_SEED` alone.
async fn for_seeds(seconds: u64, property: impl AsyncFn(u64)) {
    if let Ok(seed) = std::env::var("DMSLAKE_SEED") {
        return property(seed.parse().expect("DMSLAKE_SEED is a number")).await;
    }
    let clock = SystemClock;
    let start = clock.instant();
    let mut seed = u64::from(clock.now().timestamp_subsec_nanos()) << 20;
    println!("seeds from {seed}");
    let first = seed;
    while clock.instant() - start < Duration::from_secs(seconds) {
        property(seed).await;
        seed += 1;
    }
    println!("{} seeds", seed - first);
}

/// Applies a slice and checks what must hold for each: keys stand once, every change is
/// accounted for, nothing is asked twice.
async fn apply(target: &mut Target, changes: &[Change], batches: Vec<RecordBatch>, seed: u64) {
    let keys = target.shape.key_names();
    let slice = Changes::new(batches, &target.shape.schema(), &keys).expect("a valid slice");
    let net = net_changes(slice, session(), target).await.expect("net changes");
    net.check_keys(&keys).expect("each key stands once");

    let touched: BTreeSet<&Key> =
        changes.iter().flat_map(|change| change.before.iter().chain([&change.key])).collect();
    let rows = |batches: &[RecordBatch]| batches.iter().map(RecordBatch::num_rows).sum::<usize>();
    assert_eq!(net.changes, changes.iter().map(Change::rows).sum::<u64>(), "seed {seed}");
    assert_eq!(rows(&net.upserts) + rows(&net.deletes), touched.len(), "seed {seed}");
    assert_eq!(net.superseded, net.changes - touched.len() as u64, "seed {seed}");
    assert!(net.upserts.iter().chain(&net.deletes).all(|batch| batch.num_rows() > 0));
    let mut asked = std::mem::take(target.asked.get_mut().expect("not poisoned"));
    let asked_count = asked.len();
    asked.sort();
    asked.dedup();
    assert_eq!(asked.len(), asked_count, "seed {seed}: asked for a key twice");

    for batch in &net.deletes {
        assert_eq!(batch.num_columns(), keys.len());
        for key in read_keys(batch, &target.shape) {
            target.rows.remove(&key);
        }
    }
    for batch in &net.upserts {
        let images = read_images(batch);
        target.rows.extend(read_keys(batch, &target.shape).into_iter().zip(images));
    }
}

/// Any sequence of changes, likely at the source or not, over few keys.
fn history(shape: &Shape, length: usize, rng: &mut StdRng) -> Vec<Change> {
    let key_count = rng.random_range(2..=12);
    let key = |rng: &mut StdRng| -> Key {
        shape.keys.iter().map(|_| rng.random_range(0..key_count)).collect()
    };
    // Columns come late, and some sources leave values unset more often than others.
    let since: Vec<_> = (0..3).map(|_| rng.random_range(0..=length)).collect();
    let unset = [0.0, 0.1, 0.5][rng.random_range(0..3)];
    (0..length)
        .map(|place| {
            let operation = match rng.random_range(0..10) {
                0..3 => Operation::Insert,
                3..8 => Operation::Update,
                _ => Operation::Delete,
            };
            let new_key = key(rng);
            let old_key = Some(key(rng)).filter(|old| {
                operation == Operation::Update && *old != new_key && rng.random_bool(0.4)
            });
            let values = since.iter().map(|&since| {
                if place < since {
                    Given::Value(None)
                } else if rng.random_bool(unset) {
                    Given::Unset
                } else {
                    Given::Value(random_value(rng))
                }
            });
            Change { operation, values: values.collect(), key: new_key, before: old_key }
        })
        .collect()
}

fn cut_into_batches(changes: &[Change], shape: &Shape, rng: &mut StdRng) -> Vec<RecordBatch> {
    let mut rest = changes;
    let mut batches = Vec::new();
    while !rest.is_empty() {
        // An empty batch stands for an object without rows.
        let (batch, behind) = rest.split_at(rng.random_range(0..=rest.len().min(9)));
        batches.push(decoded(batch, shape, rng));
        rest = behind;
    }
    batches
}

fn some_rows(shape: &Shape, rng: &mut StdRng) -> Rows {
    let mut rows = Rows::new();
    for mut change in history(shape, 8, rng) {
        change.operation = Operation::Insert;
        change.values = vec![
            Given::Value(random_value(rng)),
            Given::Value(random_value(rng)),
            Given::Value(None),
        ];
        replay(&mut rows, &change);
    }
    rows
}

#[tokio::test]
async fn random_slices_equal_a_replay() {
    for_seeds(4, async |seed| {
        let mut rng = StdRng::seed_from_u64(seed);
        let shape = Shape::random(&mut rng);
        let mut model = some_rows(&shape, &mut rng);
        let mut target = Target::new(shape.clone(), model.clone());
        for _ in 0..3 {
            let length = rng.random_range(0..60);
            let changes = history(&shape, length, &mut rng);
            let batches = cut_into_batches(&changes, &shape, &mut rng);
            apply(&mut target, &changes, batches, seed).await;
            for change in &changes {
                replay(&mut model, change);
            }
            assert_eq!(target.rows, model, "seed {seed}");
        }
    })
    .await;
}

#[tokio::test]
async fn every_cut_into_slices_gives_the_same_table() {
    for_seeds(4, async |seed| {
        let mut rng = StdRng::seed_from_u64(seed);
        let shape = Shape::random(&mut rng);
        let start = some_rows(&shape, &mut rng);
        let changes = history(&shape, 20, &mut rng);
        let mut model = start.clone();
        for change in &changes {
            replay(&mut model, change);
        }
        for cut in 0..=changes.len() {
            let mut target = Target::new(shape.clone(), start.clone());
            for slice in [&changes[..cut], &changes[cut..]] {
                let batches = cut_into_batches(slice, &shape, &mut rng);
                apply(&mut target, slice, batches, seed).await;
            }
            assert_eq!(target.rows, model, "seed {seed}, cut at {cut}");
        }
    })
    .await;
}

#[tokio::test]
async fn large_slices_equal_a_replay() {
    for (length, batch_rows) in [(8_193_usize, 8_192), (100_000, 8_192), (20_000, 100_000)] {
        let mut rng = StdRng::seed_from_u64(length as u64);
        let shape = Shape { keys: vec![ColumnType::Long] };
        let half = i64::try_from(length / 2).expect("small");
        let changes: Vec<_> = history(&shape, length, &mut rng)
            .into_iter()
            .map(|mut change| {
                change.key = vec![rng.random_range(0..half)];
                change.before = change.before.map(|_| vec![change.key[0] + half]);
                change
            })
            .collect();
        let batches = changes.chunks(batch_rows).map(|rows| decoded(rows, &shape, &mut rng));
        let batches = batches.collect();
        let mut target = Target::new(shape, Rows::new());
        apply(&mut target, &changes, batches, length as u64).await;
        let mut model = Rows::new();
        for change in &changes {
            replay(&mut model, change);
        }
        assert_eq!(target.rows, model, "{length} changes");
    }
}

fn by_id() -> Shape {
    Shape { keys: vec![ColumnType::Long] }
}

fn insert(key: i64, note: i64) -> Change {
    let values = vec![Given::Value(None), Given::Value(Some(note)), Given::Value(None)];
    Change { operation: Operation::Insert, key: vec![key], before: None, values }
}

fn update(before: i64, key: i64, note: Option<i64>) -> Change {
    let values = vec![
        Given::Value(Some(key)),
        note.map_or(Given::Unset, |note| Given::Value(Some(note))),
        Given::Value(None),
    ];
    let before = (before != key).then(|| vec![before]);
    Change { operation: Operation::Update, key: vec![key], before, values }
}

fn delete(key: i64) -> Change {
    Change {
        operation: Operation::Delete,
        key: vec![key],
        before: None,
        values: vec![Given::Value(None); 3],
    }
}

/// The notes of the rows after a slice, and the keys it asked the table for.
async fn notes(rows: &[(i64, i64)], changes: &[Change]) -> (Vec<(i64, Option<i64>)>, Vec<Key>) {
    let rows = rows.iter().map(|&(key, note)| (vec![key], vec![None, Some(note), None])).collect();
    let mut target = Target::new(by_id(), rows);
    let batch = decoded(changes, &target.shape, &mut StdRng::seed_from_u64(7));
    let slice = Changes::new([batch.clone()], &target.shape.schema(), &target.shape.key_names());
    net_changes(slice.expect("a slice"), session(), &target).await.expect("net changes");
    let asked = std::mem::take(target.asked.get_mut().expect("not poisoned"));
    apply(&mut target, changes, vec![batch], 7).await;
    (target.rows.iter().map(|(key, image)| (key[0], image[1])).collect(), asked)
}

#[tokio::test]
async fn a_key_change_takes_its_kept_values_along() {
    let chain = [update(1, 2, None), update(2, 3, None)];
    let asked = vec![vec![1], vec![2]];
    assert_eq!(notes(&[(1, 10)], &chain).await, (vec![(3, Some(10))], asked));
    let swap = [update(1, 0, None), update(2, 1, None), update(0, 2, None)];
    let (rows, _) = notes(&[(1, 10), (2, 20)], &swap).await;
    assert_eq!(rows, [(1, Some(20)), (2, Some(10))]);
    // Onto a key that is taken: in order, the row that was there is gone.
    let overrun = [update(1, 2, None), update(2, 1, None)];
    assert_eq!(notes(&[(1, 10), (2, 20)], &overrun).await.0, [(1, Some(10))]);
    let back = [update(1, 2, Some(5)), update(2, 1, None)];
    assert_eq!(notes(&[(1, 10)], &back).await, (vec![(1, Some(5))], vec![]));
}

#[tokio::test]
async fn a_key_change_that_is_repeated_keeps_what_stands_under_its_new_key() {
    let repeated = [update(1, 2, None)];
    assert_eq!(notes(&[(2, 10)], &repeated).await.0, [(2, Some(10))]);
    let in_one_slice = [update(1, 2, None), update(2, 2, Some(5)), update(1, 2, None)];
    assert_eq!(notes(&[(1, 10)], &in_one_slice).await.0, [(2, Some(5))]);
    let of_nothing = [update(1, 2, None)];
    assert_eq!(notes(&[], &of_nothing).await.0, [(2, None)]);
}

#[tokio::test]
async fn a_kept_value_is_the_latest_of_its_row() {
    assert_eq!(notes(&[(1, 10)], &[update(1, 1, None)]).await.0, [(1, Some(10))]);
    let (rows, asked) = notes(&[(1, 10)], &[insert(1, 11), update(1, 1, None)]).await;
    assert_eq!((rows, asked), (vec![(1, Some(11))], vec![]));
    let gone = [delete(1), update(1, 1, None)];
    assert_eq!(notes(&[(1, 10)], &gone).await, (vec![(1, None)], vec![]));
    let never_there = [update(1, 1, None), update(4, 5, None)];
    assert_eq!(notes(&[], &never_there).await.0, [(1, None), (5, None)]);
}

#[tokio::test]
async fn nothing_is_read_of_the_table_for_changes_that_are_superseded() {
    let changes = [update(1, 1, None), update(1, 1, Some(3)), update(2, 2, None), delete(2)];
    let (rows, asked) = notes(&[(1, 10), (2, 20)], &changes).await;
    assert_eq!((rows, asked), (vec![(1, Some(3))], vec![]));
}

/// Updates of these keys, with a before image that changes nothing.
fn load(keys: &[i64]) -> RecordBatch {
    let column: ArrayRef = Arc::new(Int64Array::from(keys.to_vec()));
    RecordBatch::try_from_iter([
        (OPERATION, Arc::new(UInt8Array::from(vec![1; keys.len()])) as ArrayRef),
        (&format!("{BEFORE}Key0"), Arc::clone(&column)),
        ("Key0", column),
        ("note", Arc::new(StringArray::from(vec!["a note"; keys.len()]))),
    ])
    .expect("columns of one length")
}

async fn net(batches: &[RecordBatch], keys: &[String]) -> Result<NetChanges> {
    let changes = Changes::new(batches.to_vec(), &by_id().schema(), keys)?;
    net_changes(changes, session(), &Target::new(by_id(), Rows::new())).await
}

#[tokio::test]
async fn a_load_in_key_order_is_not_copied() {
    let keys = by_id().key_names();
    let batches = [load(&[1, 2, 5]), load(&[]), load(&[6, 9])];
    let rising = net(&batches, &keys).await.expect("net changes");
    assert_eq!((rising.changes, rising.superseded), (5, 0));
    let notes = |batch: &RecordBatch| {
        batch.column_by_name("note").expect("a column").to_data().buffers()[1].as_ptr()
    };
    assert_eq!(
        rising.upserts.iter().map(notes).collect::<Vec<_>>(),
        [notes(&batches[0]), notes(&batches[2])]
    );
    for repeating in [[load(&[1, 2, 5]), load(&[5])], [load(&[1, 5, 5]), load(&[6])]] {
        let repeating = net(&repeating, &keys).await.expect("net changes");
        assert_eq!((repeating.changes, repeating.superseded), (4, 1));
    }
    let falling = net(&[load(&[3, 2, 1])], &keys).await.expect("net changes");
    assert_eq!((falling.upserts[0].num_rows(), falling.superseded), (3, 0));
}

#[tokio::test]
async fn a_table_without_keys_takes_every_insert_and_nothing_else() {
    let mut batch = load(&[4, 4, 3]).project(&[0, 2, 3]).expect("columns");
    assert_eq!(
        net(&[batch.clone()], &[]).await.expect_err("an update").kind(),
        ErrorKind::Internal
    );
    let unset = Arc::new(arrow::array::BooleanArray::from(vec![false, true, false]));
    batch = RecordBatch::try_from_iter([
        (OPERATION, Arc::new(UInt8Array::from(vec![0; 3])) as ArrayRef),
        ("note", Arc::clone(batch.column(2))),
        (&format!("{UNSET}note"), unset),
    ])
    .expect("columns");
    let inserts = net(&[batch], &[]).await.expect("net changes");
    assert_eq!((inserts.changes, inserts.superseded, inserts.deletes.len()), (3, 0, 0));
    let note = inserts.upserts[0].column_by_name("note").expect("a column");
    assert_eq!((note.len(), note.is_null(1), note.null_count()), (3, true, 1));
}

#[tokio::test]
async fn what_decoding_never_gives_is_refused() {
    let keys = by_id().key_names();
    let null_key = RecordBatch::try_from_iter([
        (OPERATION, Arc::new(UInt8Array::from(vec![0])) as ArrayRef),
        ("Key0", Arc::new(Int64Array::from(vec![None]))),
    ]);
    let with_column = |name: &str, array: ArrayRef| {
        let ids = load(&[1]);
        let columns = [
            (OPERATION, Arc::clone(ids.column(0))),
            ("Key0", Arc::clone(ids.column(2))),
            (name, array),
        ];
        RecordBatch::try_from_iter(columns)
    };
    let number: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let refused = [
        null_key,
        with_column("unheard-of", Arc::clone(&number)),
        with_column("note", number.clone()),
        with_column(&format!("{BEFORE}amount"), number),
        load(&[1]).project(&[0, 3]),
        load(&[1]).project(&[2, 3]),
    ];
    for batch in refused {
        let batch = batch.expect("a batch");
        let error = net(&[batch], &keys).await.expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Internal, "{error}");
    }
    let same_key_twice = NetChanges {
        upserts: vec![load(&[2, 1])],
        deletes: vec![load(&[2])],
        ..NetChanges::default()
    };
    assert_eq!(same_key_twice.check_keys(&keys).expect_err("twice").kind(), ErrorKind::Internal);
}

#[tokio::test]
async fn a_table_with_two_rows_of_a_key_is_corrupt() {
    struct Twice(Target);
    #[async_trait::async_trait]
    impl dmslake::change::CurrentRows for Twice {
        async fn rows(&self, keys: RecordBatch, columns: &[String]) -> Result<Vec<RecordBatch>> {
            let rows = self.0.rows(keys, columns).await?;
            Ok([rows.clone(), rows].concat())
        }
    }
    let target = Target::new(by_id(), Rows::from([(vec![1], vec![None; 3])]));
    let batch = decoded(&[update(1, 1, None)], &by_id(), &mut StdRng::seed_from_u64(1));
    let changes = Changes::new([batch], &by_id().schema(), &by_id().key_names()).expect("a slice");
    let error = net_changes(changes, session(), &Twice(target)).await.expect_err("corrupt");
    assert_eq!(error.kind(), ErrorKind::TableCorrupt);
}

#[test]
fn the_parts_of_a_batch_take_as_much_memory_as_the_whole() {
    let batch = load(&(0..1024).collect::<Vec<_>>());
    let parts: usize = (0..4).map(|part| memory_size(&batch.slice(part * 256, 256))).sum();
    // One more offset of the only text column in each further part.
    assert_eq!(parts, memory_size(&batch) + 3 * 4);
    // Operation, two numbers, an offset and the text; no column has null bits.
    assert_eq!(memory_size(&batch), 1024 * (1 + 8 + 8 + 4 + "a note".len()) + 4);
}
