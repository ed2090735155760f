//! One row of a staged object.

use std::collections::BTreeMap;

use arrow::array::AsArray;
use arrow::datatypes::UInt8Type;

use crate::config::TableSpec;
use crate::decode::{DecodeContext, OPERATION, open};
use crate::dms::Operation;
use crate::error::Result;
use crate::inspect::bisect::CulpritRow;
use crate::inspect::text::text_of;
use crate::pipeline::{Limits, Pipeline};
use crate::staging::StagedObject;
use crate::table::LakeTable;

/// Reads the row of that number; none if it cannot be decoded.
///
/// # Errors
/// As [`open`].
pub(super) async fn read_row(
    pipeline: &Pipeline,
    spec: &TableSpec,
    table: &LakeTable,
    object: &StagedObject,
    number: u64,
) -> Result<Option<CulpritRow>> {
    let staging = pipeline.staging();
    let schema = table.schema();
    let context = DecodeContext {
        table: spec,
        dms: &pipeline.settings().dms,
        lake: (!schema.columns().is_empty()).then_some(schema),
        changes: &[],
        store: staging.store(),
        kind: staging.kind(),
        batch_rows: 1,
        batch_bytes: 1,
        memory_budget: pipeline.memory_budget(&Limits::default()),
    };
    let mut reader = open(&context, object, number - 1).await?;
    let Some(batch) = reader.next().await? else { return Ok(None) };
    if batch.changes.num_rows() == 0 {
        return Ok(None);
    }
    let codes = batch.changes.column_by_name(OPERATION);
    let code = codes.and_then(|codes| codes.as_primitive_opt::<UInt8Type>()).map(|it| it.value(0));
    let operation = match code.and_then(Operation::of_code) {
        Some(Operation::Update) => "update",
        Some(Operation::Delete) => "delete",
        Some(Operation::Insert) | None => "insert",
    };
    let mut key = BTreeMap::new();
    for name in spec.lake_keys() {
        if let Some(values) = batch.changes.column_by_name(&name) {
            key.insert(name, text_of(values, 0)?.unwrap_or_default());
        }
    }
    let is_of_load = object.name.phase.is_full_load();
    Ok(Some(CulpritRow {
        number,
        operation,
        key,
        change_sequence: batch.sequence.map(|sequence| sequence.last),
        // In a full load it is when the row was read.
        source_time: batch.source_time.filter(|_| !is_of_load),
    }))
}
