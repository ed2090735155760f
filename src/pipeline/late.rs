//! Late objects: below the table's progress and never applied. What an operator does about them.

use crate::config::TableSpec;
use crate::decode::{Next, ReadAhead, ReadSettings};
use crate::error::{Error, ErrorKind, Result};
use crate::pipeline::application::Manner;
use crate::pipeline::application::{self, Application};
use crate::pipeline::budget::memory_budget;
use crate::pipeline::judgement::seen;
use crate::pipeline::slice::Turn;
use crate::pipeline::{Limits, Look, Observer, Pipeline, Scope, Standing, TableReport, Work};
use crate::progress::{Ledger, Mark, SeenObject};
use crate::staging::{Identify, Listing, StagedObject};
use crate::table::{LakeTable, TableState, refuse_table};

/// A late object, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LateObject {
    /// As it is staged.
    pub staged: StagedObject,
    /// How many rows it has; none if it cannot be read to its end.
    pub rows: Option<u64>,
}

impl Pipeline {
    /// The late objects of a table, in the order of their names.
    ///
    /// # Errors
    /// As [`Self::look`].
    pub async fn late(&self, spec: &TableSpec) -> Result<Vec<SeenObject>> {
        let look = self.look(spec, &Scope::Everything).await?;
        let late = late_of(&look.standing);
        let objects = look.listing.objects.iter();
        let objects = objects.filter(|object| late.contains(&object.relative.as_str()));
        Ok(seen(&objects.cloned().collect::<Vec<_>>(), self.staging().kind()))
    }

    /// Finds a late object of a table and reads it. Nothing is changed.
    ///
    /// # Errors
    /// `Config` if no late object has that name; as [`Self::look`].
    pub async fn find_late(&self, spec: &TableSpec, object: &str) -> Result<LateObject> {
        let look = self.look(spec, &Scope::Everything).await?;
        let staged = staged_late(&look, object)?;
        let settings = ReadSettings {
            table: spec.clone(),
            dms: self.settings().dms.clone(),
            staging: self.staging_folder(&spec.source)?,
            changes: Vec::new(),
            memory_budget: memory_budget(self.settings(), &Limits::default()),
        };
        let schema = look.table.map(|table| table.schema().clone()).unwrap_or_default();
        let reader = ReadAhead::new(settings, vec![staged.clone()], 0, schema);
        // Whether it can be read is for the operator to know, and no reason to stop.
        let rows = rows(reader).await.ok().flatten();
        Ok(LateObject { staged, rows })
    }

    /// Applies a late object out of its turn, over what is stored, and then what waits, as
    /// [`Self::apply`] does. The table's state object records it.
    pub async fn apply_late(
        &self,
        spec: &TableSpec,
        late: &LateObject,
        limits: &Limits,
        observer: &dyn Observer,
    ) -> TableReport {
        let asked = Some(late.staged.relative.as_str());
        let manner = Manner { asked, ..Manner::default() };
        // As in `apply`.
        Box::pin(application::run(self, spec, &Scope::Everything, limits, observer, manner)).await
    }

    /// Gives up the changes of a late object: it counts as applied, so that it holds the table no
    /// more. That is written down beside the table first.
    ///
    /// # Errors
    /// `Config` if it is no longer late, `TableRefused` if others have changed the table in a way
    /// that holds it, `Conflict` if another worker commits at the same time; as [`Self::look`].
    pub async fn discard_late(&self, spec: &TableSpec, late: &LateObject) -> Result<()> {
        let look = self.look(spec, &Scope::Everything).await?;
        let object = staged_late(&look, &late.staged.relative)?;
        let Some(table) = &look.table else { return Err(not_late(&look, &object.relative)) };
        refuse_table(spec, table)?;
        let identify = Identify::at(&self.staging_folder(&spec.source)?);
        let mark = Mark::identified(&object, &identify).await?;
        let mut ledger = table.ledger().clone();
        ledger.finish(&object, mark, None);
        let (names, now) = ([object.relative.clone()], self.clock().now());
        self.update_state(spec, |state: &mut TableState| state.gave_up(&names, now)).await?;
        self.commit_progress(table, ledger).await?;
        tracing::warn!(
            table = %spec.source,
            object = object.relative,
            rows = late.rows,
            "the changes of a late object are given up"
        );
        Ok(())
    }
}

