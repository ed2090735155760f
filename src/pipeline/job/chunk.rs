//! Tasks that read staged objects: a chunk's slices become net changes in key order, or data files.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use chrono::DateTime;
use datafusion::prelude::SessionConfig;
use object_store::path::Path;

use crate::change::{Changes, CurrentRows, NetChanges, net_changes};
use crate::dms::{Classified, classify};
use crate::error::{Error, ErrorKind, Result, ToldError};
use crate::files::NewFiles;
use crate::merge::new_files;
use crate::pipeline::Silent;
use crate::pipeline::job::format::{
    Chunk, ChunkEnd, ChunkOutcome, Loaded, ObjectSpec, PortionOutcome, SliceOutcome, SliceRows,
    Span,
};
use crate::pipeline::job::key_order::KeyOrder;
use crate::pipeline::job::net;
use crate::pipeline::job::scratch::{Segment, append_bytes};
use crate::pipeline::job::task::TaskContext;
use crate::pipeline::slice::{Portion, Slice, Turn};
use crate::pipeline::slicer::{Cut, NextSlice, Slicer};
use crate::pipeline::suspicion::{Suspicion, columns_apart};
use crate::session::session;
use crate::staging::StagedObject;

/// What becomes of a chunk's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Into {
    /// Net changes in key order, for later stages.
    Runs,
    /// Data files.
    Files,
}

/// Reads a chunk. What ends it early is part of the outcome: what comes before it counts.
///
/// # Errors
/// What another attempt may not meet.
pub(super) async fn read(
    context: &TaskContext<'_>,
    chunk: &Chunk,
    into: Into,
) -> Result<ChunkOutcome> {
    let objects: Vec<StagedObject> = chunk.objects.iter().map(staged).collect::<Result<_>>()?;
    let paths: Vec<String> = objects.iter().map(|object| object.relative.clone()).collect();
    let let_pass = BTreeSet::new();
    let cut = Cut {
        table: &context.round.table,
        dms: &context.round.dms,
        staging: &context.staging,
        clock: context.clock().as_ref(),
        observer: &Silent,
        changes: context.round.changes.clone(),
        memory_budget: context.memory_budget,
        let_pass: &let_pass,
        first_rows: None,
    };
    let no_late = (Vec::new(), Turn::Due);
    let columns = context.columns.clone();
    let mut slicer = Slicer::behind(cut, objects, no_late, chunk.skip_rows, columns);
    let mut reading = Reading::new(context, into)?;
    let mut outcomes = Vec::new();
    let end = loop {
        let slice = match slicer.next(None).await {
            Ok(NextSlice::Slice(slice)) => slice,
            Ok(NextSlice::Reshape(changes)) => break ChunkEnd::Reshape(changes),
            Ok(NextSlice::End) => break ChunkEnd::Complete,
            Err(error) if is_final(&error) => break ChunkEnd::Failed(ToldError::from(&error)),
            Err(error) => return Err(error),
        };
        if slice.schema != context.columns {
            break ChunkEnd::Columns(slice.schema.columns().to_vec());
        }
        match reading.take_in(slice, &paths).await {
            Ok(Some(outcome)) => outcomes.push(outcome),
            Ok(None) => break ChunkEnd::KeepsValues,
            Err(error) if is_final(&error) => break ChunkEnd::Failed(ToldError::from(&error)),
            Err(error) => return Err(error),
        }
    };
    reading.finish(&mut outcomes).await?;
    Ok(ChunkOutcome { slices: outcomes, gone: slicer.gone().clone(), end })
}

/// Whether every attempt would meet it.
fn is_final(error: &Error) -> bool {
    !matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Conflict)
}

/// A chunk that is being read.
struct Reading<'a> {
    context: &'a TaskContext<'a>,
    order: Option<KeyOrder>,
    /// None where rows do not become files.
    files: Option<NewFiles>,
}

impl<'a> Reading<'a> {
    fn new(context: &'a TaskContext<'a>, into: Into) -> Result<Self> {
        let keys = context.round.table.lake_keys();
        let order =
            (!keys.is_empty()).then(|| KeyOrder::of(&context.columns, &keys)).transpose()?;
        let table = context.table.as_ref().filter(|_| into == Into::Files);
        let files = table.map(|table| new_files(table, &keys, context.clock())).transpose()?;
        Ok(Self { context, order, files })
    }

