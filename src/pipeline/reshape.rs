//! A change of columns that all files of a table must follow: they are written again beside the
//! table that readers see, and put in its place in one commit.
//!
//! What is written stands under a log of its own, as that of a rebuild, with the file that each
//! new one is made from. So it may be interrupted anywhere, is gone on with by whoever applies the
//! table next, and does not mind what others commit meanwhile.

use std::sync::Arc;

use deltalake::kernel::Add;

use crate::config::TableSpec;
use crate::error::{Error, ErrorKind, Result};
use crate::files::{self, FileLayout};
use crate::pipeline::application::Application;
use crate::pipeline::budget::Pace;
use crate::pipeline::looker::Looker;
use crate::pipeline::rebuild::{shadow, shadow_log};
use crate::pipeline::{Pipeline, Step};
use crate::schema::{Column, ColumnChange, TableSchema, pending_changes, reshaped};
use crate::table::{
    self, LakeTable, Reshape, RowSource, TableState, add_reshaped, create_reshaped, reshaped_files,
};

/// What is written is committed, and so safe from an end of the process, each time it has so many
/// bytes.
const COMMIT_BYTES: i64 = 256 << 20;

const NO_TABLE: &str = "there is no table whose columns could change";
const UNFINISHED: &str =
    "the table's files are being written again with other columns, which is not complete yet";

/// The changes of its columns that a table is to see before anything is applied to it: what the
/// configuration renames and, where objects are to be applied, what those asked for.
///
/// # Errors
/// `TableRefused` if the table has a renamed column under both names.
pub(super) fn wanted(
    spec: &TableSpec,
    schema: &TableSchema,
    state: Option<&TableState>,
    has_objects: bool,
) -> Result<Vec<ColumnChange>> {
    let mut changes: Vec<ColumnChange> = Vec::new();
    for (before, after) in spec.moved_names() {
        if schema.column(before).is_none() {
            continue;
        }
        let is_taken = schema.column(after).is_some()
            || changes
                .iter()
                .any(|it| matches!(it, ColumnChange::Rename { to, .. } if to == after));
        if is_taken {
            return Err(refused_both(before, after));
        }
        let (column, to) = (before.to_owned(), after.to_owned());
        changes.push(ColumnChange::Rename { column, to });
    }
    let asked_for = state.and_then(|state| state.reshape.as_ref()).filter(|_| has_objects);
    let asked_for = asked_for.map_or(&[][..], |reshape| &reshape.changes);
    for change in pending_changes(schema, asked_for) {
        let is_rename = matches!(change, ColumnChange::Rename { .. });
        if !is_rename && !changes.contains(&change) {
            changes.push(change);
        }
    }
    Ok(changes)
}

/// The columns of a table that takes the place of another, as far as no object tells them.
pub(super) fn columns_of_successor(
    spec: &TableSpec,
    replaced: &LakeTable,
    changes: &[ColumnChange],
) -> Vec<Column> {
    let schema = replaced.schema();
    let moved = spec.moved_names().map(|(before, after)| {
        let column = before.to_owned();
        // Where both are there, the table is rebuilt to be rid of the older one.
        match schema.column(after) {
            Some(_) => ColumnChange::Drop { column },
            None => ColumnChange::Rename { column, to: after.to_owned() },
        }
    });
    let moved = reshaped(schema, &moved.collect::<Vec<_>>());
    reshaped(&moved, changes).columns().to_vec()
}

fn refused_both(before: &str, after: &str) -> Error {
    Error::new(
        ErrorKind::TableRefused,
        format!("the table has both `{before}` and `{after}`, which `renamed` makes one column"),
    )
    .with_remedy(format!(
        "dmslake rebuild TABLE while everything since the load is staged; or, to keep both columns, \
         remove {before:?} from `renamed`"
    ))
}

/// Writes down which changes of columns a table is to see next. `known` is what its state said
/// before.
///
/// # Errors
/// As [`crate::table::StateObject::update`].
async fn ask(
    pipeline: &Pipeline,
    spec: &TableSpec,
    known: Option<&TableState>,
    changes: &[ColumnChange],
) -> Result<Reshape> {
    let (id, since) = (pipeline.clock().attempt_id(), pipeline.clock().now());
    let ask = |state: &mut TableState| {
        if state.reshape.as_ref().is_none_or(|reshape| reshape.changes != changes) {
            state.reshape = Some(Reshape { id, since, changes: changes.to_vec() });
        }
    };
    let reshape = pipeline.update_state(spec, ask).await?.reshape;
    if let Some(before) = known.and_then(|known| known.reshape.as_ref())
        && reshape.as_ref().is_none_or(|reshape| reshape.id != before.id)
    {
        pipeline.forget_shadow(spec, before.id).await;
    }
    reshape.ok_or_else(|| Error::new(ErrorKind::Internal, "no columns are to be changed"))
}

