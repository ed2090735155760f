//! Columns whose values exceed the type that the configuration states: they were widened at the
//! source since. Then the object's own type counts.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;

use crate::decode::columns::{Expected, Fields, Output, Plan};
use crate::decode::parquet::rows::ParquetRows;
use crate::decode::values::cast;
use crate::decode::values::faults::Faults;
use crate::decode::values::reading::Reading;
use crate::decode::values::text::Fault;
use crate::dms::MySqlType;
use crate::error::Result;
use crate::schema::ColumnType;
use crate::schema::evolve::{natural, widened};

/// The fields whose own types are to count. A column is one if its own type is wider than the
/// configured one, and a value of it is too: as the statistics of the row groups tell, or the first
/// rows. That its type alone is wider means nothing, since DMS chooses its forms freely.
pub(super) fn outgrown(
    plan: &Plan,
    fields: &Fields,
    expected: &Expected<'_>,
    rows: &ParquetRows,
    first: Option<&RecordBatch>,
) -> Result<Vec<usize>> {
    let mut outgrown = Vec::new();
    for output in &plan.outputs {
        let physical = &fields.physical[output.field];
        if !may_outgrow(output, physical, expected) {
            continue;
        }
        let mut samples = rows.extremes(&fields.names[output.field]);
        samples.extend(first.map(|batch| ArrayRef::clone(batch.column(output.field))));
        for sample in samples {
            if exceeds(&sample, physical, output)? {
                outgrown.push(output.typed_as);
                break;
            }
        }
    }
    Ok(outgrown)
}

/// Whether a column is read as a narrower number or date than it is, and the table may follow.
fn may_outgrow(output: &Output, physical: &DataType, expected: &Expected<'_>) -> bool {
    let stated = match expected.spec(&output.source) {
        // How DMS writes bits is not documented.
        Some(spec) if !spec.boolean && !matches!(spec.mysql_type, MySqlType::Bit { .. }) => {
            spec.mysql_type.column_type()
        }
        _ => return false,
    };
    let Some(own) = natural(physical) else { return false };
    let is_ordered =
        !matches!(stated, ColumnType::Boolean | ColumnType::String | ColumnType::Binary);
    let has = expected.lake_type(&output.source).unwrap_or(stated);
    is_ordered
        && widened(stated, own).is_some_and(|both| both != stated)
        && widened(has, own).is_some()
}

/// Whether one of these values is beyond the configured type, but not beyond the column's own.
fn exceeds(values: &ArrayRef, physical: &DataType, output: &Output) -> Result<bool> {
    if !cast::is_readable(output.reading.domain, physical) {
        return Ok(true);
    }
    let mut faults = Faults::new();
    cast::read(values, physical, &output.reading, &mut faults)?;
    let is_beyond =
        |(_, fault): &(usize, Fault)| matches!(fault, Fault::OutOfRange | Fault::Fraction);
    if !faults.iter().any(is_beyond) {
        return Ok(false);
    }
    let Ok(own) = Reading::resolve(None, None, Some(physical), false) else { return Ok(false) };
    let mut faults_of_own = Faults::new();
    cast::read(values, physical, &own, &mut faults_of_own)?;
    let is_of_own = |at: usize| faults_of_own.iter().any(|(faulty, _)| *faulty == at);
    Ok(faults.iter().filter(|fault| is_beyond(fault)).any(|(at, _)| !is_of_own(*at)))
}