    /// Takes in a slice; none if its changes keep values of rows.
    async fn take_in(
        &mut self,
        mut slice: Slice,
        paths: &[String],
    ) -> Result<Option<SliceOutcome>> {
        let spec = &self.context.round.table;
        let changes = Changes::new(slice.take_batches(), &self.context.columns, &spec.lake_keys())?;
        if changes.keep_values() {
            return Ok(None);
        }
        let span = changes.span().map(|span| Span {
            first: span.first.to_owned(),
            last: span.last.to_owned(),
            ascends: span.ascends,
        });
        let net = reduce(self.context, changes, slice.is_of_load()).await?;
        let (changes, superseded) = (net.changes, net.superseded);
        let portions = portions(self.context, &slice, paths).await?;
        let rows = match (&mut self.files, &self.order) {
            (Some(files), order) => {
                if !net.deletes.is_empty() {
                    return Err(misdirected());
                }
                let bounds = order.as_ref().map(|order| order.bounds(&net.upserts)).transpose()?;
                for batch in &net.upserts {
                    files.write(batch).await?;
                }
                SliceRows::Files(Loaded { bounds: bounds.flatten(), ..Loaded::default() })
            }
            (None, Some(order)) => SliceRows::Run(net::write_run(self.context, order, net).await?),
            (None, None) => return Err(misdirected()),
        };
        Ok(Some(SliceOutcome { portions, changes, superseded, span, rows }))
    }

    /// Closes the data files, which go with the last slice.
    async fn finish(self, slices: &mut [SliceOutcome]) -> Result<()> {
        let Some(files) = self.files else { return Ok(()) };
        let files = files.close().await?;
        match slices.last_mut().map(|slice| &mut slice.rows) {
            Some(SliceRows::Files(loaded)) => {
                loaded.files = files;
                Ok(())
            }
            _ if files.is_empty() => Ok(()),
            _ => Err(misdirected()),
        }
    }
}

async fn reduce(context: &TaskContext<'_>, changes: Changes, is_load: bool) -> Result<NetChanges> {
    let spec = &context.round.table;
    let session = session(SessionConfig::new(), Arc::default());
    let suspicion = if is_load && !spec.keys.is_empty() {
        Suspicion::KeysNotUnique { apart: columns_apart(spec) }
    } else {
        Suspicion::None
    };
    net_changes(suspicion.watch(changes), &session, &Nothing).await
}

async fn portions(
    context: &TaskContext<'_>,
    slice: &Slice,
    paths: &[String],
) -> Result<Vec<PortionOutcome>> {
    let mut outcomes = Vec::with_capacity(slice.portions.len());
    for portion in &slice.portions {
        let path = |path: &String| *path == portion.object.relative;
        let object = paths.iter().position(path).ok_or_else(misdirected)?;
        outcomes.push(PortionOutcome {
            object,
            identity: portion.identity.clone(),
            from: portion.from,
            rows: portion.rows,
            is_done: portion.is_done,
            sequence: portion.sequence.clone(),
            source_time: portion.source_time,
            bad_rows: bad_rows(context, portion).await?,
        });
    }
    Ok(outcomes)
}

/// Leaves bad rows for the driver, which sets them aside: they hold values.
async fn bad_rows(
    context: &TaskContext<'_>,
    portion: &Portion,
) -> Result<Option<(String, Segment)>> {
    if portion.bad_rows.is_empty() {
        return Ok(None);
    }
    let json = serde_json::to_vec(&portion.bad_rows).map_err(|error| {
        Error::new(ErrorKind::Internal, "bad rows cannot be written").because(error)
    })?;
    let mut bytes = Vec::new();
    let segment = append_bytes(&mut bytes, &json, portion.bad_rows.len() as u64);
    let object = context.new_object("bad");
    context.scratch.put(&object, bytes).await?;
    Ok(Some((object, segment)))
}

/// No row is asked for where no change keeps values.
struct Nothing;

#[async_trait]
impl CurrentRows for Nothing {
    async fn rows(&self, _: RecordBatch, _: &[String]) -> Result<Vec<RecordBatch>> {
        Err(misdirected())
    }
}

fn misdirected() -> Error {
    Error::new(ErrorKind::Internal, "a task was given what it cannot do")
}

/// An object as a task knows it.
pub(super) fn object_spec(object: &StagedObject) -> ObjectSpec {
    ObjectSpec {
        path: object.location.to_string(),
        object: object.relative.clone(),
        size: object.size,
        e_tag: object.e_tag.clone(),
        modified: object.last_modified.timestamp_nanos_opt().unwrap_or_default(),
    }
}

fn staged(spec: &ObjectSpec) -> Result<StagedObject> {
    let unknown = || {
        Error::new(ErrorKind::Internal, "a task names no object of DMS")
            .with("object", &spec.object)
    };
    let Classified::Changes(name) = classify(&spec.object) else { return Err(unknown()) };
    Ok(StagedObject {
        location: Path::parse(&spec.path).map_err(|error| unknown().because(error))?,
        relative: spec.object.clone(),
        name,
        size: spec.size,
        e_tag: spec.e_tag.clone(),
        last_modified: DateTime::from_timestamp_nanos(spec.modified),
    })
}