impl Application<'_> {
    /// Changes the columns of a table, or goes on with that.
    ///
    /// # Errors
    /// `Deadline` if there is no time left for all of it; what the commits meet.
    pub(super) async fn reshape(
        &self,
        table: Option<&LakeTable>,
        known: Option<&TableState>,
        changes: &[ColumnChange],
        pace: &mut Pace,
    ) -> Result<()> {
        let Some(table) = table else { return Err(Error::new(ErrorKind::Internal, NO_TABLE)) };
        let Looker { pipeline, spec, ref location, .. } = self.looker;
        let under_way = ask(pipeline, spec, known, changes).await?;
        let location = shadow(location, &shadow_log(pipeline, spec, under_way.id)?);
        let clock = pipeline.clock();
        let beside = match table::open(&location, None).await? {
            Some(beside) if *beside.schema() == reshaped(table.schema(), changes) => beside,
            // Others have changed the columns meanwhile.
            Some(_) => return Err(begin_anew(pipeline, spec, &under_way).await?),
            None => create_reshaped(&location, table, changes, clock).await?.committed()?,
        };
        let beside = self.write_again(table, beside, changes, pace).await?;
        let outcome = table::reshape(table, &beside, changes, spec.lake_keys(), clock).await?;
        let version = outcome.committed()?.version();
        tracing::info!(table = %spec.source, version, "its columns are changed");
        pipeline.forget_shadow(spec, under_way.id).await;
        Ok(())
    }

    /// Writes the files that are not written with these columns yet, and commits them to the table
    /// beside.
    async fn write_again(
        &self,
        table: &LakeTable,
        mut beside: LakeTable,
        changes: &[ColumnChange],
        pace: &mut Pace,
    ) -> Result<LakeTable> {
        let Looker { pipeline, spec, .. } = self.looker;
        let clock = pipeline.clock();
        let done = reshaped_files(&beside)?;
        let mut left = table.live_files()?;
        left.retain(|add| !done.contains_key(&RowSource::of(add)));
        announce(spec, changes, &left);
        let layout = Arc::new(FileLayout::of(beside.files(), &spec.lake_keys(), clock)?);
        let mut written = Vec::new();
        let mut bytes = 0;
        let mut files_left = left.len() as u64;
        for add in left {
            if self.limits.stop.is_requested() || !pace.has_time(clock.as_ref()) {
                if !written.is_empty() {
                    let _ = add_reshaped(&beside, written, clock).await?.committed()?;
                }
                return Err(Error::new(ErrorKind::Deadline, UNFINISHED));
            }
            let begun = clock.instant();
            let files = match files::reshaped(table.files(), &add, changes, &layout).await {
                Ok(files) => files,
                Err(error) => return Err(table.judge(error).await),
            };
            pace.committed(clock.instant() - begun);
            files_left -= 1;
            self.observer.step(Step::Reshaped { files_left });
            let source = RowSource::of(&add);
            bytes += files.iter().map(|file| file.size).sum::<i64>();
            written.extend(files.into_iter().map(|file| (source.clone(), file)));
            if bytes >= COMMIT_BYTES {
                let files = std::mem::take(&mut written);
                beside = add_reshaped(&beside, files, clock).await?.committed()?;
                bytes = 0;
            }
        }
        if !written.is_empty() {
            beside = add_reshaped(&beside, written, clock).await?.committed()?;
        }
        Ok(beside)
    }
}

/// Says what it will cost, before it does.
fn announce(spec: &TableSpec, changes: &[ColumnChange], left: &[Add]) {
    if left.is_empty() {
        return;
    }
    tracing::info!(
        table = %spec.source,
        changes = %described(changes),
        files = left.len(),
        bytes = left.iter().map(|add| add.size).sum::<i64>(),
        "columns change: all files are written again"
    );
}

/// Gives up what was written for columns that the table no longer has.
async fn begin_anew(pipeline: &Pipeline, spec: &TableSpec, outdated: &Reshape) -> Result<Error> {
    let forget = |state: &mut TableState| {
        if state.reshape.as_ref().is_some_and(|reshape| reshape.id == outdated.id) {
            state.reshape = None;
        }
    };
    pipeline.update_state(spec, forget).await?;
    pipeline.forget_shadow(spec, outdated.id).await;
    Ok(Error::new(ErrorKind::Conflict, "the table's columns changed while its rows were written"))
}

/// The changes in words.
fn described(changes: &[ColumnChange]) -> String {
    let one = |change: &ColumnChange| match change {
        ColumnChange::Widen { column, to } => format!("{column} becomes {to}"),
        ColumnChange::Rename { column, to } => format!("{column} is now {to}"),
        ColumnChange::Drop { column } => format!("{column} goes"),
    };
    changes.iter().map(one).collect::<Vec<_>>().join(", ")
}