impl Application<'_> {
    /// What follows where an operator asked for a late object: it is applied whatever keeps it from
    /// being placed. An object that is applied in part comes first: there is one at most.
    pub(super) fn as_asked_for(
        &self,
        standing: Standing,
        listing: &Listing,
        table: Option<&LakeTable>,
    ) -> (Standing, Turn) {
        match self.asked_for(&standing, listing, table) {
            Some(work) => (Standing::Apply(Box::new(work)), Turn::Asked),
            None => (standing, Turn::Late),
        }
    }

    fn asked_for(
        &self,
        standing: &Standing,
        listing: &Listing,
        table: Option<&LakeTable>,
    ) -> Option<Work> {
        let (asked, ledger) = (self.manner.asked?, table?.ledger());
        let waiting: Vec<&SeenObject> = match standing {
            Standing::Held(hold) if hold.cause.kind() == ErrorKind::LateObject => {
                hold.late.iter().chain(&hold.waiting).collect()
            }
            Standing::Apply(work) if !work.late.is_empty() => work.seen.iter().collect(),
            _ => return None,
        };
        if !late_of(standing).contains(&asked) {
            return None;
        }
        let staged = |name: &str| listing.objects.iter().find(|object| object.relative == name);
        let in_part = ledger.partial.as_ref().map(|partial| partial.object.as_str());
        let mut objects: Vec<StagedObject> = Vec::new();
        if let Some(in_part) = in_part.filter(|in_part| *in_part != asked) {
            objects.push(staged(in_part)?.clone());
        }
        objects.push(staged(asked)?.clone());
        let first = seen(&objects, self.looker.staging.kind());
        let others = waiting.into_iter().filter(|seen| !first.contains(seen));
        let seen = first.iter().chain(others).cloned().collect();
        let (late, beginning) = (vec![asked.to_owned()], Ledger::default());
        let let_pass = late.iter().cloned().collect();
        Some(Work { objects, seen, let_pass, late, beginning, bound: None })
    }

    /// Writes down which late objects an operator has applied.
    pub(super) async fn note_late(&self, late: &[String]) -> Result<()> {
        let (pipeline, spec) = (self.looker.pipeline, self.looker.spec);
        let now = pipeline.clock().now();
        pipeline.update_state(spec, |state| state.applied_late(late, now)).await?;
        tracing::warn!(
            table = %spec.source,
            objects = late.join(", "),
            "an operator has applied a late object out of its turn"
        );
        Ok(())
    }
}

/// The names of the late objects that a look found.
fn late_of(standing: &Standing) -> Vec<&str> {
    match standing {
        Standing::Held(hold) => hold.late.iter().map(|seen| seen.object.as_str()).collect(),
        Standing::Apply(work) => work.late.iter().map(String::as_str).collect(),
        Standing::CaughtUp
        | Standing::Truncated(_)
        | Standing::Reload(_)
        | Standing::Replace
        | Standing::Reshape(_) => Vec::new(),
    }
}

fn staged_late(look: &Look, object: &str) -> Result<StagedObject> {
    let is_late = late_of(&look.standing).contains(&object);
    let staged = look.listing.objects.iter().find(|staged| staged.relative == object);
    staged.filter(|_| is_late).cloned().ok_or_else(|| not_late(look, object))
}

fn not_late(look: &Look, object: &str) -> Error {
    let late = late_of(&look.standing);
    let late = if late.is_empty() { "none".to_owned() } else { late.join(", ") };
    Error::new(ErrorKind::Config, "no late object of the table has that name")
        .with("object", object)
        .with("late", late)
}

/// None if they have columns that the table must get first.
async fn rows(mut reader: ReadAhead) -> Result<Option<u64>> {
    let mut rows = 0;
    loop {
        let mut object = match reader.next().await? {
            Next::Object(object) => object,
            Next::Reshape(_) => return Ok(None),
            Next::End => return Ok(Some(rows)),
        };
        while let Some(batch) = object.next().await? {
            rows += (batch.changes.num_rows() + batch.bad_rows.len()) as u64;
        }
    }
}
