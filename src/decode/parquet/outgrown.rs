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
/// configured one, and a value of it or of its before image is too: as the statistics of the row
/// groups tell, or the first rows. That its type alone is wider means nothing, since DMS chooses its
/// forms freely; unless the table has followed it already.
pub(super) fn outgrown(
    plan: &Plan,
    fields: &Fields,
    expected: &Expected<'_>,
    rows: &ParquetRows,
    first: Option<&RecordBatch>,
) -> Result<Vec<usize>> {
    let mut outgrown = Vec::new();
    for output in &plan.outputs {
        let own = &fields.physical[output.typed_as];
        let is_outgrown = match room(&output.typed_name, own, expected) {
            Room::None => false,
            Room::InTable => true,
            Room::ToWiden => {
                let mut samples = rows.extremes(output.field);
                samples.extend(first.map(|batch| ArrayRef::clone(batch.column(output.field))));
                let physical = &fields.physical[output.field];
                let exceeding = samples.iter().map(|sample| exceeds(sample, physical, output));
                exceeding.collect::<Result<Vec<bool>>>()?.contains(&true)
            }
        };
        if is_outgrown {
            outgrown.push(output.typed_as);
        }
    }
    Ok(outgrown)
}

/// Where values of a wider type than the configured one may go.
enum Room {
    /// The column has no wider type of its own, or none that the table may get.
    None,
    /// The table has a wider type already.
    InTable,
    /// The table may get one.
    ToWiden,
}

/// For a column that is a number or a date.
fn room(column: &str, physical: &DataType, expected: &Expected<'_>) -> Room {
    let stated = match expected.spec(column) {
        // How DMS writes bits is not documented.
        Some(spec) if !spec.boolean && !matches!(spec.mysql_type, MySqlType::Bit { .. }) => {
            spec.mysql_type.column_type()
        }
        _ => return Room::None,
    };
    let is_ordered =
        !matches!(stated, ColumnType::Boolean | ColumnType::String | ColumnType::Binary);
    let is_wider = |own| is_ordered && widened(stated, own).is_some_and(|both| both != stated);
    let Some(own) = natural(physical).filter(|own| is_wider(*own)) else { return Room::None };
    let has = expected.lake_type(column).unwrap_or(stated);
    match widened(has, own) {
        None => Room::None,
        Some(both) if both == has && has != stated => Room::InTable,
        Some(_) => Room::ToWiden,
    }
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
