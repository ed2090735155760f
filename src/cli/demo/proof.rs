//! The proof: every row of the lake compared with the source.

use std::collections::BTreeMap;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Int64Type, TimeUnit, TimestampMicrosecondType};
use arrow::record_batch::RecordBatch;
use datafusion::prelude::SessionContext;
use deltalake::DeltaTable;

use super::source::{Kind, MONEY_SCALE, SourceColumn, SourceTable, Value, Values};
use crate::config::SEQUENCE;
use crate::error::{Error, ErrorKind, Result};

/// The comparison of a table with its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Comparison {
    /// Rows at the source.
    pub(super) source_rows: usize,
    /// Rows in the lake.
    pub(super) lake_rows: usize,
    /// The first difference, if there is one.
    pub(super) difference: Option<String>,
}

/// Compares all rows and all columns.
///
/// # Errors
/// `TableCorrupt` or `Internal` if the table of the lake cannot be read.
pub(super) async fn compare(table: &DeltaTable, source: &SourceTable) -> Result<Comparison> {
    let session = SessionContext::new();
    let batches = session.read_table(table.table_provider().await?)?.collect().await?;
    let mut lake = BTreeMap::new();
    let mut lake_rows = 0;
    for batch in &batches {
        lake_rows += batch.num_rows();
        for row in rows(batch, source.columns())? {
            lake.insert(source.key(&row), row);
        }
    }
    let source_rows = source.rows().len();
    let difference = if lake_rows == lake.len() {
        wrong_columns(&batches, source).or_else(|| first_difference(&lake, source))
    } else {
        Some("a key is in the lake twice".to_owned())
    };
    Ok(Comparison { source_rows, lake_rows, difference })
}

fn wrong_columns(batches: &[RecordBatch], source: &SourceTable) -> Option<String> {
    let schema = batches.first()?.schema();
    // A guarded table keeps the change sequence of each row.
    let is_known =
        |name: &str| name == SEQUENCE || source.columns().iter().any(|column| column.name == name);
    let surplus = schema.fields().iter().find(|field| !is_known(field.name()))?;
    Some(format!("column {} does not exist at the source", surplus.name()))
}

fn first_difference(lake: &BTreeMap<Values, Values>, source: &SourceTable) -> Option<String> {
    for (key, expected) in source.rows() {
        let Some(found) = lake.get(key) else {
            return Some(format!("the row with key {} is missing in the lake", shown(key)));
        };
        let differs = expected.iter().zip(found).position(|(one, other)| one != other);
        if let Some(column) = differs {
            let name = source.columns()[column].name;
            return Some(format!("column {name} differs in the row with key {}", shown(key)));
        }
    }
    let surplus = lake.keys().find(|key| source.row(key).is_none())?;
    Some(format!("the row with key {} does not exist at the source", shown(surplus)))
}

fn shown(key: &[Value]) -> String {
    let part = |value: &Value| match value {
        Value::Integer(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    key.iter().map(part).collect::<Vec<_>>().join("/")
}

/// The rows of a batch as the source would have them.
fn rows(batch: &RecordBatch, columns: &[SourceColumn]) -> Result<Vec<Values>> {
    let mut rows = vec![Vec::with_capacity(columns.len()); batch.num_rows()];
    for column in columns {
        let array = batch.column_by_name(column.name).ok_or_else(|| {
            Error::new(ErrorKind::SchemaRefused, "a column of the source is missing in the lake")
                .with("column", column.name)
        })?;
        let array = cast(array, &comparable(column.kind))?;
        for (position, row) in rows.iter_mut().enumerate() {
            row.push(if array.is_null(position) {
                Value::Null
            } else {
                match column.kind {
                    Kind::Text(_) => Value::Text(array.as_string::<i32>().value(position).into()),
                    Kind::Instant => Value::Instant(
                        array.as_primitive::<TimestampMicrosecondType>().value(position),
                    ),
                    Kind::Money { .. } => {
                        let digits = array.as_primitive::<Decimal128Type>().value(position);
                        Value::Money(i64::try_from(digits).unwrap_or(i64::MAX))
                    }
                    _ => Value::Integer(array.as_primitive::<Int64Type>().value(position)),
                }
            });
        }
    }
    Ok(rows)
}

fn comparable(kind: Kind) -> DataType {
    match kind {
        Kind::Text(_) => DataType::Utf8,
        Kind::Instant => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        Kind::Money { precision } => DataType::Decimal128(
            precision,
            i8::try_from(MONEY_SCALE).expect("the constant is small"),
        ),
        Kind::Tiny | Kind::UnsignedSmall | Kind::UnsignedInt | Kind::Big | Kind::UnsignedBig => {
            DataType::Int64
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::source::Moment;
    use super::*;

    #[test]
    fn each_kind_of_difference_is_found() {
        let mut source =
            SourceTable::new("t", 1, &[("id", Kind::Big), ("note", Kind::Text("text"))]);
        let row = |id, note: &str| vec![Value::Integer(id), Value::Text(note.into())];
        for id in [1, 2] {
            source.insert(Moment { time: 0, sequence: 0 }, row(id, "a"));
        }
        let lake = |rows: &[(i64, &str)]| {
            rows.iter().map(|&(id, note)| (vec![Value::Integer(id)], row(id, note))).collect()
        };
        let found = |rows: &[(i64, &str)]| first_difference(&lake(rows), &source);
        assert_eq!(found(&[(1, "a"), (2, "a")]), None);
        assert_eq!(found(&[(1, "a")]), Some("the row with key 2 is missing in the lake".into()));
        assert_eq!(
            found(&[(1, "a"), (2, "b")]),
            Some("column note differs in the row with key 2".into())
        );
        assert_eq!(
            found(&[(1, "a"), (2, "a"), (3, "a")]),
            Some("the row with key 3 does not exist at the source".into())
        );
    }
}
