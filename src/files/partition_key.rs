//! Divides rows by partition.

use std::collections::BTreeMap;

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use crate::error::{Error, ErrorKind, Result};

/// Values of the partition columns, in order, as the log writes them.
pub(crate) type PartitionKey = Vec<Option<String>>;

/// Divides rows by the values of these columns. Rows of one partition keep their order.
///
/// # Errors
/// `SchemaRefused` if the table is partitioned by a binary column.
pub(crate) fn divide(
    batch: &RecordBatch,
    columns: &[String],
) -> Result<BTreeMap<PartitionKey, RecordBatch>> {
    if columns.is_empty() {
        return Ok(BTreeMap::from([(PartitionKey::new(), batch.clone())]));
    }
    let spelled: Vec<Vec<Option<String>>> =
        columns.iter().map(|column| spell(batch, column)).collect::<Result<_>>()?;
    let mut rows: BTreeMap<PartitionKey, Vec<u32>> = BTreeMap::new();
    for (index, row) in (0..batch.num_rows()).zip(0..) {
        let key = spelled.iter().map(|values| values[index].clone()).collect();
        rows.entry(key).or_default().push(row);
    }
    rows.into_iter()
        .map(|(key, rows)| Ok((key, take_record_batch(batch, &UInt32Array::from(rows))?)))
        .collect()
}

fn spell(batch: &RecordBatch, name: &str) -> Result<Vec<Option<String>>> {
    let refused = |kind, message| Err(Error::new(kind, message).with("column", name));
    let Some(column) = batch.column_by_name(name) else {
        return refused(ErrorKind::Internal, "the rows to write have no partition column");
    };
    if column.data_type() == &DataType::Binary {
        return refused(
            ErrorKind::SchemaRefused,
            "a table partitioned by a binary column is not supported",
        );
    }
    spell_values(column)
}

fn spell_values(column: &ArrayRef) -> Result<Vec<Option<String>>> {
    let options = FormatOptions::new().with_timestamp_tz_format(Some("%Y-%m-%d %H:%M:%S%.6f"));
    let formatter = ArrayFormatter::try_new(column, &options)?;
    (0..column.len())
        .map(|row| {
            let text = column.is_valid(row).then(|| formatter.value(row).try_to_string());
            Ok(text.transpose()?)
        })
        .collect()
}
