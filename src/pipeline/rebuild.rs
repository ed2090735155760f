//! A table is built anew beside the one that readers see, and takes its place in one commit.
//!
//! The new rows are written into the table's own folder under a log of their own, the *shadow
//! log*: slice by slice, each with its ledger, as those of any table. So a rebuild may be
//! interrupted anywhere and is gone on with by whoever applies the table next.

use std::sync::Arc;

use futures::TryStreamExt as _;
use object_store::path::Path;
use uuid::Uuid;

use crate::config::{OWN, TableSpec};
use crate::error::{Error, ErrorKind, Result};
use crate::pipeline::{Pipeline, Reload};
use crate::progress::{Ledger, Unapplied};
use crate::schema::ColumnChange;
use crate::staging::{Listing, StagedObject};
use crate::storage::{Location, Redirect, delete_all};
use crate::table::{self, LakeTable, Rebuild, TableState};

/// A rebuild that is under way.
#[derive(Debug)]
pub struct Rebuilding {
    /// What the state object says of it.
    pub rebuild: Rebuild,
    /// Where the table is built: in the table's own folder, with another log.
    pub(super) location: Location,
    /// What is built so far.
    pub table: Option<LakeTable>,
}

impl Rebuilding {
    /// Opens what is built so far.
    ///
    /// # Errors
    /// As [`table::open`].
    pub(super) async fn open(
        pipeline: &Pipeline,
        spec: &TableSpec,
        location: &Location,
        rebuild: &Rebuild,
    ) -> Result<Self> {
        let log = shadow_log(pipeline, spec, rebuild.id)?;
        let location = shadow(location, &log);
        let table = table::open(&location, None).await?;
        Ok(Self { rebuild: rebuild.clone(), location, table })
    }

    /// Why what is built must not take the table's place, although nothing more of what is staged is
    /// to be applied to it.
    pub(super) fn refusal(&self, replaced: &LakeTable, listing: &Listing) -> Option<Error> {
        let Some(built) = &self.table else {
            return Some(lost("nothing is staged from which the table could be rebuilt"));
        };
        if self.rebuild.accepts_loss || self.rebuild.is_reload {
            return None;
        }
        let (before, after) = (replaced.ledger(), built.ledger());
        if before.emptied {
            return Some(lost("an operator has emptied the table while it was rebuilt"));
        }
        // What has come since is in both numbers of the one, and in none of the other.
        let is_ahead = |object: &&StagedObject| before.cdc.is_behind(object);
        let ahead = listing.objects.iter().filter(is_ahead).count() as u64;
        let count = |ledger: &Ledger| ledger.cdc.applied.map(|applied| applied.count);
        let has_fewer_changes = match (count(before), count(after)) {
            (Some(before), Some(after)) => before > after.saturating_sub(ahead),
            _ => false,
        };
        if before.load.count > after.load.count || has_fewer_changes {
            return Some(lost("staged objects vanished while the table was rebuilt from them"));
        }
        None
    }
}

/// Where slices go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Build {
    /// Into the table that readers see.
    InPlace,
    /// Into the one that is to take its place.
    InShadow,
}

/// Begins to rebuild a table from a new load, in the place of a rebuild that is under way.
///
/// # Errors
/// As [`crate::table::StateObject::update`].
pub(super) async fn begin_reload(
    pipeline: &Pipeline,
    spec: &TableSpec,
    reload: &Reload,
) -> Result<()> {
    let (id, now) = (pipeline.clock().attempt_id(), pipeline.clock().now());
    let begins = reload.begins.timestamp_millis();
    let begin = |state: &mut TableState| {
        // Another worker may have begun the same.
        if state.rebuild.as_ref().is_some_and(|it| it.is_reload && it.load_begins == Some(begins)) {
            return;
        }
        let load_begins = Some(begins);
        state.rebuild = Some(Rebuild {
            id,
            since: now,
            load_begins,
            is_reload: true,
            accepts_loss: false,
            compared: false,
            changes: Vec::new(),
        });
        state.reshape = None;
        state.unapplied = Unapplied::of(reload.objects.clone());
    };
    let state = pipeline.update_state(spec, begin).await?;
    tracing::info!(
        table = %spec.source,
        objects = reload.objects.len(),
        rebuild = state.rebuild.map(|rebuild| rebuild.id.to_string()),
        "DMS has loaded the table again: it is rebuilt"
    );
    Ok(())
}

