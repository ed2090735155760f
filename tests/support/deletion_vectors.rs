//! Rows that another writer masked with deletion vectors.

use std::collections::BTreeSet;
use std::path::Path;

use buoyant_kernel::actions::deletion_vector::DeletionVectorDescriptor as KernelDescriptor;
use buoyant_kernel::actions::deletion_vector_writer::{
    KernelDeletionVector, StreamingDeletionVectorWriter,
};
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties};
use deltalake::kernel::{Action, Add, DeletionVectorDescriptor, StorageType};
use deltalake::operations::create::CreateBuilder;
use deltalake::protocol::DeltaOperation;
use deltalake::{DeltaTable, TableProperty};
use dmslake::clock::{Clock, SystemClock};
use dmslake::schema::TableSchema;
use dmslake::storage::Location;
use dmslake::table::{self, LakeTable};

use super::lake;

/// Creates an empty table of ours whose files may have deletion vectors: reader 3, writer 7.
pub(crate) async fn create(location: &Location, schema: &TableSchema) -> LakeTable {
    CreateBuilder::new()
        .with_log_store(table::log_store(location).unwrap())
        .with_columns(table::to_delta(schema.columns()).unwrap())
        .with_configuration_property(TableProperty::EnableExpiredLogCleanup, Some("false"))
        .with_configuration_property(TableProperty::EnableDeletionVectors, Some("true"))
        .with_commit_properties(table::commit_properties(&lake::empty_record(0), 1, None).unwrap())
        .await
        .unwrap();
    lake::open(location).await
}

/// A data file with its masked rows.
#[derive(Clone, Debug)]
pub(crate) struct Masked {
    pub(crate) add: Add,
    pub(crate) rows: BTreeSet<u64>,
}

/// The active files of a table, by path.
pub(crate) async fn files(table: &DeltaTable) -> Vec<Masked> {
    let mut files = Vec::new();
    #[expect(deprecated, reason = "the public way to a whole action")]
    let adds: Vec<Add> =
        table.snapshot().unwrap().log_data().iter().map(|file| file.add_action()).collect();
    for add in adds {
        let rows = match add.deletion_vector.clone() {
            Some(vector) => read(table, vector).await,
            None => BTreeSet::new(),
        };
        files.push(Masked { add, rows });
    }
    files.sort_by(|a, b| a.add.path.cmp(&b.add.path));
    files
}

async fn read(table: &DeltaTable, vector: DeletionVectorDescriptor) -> BTreeSet<u64> {
    let vector: KernelDescriptor = vector.try_into().unwrap();
    let storage = table.log_store().engine(None).storage_handler();
    let root = table.table_url().clone();
    let read = move || vector.read(storage, &root).unwrap().iter().collect();
    tokio::task::spawn_blocking(read).await.unwrap()
}

/// Masks these rows too, in a commit of another writer.
pub(crate) async fn mask(table: &DeltaTable, folder: &Path, more: Vec<(Masked, BTreeSet<u64>)>) {
    let operation = DeltaOperation::Merge {
        predicate: None,
        merge_predicate: None,
        matched_predicates: vec![],
        not_matched_predicates: vec![],
        not_matched_by_source_predicates: vec![],
    };
    CommitBuilder::from(CommitProperties::default())
        .with_actions(masking(table, folder, more))
        .build(Some(table.snapshot().unwrap()), table.log_store(), operation)
        .await
        .unwrap();
}

/// The actions of a commit that masks these rows too. All vectors are in one new `.bin` file.
pub(crate) fn masking(
    table: &DeltaTable,
    folder: &Path,
    more: Vec<(Masked, BTreeSet<u64>)>,
) -> Vec<Action> {
    let id = SystemClock.attempt_id();
    let mut content = Vec::new();
    let mut writer = StreamingDeletionVectorWriter::new(&mut content);
    let mut actions = Vec::new();
    for (file, rows) in more {
        let mut vector = KernelDeletionVector::new();
        vector.add_deleted_row_indexes(file.rows.union(&rows));
        let written = writer.write_deletion_vector(vector).unwrap();
        let descriptor = DeletionVectorDescriptor {
            storage_type: StorageType::UuidRelativePath,
            path_or_inline_dv: z85::encode(id.as_bytes()),
            offset: Some(written.offset),
            size_in_bytes: written.size_in_bytes,
            cardinality: written.cardinality,
        };
        actions.push(Action::Remove(remove(table, &file.add)));
        actions.push(Action::Add(Add {
            deletion_vector: Some(descriptor),
            stats: file.add.stats.as_deref().map(widened),
            data_change: true,
            ..file.add
        }));
    }
    writer.finalize().unwrap();
    std::fs::write(folder.join(format!("deletion_vector_{id}.bin")), content).unwrap();
    actions
}

fn remove(table: &DeltaTable, add: &Add) -> deltalake::kernel::Remove {
    let files = table.snapshot().unwrap().log_data();
    let file = files.iter().find(|file| file.path() == add.path.as_str()).unwrap();
    file.remove_action(true)
}

/// The same statistics, marked as wide bounds. Numbers must keep their text.
fn widened(statistics: &str) -> String {
    if statistics.contains("\"tightBounds\"") {
        return statistics.replace("\"tightBounds\":true", "\"tightBounds\":false");
    }
    format!("{{\"tightBounds\":false,{}", &statistics[1..])
}
