//! One commit: rows, `txn` and record together.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, new_null_array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::datasource::MemTable;
use datafusion::prelude::{DataFrame, Expr, SessionContext, lit};
use deltalake::delta_datafusion::create_session;
use deltalake::kernel::Action;
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties};
use deltalake::operations::merge::MergeMetrics;
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::{DeltaTable, DeltaTableError};

use crate::error::{Error, ErrorKind, Result};
use crate::merge::append::write_files;
use crate::merge::{MergePlan, locate};
use crate::progress::CommitRecord;
use crate::table::{LakeTable, commit_properties, unknown_outcome};

/// Marks source rows that remove their key.
const IS_DELETE: &str = "change deletes";
const SOURCE: &str = "change";
const TARGET: &str = "lake";

/// What became of a commit.
#[derive(Debug)]
#[must_use]
pub enum CommitOutcome {
    /// It stands, as the version of this snapshot.
    Committed(Box<DeltaTable>),
    /// The call failed, before or after its effect: another commit may have won, or the answer
    /// was lost. Look at the table again; whose commit stands is told by the attempt id.
    Unknown(Error),
}

/// Commits a plan on top of exactly the snapshot that it was made for.
///
/// # Errors
/// `Internal` if the library counted other rows than the plan; anything that failed before the
/// commit was tried.
pub async fn commit(
    table: &LakeTable,
    plan: MergePlan,
    record: &CommitRecord,
) -> Result<CommitOutcome> {
    let properties = commit_properties(record, table.next_transaction())?;
    let outcome = if !plan.changes_rows() {
        commit_actions(table, Vec::new(), merge_operation(), properties).await
    } else if plan.only_inserts() {
        let files = write_files(table, &plan.keys, &plan.upserts).await?;
        let operation =
            DeltaOperation::Write { mode: SaveMode::Append, partition_by: None, predicate: None };
        commit_actions(table, files, operation, properties).await
    } else {
        match merge(table, &plan, properties).await? {
            Ok((delta, metrics)) => {
                assert_counts(&plan, &metrics)?;
                Ok(delta)
            }
            Err(error) => Err(error),
        }
    };
    Ok(match outcome {
        Ok(delta) => CommitOutcome::Committed(Box::new(delta)),
        Err(error) => CommitOutcome::Unknown(unknown_outcome(error)),
    })
}

fn merge_operation() -> DeltaOperation {
    DeltaOperation::Merge {
        predicate: None,
        merge_predicate: None,
        matched_predicates: Vec::new(),
        not_matched_predicates: Vec::new(),
        not_matched_by_source_predicates: Vec::new(),
    }
}

async fn commit_actions(
    table: &LakeTable,
    actions: Vec<Action>,
    operation: DeltaOperation,
    properties: CommitProperties,
) -> Result<DeltaTable, DeltaTableError> {
    let mut delta = table.delta().clone();
    let finalized = CommitBuilder::from(properties)
        .with_actions(actions)
        .build(Some(table.delta().snapshot()?), delta.log_store(), operation)
        .await?;
    delta.state = Some(finalized.snapshot());
    Ok(delta)
}

/// The outer error is ours, the inner one the library's, whose effect is unknown.
async fn merge(
    table: &LakeTable,
    plan: &MergePlan,
    properties: CommitProperties,
) -> Result<Result<(DeltaTable, MergeMetrics), DeltaTableError>> {
    let session: SessionContext = create_session().into();
    let source = source(&session, table, plan)?;
    let columns: Vec<String> =
        table.schema().columns().iter().map(|column| column.name.clone()).collect();
    let of = |relation: &str, name: &str| qualified(relation, name);
    let on = plan
        .keys
        .iter()
        .map(|key| of(TARGET, key).eq(of(SOURCE, key)))
        .reduce(Expr::and)
        .ok_or_else(|| Error::new(ErrorKind::Internal, "a merge without keys"))?;
    let is_delete = of(SOURCE, IS_DELETE);
    let built = table
        .delta()
        .clone()
        .merge(source, on)
        .with_source_alias(SOURCE)
        .with_target_alias(TARGET)
        .with_commit_properties(properties)
        .when_matched_delete(|delete| delete.predicate(is_delete.clone()))
        .and_then(|builder| {
            builder.when_matched_update(|update| {
                let update = update.predicate(is_delete.clone().is_false());
                columns.iter().fold(update, |update, name| {
                    update.update(deltalake_column(name), of(SOURCE, name))
                })
            })
        })
        .and_then(|builder| {
            builder.when_not_matched_insert(|insert| {
                let insert = insert.predicate(is_delete.clone().is_false());
                columns.iter().fold(insert, |insert, name| {
                    insert.set(deltalake_column(name), of(SOURCE, name))
                })
            })
        })?;
    let changes = plan.upserts.iter().chain(&plan.deletes);
    if locate::may_prune(&plan.keys, changes) {
        return Ok(built.await);
    }
    // A clause of this kind, even one that never fires, keeps the library from ruling files out
    // by statistics that may lie.
    let built = built.when_not_matched_by_source_delete(|delete| delete.predicate(lit(false)))?;
    Ok(built.await)
}

fn qualified(relation: &str, name: &str) -> Expr {
    Expr::Column(datafusion::common::Column::new(Some(relation), name))
}

fn deltalake_column(name: &str) -> datafusion::common::Column {
    datafusion::common::Column::from_name(name)
}

/// Upserts with their full images and deletes with their keys, marked apart.
fn source(session: &SessionContext, table: &LakeTable, plan: &MergePlan) -> Result<DataFrame> {
    let mut fields: Vec<Arc<Field>> = table.schema().arrow().fields().to_vec();
    fields.push(Arc::new(Field::new(IS_DELETE, DataType::Boolean, false)));
    let schema: SchemaRef = Arc::new(Schema::new(fields));
    let upserts = plan.upserts.iter().map(|batch| (batch, false));
    let deletes = plan.deletes.iter().map(|batch| (batch, true));
    let mut batches = Vec::with_capacity(plan.upserts.len() + plan.deletes.len());
    for (batch, is_delete) in upserts.chain(deletes) {
        let rows = batch.num_rows();
        let mut columns: Vec<ArrayRef> = schema.fields()[..schema.fields().len() - 1]
            .iter()
            .map(|field| match batch.column_by_name(field.name()) {
                Some(column) => Arc::clone(column),
                None => new_null_array(field.data_type(), rows),
            })
            .collect();
        columns.push(Arc::new(BooleanArray::from(vec![is_delete; rows])));
        batches.push(RecordBatch::try_new(Arc::clone(&schema), columns)?);
    }
    Ok(session.read_table(Arc::new(MemTable::try_new(schema, vec![batches])?))?)
}

/// The library counts for itself; it must agree with the plan.
fn assert_counts(plan: &MergePlan, metrics: &MergeMetrics) -> Result<()> {
    let counted = [
        metrics.num_target_rows_inserted,
        metrics.num_target_rows_updated,
        metrics.num_target_rows_deleted,
    ]
    .map(|count| count as u64);
    let planned = [plan.inserted, plan.updated, plan.deleted];
    if counted == planned {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Internal, "the merge changed other rows than were planned")
        .with("planned", format!("{planned:?}"))
        .with("merged", format!("{counted:?}")))
}