/// Begins the rebuild that is under way anew, because of columns that objects ask for and that it
/// has to know from its first object on.
///
/// # Errors
/// As [`crate::table::StateObject::update`].
pub(super) async fn begin_with(
    pipeline: &Pipeline,
    spec: &TableSpec,
    rebuild: &Rebuild,
    changes: Vec<ColumnChange>,
) -> Result<()> {
    let id = pipeline.clock().attempt_id();
    let begin = |state: &mut TableState| {
        if let Some(under_way) = state.rebuild.as_mut().filter(|it| it.id == rebuild.id) {
            under_way.id = id;
            under_way.compared = false;
            // A type that was asked for before is not as wide as the one that is asked for now.
            let others = |old: &ColumnChange| !changes.iter().any(|it| it.column() == old.column());
            under_way.changes.retain(others);
            under_way.changes.extend(changes.iter().cloned());
        }
    };
    pipeline.update_state(spec, begin).await?;
    pipeline.forget_shadow(spec, rebuild.id).await;
    tracing::info!(table = %spec.source, "columns change: the rebuild begins anew");
    Ok(())
}

/// What ends an application that has no time left for all of a rebuild: the next one goes on.
pub(super) fn unfinished() -> Error {
    Error::new(ErrorKind::Deadline, "the table is being rebuilt, which is not complete yet")
}

impl Pipeline {
    /// What is built so far beside a table, to take its place or with other columns, if anything is.
    ///
    /// # Errors
    /// As [`table::open`] and [`crate::table::StateObject::read`].
    pub(super) async fn shadow_of(
        &self,
        spec: &TableSpec,
        location: &Location,
        state: &TableState,
    ) -> Result<Option<LakeTable>> {
        let rebuild = state.rebuild.as_ref().map(|rebuild| rebuild.id);
        let reshape = state.reshape.as_ref().map(|reshape| reshape.id);
        let Some(id) = rebuild.or(reshape) else { return Ok(None) };
        table::open(&shadow(location, &shadow_log(self, spec, id)?), None).await
    }

    /// Removes the log of what was built beside a table. What is left of it is harmless, so that a
    /// failure is only logged.
    pub(super) async fn forget_shadow(&self, spec: &TableSpec, id: Uuid) {
        if !self.settings().maintain.delete {
            return;
        }
        let outcome = async {
            let logs = shadow_log(self, spec, id)?;
            let listed = logs.store().list(Some(logs.prefix()));
            let paths: Vec<Path> = listed.map_ok(|meta| meta.location).try_collect().await?;
            delete_all(logs.store(), paths).await
        };
        if let Err(error) = outcome.await {
            tracing::warn!(table = %spec.source, "a shadow log is not removed: {}", error.chain());
        }
    }

    /// Removes what was built once the table has only taken over what differed: the log first, so
    /// that no other worker looks for the files. No version of the table names them. What is left
    /// is for vacuum, so that a failure is only logged.
    pub(super) async fn remove_built(
        &self,
        spec: &TableSpec,
        rebuild: &Rebuild,
        built: &LakeTable,
        table: &LakeTable,
    ) {
        if !self.settings().maintain.delete {
            return;
        }
        self.forget_shadow(spec, rebuild.id).await;
        let outcome = async {
            let kept = table.file_paths()?;
            let mut paths = built.file_paths()?;
            paths.retain(|path| !kept.contains(path));
            let store = table.delta().log_store().object_store(None);
            delete_all(&store, paths).await
        };
        if let Err(error) = outcome.await {
            tracing::warn!(table = %spec.source, "rebuilt files are not removed: {}", error.chain());
        }
    }
}

/// Where the log of what is built beside a table is.
pub(super) fn shadow_log(pipeline: &Pipeline, spec: &TableSpec, id: Uuid) -> Result<Location> {
    let logs = pipeline.lake_folder_of(&spec.source, &[OWN, "shadow"])?;
    logs.folder(&[&id.to_string(), "_delta_log"])
}

/// The table's folder, with that log in the place of its own.
pub(super) fn shadow(location: &Location, log: &Location) -> Location {
    let shown = location.prefix().clone().join("_delta_log");
    let real = log.prefix().clone();
    location.clone().map_store(|store| Arc::new(Redirect::new(store, shown, real)))
}

/// What keeps a table from being rebuilt.
pub(super) fn lost(message: &str) -> Error {
    Error::new(ErrorKind::VanishedObject, message).with_remedy(
        "have DMS reload the table; or dmslake rebuild TABLE --accept-loss, which goes on from \
         what is staged",
    )
}
