//! The table as a slice needs it: made, with every column, and with the protocol of its mode.

use std::collections::BTreeSet;

use crate::config::{LookBack, MergeMode, SEQUENCE, TableSpec};
use crate::error::{Error, ErrorKind, Result};
use crate::pipeline::Pipeline;
use crate::pipeline::rebuild::Build;
use crate::pipeline::slice::Slice;
use crate::progress::{CommitRecord, Ledger};
use crate::schema::{Column, ColumnType};
use crate::storage::Location;
use crate::table::{self, LakeTable, TableState};

/// Where the slices of one pass go.
pub(super) struct Target<'a> {
    pub(super) pipeline: &'a Pipeline,
    pub(super) spec: &'a TableSpec,
    pub(super) location: &'a Location,
    /// With which progress the table begins, if it is not there yet.
    pub(super) beginning: &'a Ledger,
    /// What may leave the ledger's window.
    pub(super) bound: Option<LookBack>,
    /// Where they go.
    pub(super) built: Build,
    /// Whether an operator goes on although objects are missing.
    pub(super) accepts_loss: bool,
    /// Objects that may exceed the limits of the configuration.
    pub(super) let_pass: &'a BTreeSet<String>,
    /// The columns with which the table is made if the objects tell none: those of the table whose
    /// place it takes.
    pub(super) columns: &'a [Column],
}

/// The table that takes in a slice; each step is a commit of its own, which takes in no object.
/// Its state object says that there is a table before its first rows are committed.
pub(super) async fn ready_table(
    target: &Target<'_>,
    table: Option<LakeTable>,
    slice: &Slice,
) -> Result<LakeTable> {
    let Target { pipeline, spec, built, .. } = *target;
    let table = match table {
        Some(table) => widened(pipeline, spec, table, slice).await?,
        None => created(target, slice).await?,
    };
    if table.ledger().is_untouched() {
        let begin = |state: &mut TableState| {
            state.begun = true;
            state.keys = spec.lake_keys();
            // What was built for a table that is gone is not for this one.
            if built == Build::InPlace {
                state.rebuild = None;
            }
        };
        pipeline.update_state(spec, begin).await?;
    }
    if spec.merge == MergeMode::CopyOnWrite || table.may_mask() {
        return Ok(table);
    }
    if !table.can_read_vectors() {
        tracing::warn!(
            table = %spec.source,
            "deletion vectors cannot be read below a folder whose name is encoded: copy-on-write"
        );
        return Ok(table);
    }
    let table = table::allow_vectors(&table, pipeline.clock()).await?.committed()?;
    tracing::info!(table = %spec.source, version = table.version(), "deletion vectors allowed");
    Ok(table)
}

async fn created(target: &Target<'_>, slice: &Slice) -> Result<LakeTable> {
    let Target { pipeline, spec, location, beginning, columns, .. } = *target;
    let brought = slice.schema.columns();
    let mut columns = if brought.is_empty() { columns } else { brought }.to_vec();
    require_keys(spec, &columns)?;
    let sequence = sequence_of(spec);
    columns.extend(sequence.filter(|it| columns.iter().all(|column| column.name != it.name)));
    let attempt = pipeline.clock().attempt_id();
    let keys = Some(spec.lake_keys());
    let progress = Ledger { keys, one_time_spelling: true, ..beginning.clone() };
    let record = CommitRecord::without_objects(attempt, progress, 0);
    let name = spec.source.to_string();
    table::create(location, &name, &columns, record, pipeline.clock()).await?.committed()
}

async fn widened(
    pipeline: &Pipeline,
    spec: &TableSpec,
    table: LakeTable,
    slice: &Slice,
) -> Result<LakeTable> {
    let wanted = slice.schema.columns().iter().cloned();
    let mut new: Vec<Column> =
        wanted.filter(|column| table.schema().column(&column.name).is_none()).collect();
    let sequence = sequence_of(spec).filter(|it| table.schema().column(&it.name).is_none());
    new.extend(sequence.filter(|it| new.iter().all(|column| column.name != it.name)));
    if new.is_empty() {
        return Ok(table);
    }
    let table = table::add_columns(&table, &new, pipeline.clock()).await?.committed()?;
    tracing::info!(
        table = %spec.source,
        version = table.version(),
        columns = new.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", "),
        "columns added"
    );
    Ok(table)
}

/// The column in which a guarded table keeps change sequences.
fn sequence_of(spec: &TableSpec) -> Option<Column> {
    let column =
        Column { name: SEQUENCE.to_owned(), column_type: ColumnType::String, nullable: true };
    spec.is_guarded().then_some(column)
}

fn require_keys(spec: &TableSpec, columns: &[Column]) -> Result<()> {
    for key in spec.lake_keys() {
        if !columns.iter().any(|column| column.name == key) {
            return Err(Error::new(
                ErrorKind::SchemaRefused,
                "key column missing from the staged objects: fix `keys` in the configuration",
            )
            .with("column", key));
        }
    }
    Ok(())
}
