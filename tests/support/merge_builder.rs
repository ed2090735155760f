//! A reference for the merge: `deltalake`'s MERGE, a full outer join of every column of every file.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, new_null_array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::Column;
use datafusion::datasource::MemTable;
use datafusion::prelude::{DataFrame, Expr, SessionContext, lit};
use deltalake::DeltaTable;
use deltalake::delta_datafusion::create_session;
use deltalake::operations::merge::{MergeBuilder, MergeMetrics};
use dmslake::change::NetChanges;

/// Marks source rows that remove their key.
const IS_DELETE: &str = "change deletes";
const SOURCE: &str = "change";
const TARGET: &str = "lake";

/// Merges at least one net change into the newest version of a table.
pub(crate) async fn merge(
    table: DeltaTable,
    schema: &SchemaRef,
    keys: &[String],
    net: &NetChanges,
) -> (DeltaTable, MergeMetrics) {
    builder(table, schema, keys, net)
        // A clause of this kind, even if it never matches, prevents the library from ruling out
        // files by statistics, which it writes rounded but trusts.
        .when_not_matched_by_source_delete(|delete| delete.predicate(lit(false)))
        .unwrap()
        .await
        .unwrap()
}

/// The library's MERGE as its users write it.
pub(crate) fn builder(
    table: DeltaTable,
    schema: &SchemaRef,
    keys: &[String],
    net: &NetChanges,
) -> MergeBuilder {
    let session: SessionContext = create_session().into();
    let source = source(&session, schema, net);
    let columns: Vec<&String> = schema.fields().iter().map(|field| field.name()).collect();
    let on = keys.iter().map(|key| of(TARGET, key).eq(of(SOURCE, key)));
    let is_delete = of(SOURCE, IS_DELETE);
    table
        .merge(source, on.reduce(Expr::and).expect("a table has keys"))
        .with_source_alias(SOURCE)
        .with_target_alias(TARGET)
        .when_matched_delete(|delete| delete.predicate(is_delete.clone()))
        .unwrap()
        .when_matched_update(|update| {
            let update = update.predicate(is_delete.clone().is_false());
            columns.iter().fold(update, |update, name| {
                update.update(Column::from_name(*name), of(SOURCE, name))
            })
        })
        .unwrap()
        .when_not_matched_insert(|insert| {
            let insert = insert.predicate(is_delete.clone().is_false());
            columns
                .iter()
                .fold(insert, |insert, name| insert.set(Column::from_name(*name), of(SOURCE, name)))
        })
        .unwrap()
}

fn of(relation: &str, name: &str) -> Expr {
    Expr::Column(Column::new(Some(relation), name))
}

/// Upserts with their full images and deletes with their keys, with a marker column.
fn source(session: &SessionContext, schema: &SchemaRef, net: &NetChanges) -> DataFrame {
    let mut fields: Vec<Arc<Field>> = schema.fields().to_vec();
    fields.push(Arc::new(Field::new(IS_DELETE, DataType::Boolean, false)));
    let marked: SchemaRef = Arc::new(Schema::new(fields));
    let upserts = net.upserts.iter().map(|batch| (batch, false));
    let deletes = net.deletes.iter().map(|batch| (batch, true));
    let batches = upserts.chain(deletes).map(|(batch, is_delete)| {
        let rows = batch.num_rows();
        let mut columns: Vec<ArrayRef> = schema
            .fields()
            .iter()
            .map(|field| match batch.column_by_name(field.name()) {
                Some(column) => Arc::clone(column),
                None => new_null_array(field.data_type(), rows),
            })
            .collect();
        columns.push(Arc::new(BooleanArray::from(vec![is_delete; rows])));
        RecordBatch::try_new(Arc::clone(&marked), columns).unwrap()
    });
    let batches = batches.collect();
    session.read_table(Arc::new(MemTable::try_new(marked, vec![batches]).unwrap())).unwrap()
}
