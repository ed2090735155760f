//! Which keys of a batch stand in the table.

use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch, UInt64Array};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::{DataType, Decimal128Type, Field, Schema, UInt64Type};
use datafusion::common::{Column, JoinType, ScalarValue};
use datafusion::datasource::MemTable;
use datafusion::functions_aggregate::expr_fn::{max, min};
use datafusion::prelude::{DataFrame, Expr, SessionContext, lit};
use deltalake::delta_datafusion::create_session;

use crate::error::{Error, ErrorKind, Result};
use crate::table::LakeTable;

/// Position of a key in the batches asked about.
const INDEX: &str = "change index";
/// Prefix of the asked key columns, so that they never collide with the table's.
const ASKED: &str = "asked ";

/// For each row of `batches`, in order, whether its key stands in the table.
///
/// # Errors
/// `Unavailable` if the table cannot be read, `TableCorrupt` if it holds a key twice.
pub(super) async fn presence<'a>(
    table: &LakeTable,
    keys: &[String],
    batches: impl Iterator<Item = &'a RecordBatch>,
) -> Result<BooleanArray> {
    let asked = asked_keys(keys, batches)?;
    let count: usize = asked.iter().map(RecordBatch::num_rows).sum();
    let mut present = vec![false; count];
    if count > 0 {
        let found =
            matches(table, keys, asked).await?.select(vec![named(INDEX)])?.collect().await?;
        for batch in found {
            for &index in batch.column(0).as_primitive::<UInt64Type>().values() {
                let index = usize::try_from(index).expect("an index of this process's memory");
                if std::mem::replace(&mut present[index], true) {
                    return Err(Error::new(
                        ErrorKind::TableCorrupt,
                        "a key stands in the table twice",
                    )
                    .with("keys", keys.join(", ")));
                }
            }
        }
    }
    Ok(BooleanArray::from(present))
}

/// The rows that `kept` marks, over batches in order.
pub(super) fn keep(batches: &[RecordBatch], kept: &BooleanArray) -> Result<Vec<RecordBatch>> {
    let mut offset = 0;
    let mut rows = Vec::with_capacity(batches.len());
    for batch in batches {
        let part = filter_record_batch(batch, &kept.slice(offset, batch.num_rows()))?;
        offset += batch.num_rows();
        if part.num_rows() > 0 {
            rows.push(part);
        }
    }
    Ok(rows)
}

/// The table's rows with these keys: the key columns and `columns`, as far as the table has
/// them, typed as its schema.
///
/// # Errors
/// `Unavailable` if the table cannot be read.
pub async fn rows_of(
    table: &LakeTable,
    keys: &[String],
    asked: &[RecordBatch],
    columns: &[String],
) -> Result<Vec<RecordBatch>> {
    if table.rows() == 0 || asked.iter().all(|batch| batch.num_rows() == 0) {
        return Ok(Vec::new());
    }
    let schema = table.schema().arrow();
    let wanted: Vec<usize> = (0..schema.fields().len())
        .filter(|&at| {
            let name = schema.field(at).name();
            keys.contains(name) || columns.contains(name)
        })
        .collect();
    let schema = Arc::new(schema.project(&wanted)?);
    let wanted: Vec<Expr> = schema.fields().iter().map(|field| named(field.name())).collect();
    let found = matches(table, keys, asked_keys(keys, asked)?).await?;
    let mut rows = Vec::new();
    for batch in found.select(wanted)?.collect().await? {
        // The scan hands out views of strings and bytes.
        let columns = batch.columns().iter().zip(schema.fields());
        let columns = columns
            .map(|(column, field)| cast(column, field.data_type()))
            .collect::<Result<Vec<_>, _>>()?;
        rows.push(RecordBatch::try_new(Arc::clone(&schema), columns)?);
    }
    Ok(rows)
}

/// The table's rows joined with the keys asked about.
async fn matches(table: &LakeTable, keys: &[String], asked: Vec<RecordBatch>) -> Result<DataFrame> {
    let session: SessionContext = create_session().into();
    let schema = asked[0].schema();
    let asked = session.read_table(Arc::new(MemTable::try_new(schema, vec![asked])?))?;
    let provider = table.delta().table_provider().await?;
    let ranges = key_ranges(&asked, keys).await?;
    let target = session.read_table(provider)?.filter(ranges)?;
    let on = keys.iter().map(|key| named(key).eq(named(&format!("{ASKED}{key}"))));
    Ok(target.join_on(asked, JoinType::Inner, on)?)
}

/// The key columns and the position of every row.
fn asked_keys<'a>(
    keys: &[String],
    batches: impl IntoIterator<Item = &'a RecordBatch>,
) -> Result<Vec<RecordBatch>> {
    let mut next = 0u64;
    let mut asked = Vec::new();
    for batch in batches {
        let mut fields = vec![Field::new(INDEX, DataType::UInt64, false)];
        let rows = batch.num_rows() as u64;
        let mut columns: Vec<arrow::array::ArrayRef> =
            vec![Arc::new(UInt64Array::from_iter_values(next..next + rows))];
        next += rows;
        for key in keys {
            let column = batch.column_by_name(key).ok_or_else(|| {
                Error::new(ErrorKind::Internal, "a change lacks a key column").with("column", key)
            })?;
            fields.push(Field::new(format!("{ASKED}{key}"), column.data_type().clone(), true));
            columns.push(Arc::clone(column));
        }
        asked.push(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?);
    }
    Ok(asked)
}

/// Each key column lies between the least and the greatest value asked about: what lets the
/// table's statistics rule files out. A column whose statistics may lie is left alone.
async fn key_ranges(asked: &DataFrame, keys: &[String]) -> Result<Expr> {
    let bounds = keys.iter().flat_map(|key| {
        let column = named(&format!("{ASKED}{key}"));
        [min(column.clone()).alias(format!("min {key}")), max(column).alias(format!("max {key}"))]
    });
    let found = asked.clone().aggregate(vec![], bounds.collect())?.collect().await?;
    let mut ranges = lit(true);
    for (position, key) in keys.iter().enumerate() {
        let low = ScalarValue::try_from_array(found[0].column(2 * position), 0)?;
        let high = ScalarValue::try_from_array(found[0].column(2 * position + 1), 0)?;
        if is_exact(&low) && is_exact(&high) {
            ranges = ranges.and(named(key).between(lit(low), lit(high)));
        }
    }
    Ok(ranges)
}

/// Whether statistics hold this value exactly. The log's decimals pass through a double, which
/// keeps 15 digits: a value of more may lie outside the bounds of the file that holds it,
/// while rounding never carries one of less across another.
fn is_exact(value: &ScalarValue) -> bool {
    const EXACT: u128 = 10u128.pow(15);
    match value {
        ScalarValue::Decimal128(Some(unscaled), _, _) => unscaled.unsigned_abs() < EXACT,
        _ => true,
    }
}

/// Whether statistics may rule files out for every one of these keys.
pub(super) fn may_prune<'a>(
    keys: &[String],
    batches: impl Iterator<Item = &'a RecordBatch>,
) -> bool {
    let decimals = |batch: &'a RecordBatch| {
        keys.iter()
            .filter_map(|key| batch.column_by_name(key)?.as_primitive_opt::<Decimal128Type>())
    };
    batches
        .flat_map(decimals)
        .flat_map(|column| column.iter().flatten())
        .all(|unscaled| is_exact(&ScalarValue::Decimal128(Some(unscaled), 38, 0)))
}

/// A column by its exact name, letter case and dots included.
pub(super) fn named(name: &str) -> Expr {
    Expr::Column(Column::from_name(name))
}
