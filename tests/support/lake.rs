//! A table of dmslake, created and changed through the crate's interface.

use std::sync::Arc;

use dmslake::change::NetChanges;
use dmslake::clock::{Clock, SystemClock};
use dmslake::error::Result;
use dmslake::merge::{self, MergePlan, Merged};
use dmslake::progress::{Books, CommitRecord, Ledger, NewestChange};
use dmslake::schema::TableSchema;
use dmslake::storage::{Location, encode_segment};
use dmslake::table::{self, LakeTable, Transaction};
use tempfile::TempDir;

/// The location of the table with this name below a folder.
pub(crate) async fn location(folder: &TempDir, name: &str) -> Location {
    let lake = Location::open(folder.path().to_str().unwrap()).await.unwrap();
    lake.folder(&["shop", &encode_segment(name)]).unwrap()
}

/// The clock that generates names.
pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

/// Creates an empty table.
pub(crate) async fn create(location: &Location, name: &str, schema: &TableSchema) -> LakeTable {
    let record = empty_record(0);
    let created = table::create(location, name, schema.columns(), record, &clock()).await.unwrap();
    created.committed().unwrap_or_else(|error| panic!("{name}: {}", error.chain()))
}

/// The newest version.
pub(crate) async fn open(location: &Location) -> LakeTable {
    table::open(location, None).await.unwrap().unwrap()
}

/// The record of a commit that takes in no object, with this many rows.
pub(crate) fn empty_record(rows: u64) -> CommitRecord {
    CommitRecord {
        format: CommitRecord::FORMAT,
        newest: NewestChange::default(),
        attempt: SystemClock.attempt_id(),
        objects: vec![],
        books: Books { before: rows, after: rows, ..Books::default() },
        ledger: Ledger { rows, ..Ledger::default() },
    }
}

/// The record of a plan's commit.
pub(crate) fn record(table: &LakeTable, plan: &MergePlan) -> CommitRecord {
    let after = table.rows() + plan.inserted - plan.deleted;
    CommitRecord {
        books: Books { before: table.rows(), after, ..Books::default() },
        ledger: Ledger { rows: after, ..table.ledger().clone() },
        ..empty_record(after)
    }
}

/// Commits a plan with this record.
pub(crate) async fn commit(
    table: &LakeTable,
    record: &CommitRecord,
    plan: MergePlan,
) -> Result<Merged> {
    merge::commit(Transaction::on(table, record.clone(), &clock()), plan).await
}

/// Plans and commits, with no concurrent commits.
pub(crate) async fn apply(
    location: &Location,
    table: &LakeTable,
    keys: &[String],
    net: NetChanges,
) -> (MergePlan, LakeTable) {
    let plan = merge::plan(table, keys, net).await.unwrap();
    let record = record(table, &plan);
    let merged = commit(table, &record, plan.clone()).await.unwrap();
    merged.outcome.committed().unwrap_or_else(|error| panic!("{}", error.chain()));
    (plan, open(location).await)
}

/// Inserted, updated, deleted, ignored.
pub(crate) fn counts(plan: &MergePlan) -> [u64; 4] {
    [plan.inserted, plan.updated, plan.deleted, plan.ignored]
}
