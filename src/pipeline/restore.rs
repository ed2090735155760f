//! A table goes back to an older version: its rows and its progress, so that what was applied since
//! is applied again from staging.

use std::collections::BTreeMap;
use std::pin::pin;

use chrono::{DateTime, Utc};
use deltalake::kernel::Version;
use futures::TryStreamExt as _;

use crate::config::TableSpec;
use crate::error::{Error, ErrorKind, Result};
use crate::pipeline::holds::named;
use crate::pipeline::judgement::seen;
use crate::pipeline::operator::refuse_rebuilding;
use crate::pipeline::rebuild_plan::sentences;
use crate::pipeline::{Losses, Pipeline};
use crate::progress::{CommittedObject, Ledger, SeenObject, Unapplied, missing, pending};
use crate::staging::{Identify, Listing, list_everything};
use crate::table::{self, AsOf, LakeTable, TableState, refuse_table};

/// What becomes of a table's progress when its rows go back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It goes back with them: what was applied since is applied again.
    GoesBack,
    /// It stays: what was applied since is lost.
    Stays,
}

/// What a restore would do.
#[derive(Debug)]
pub struct RestorePlan {
    /// The version whose rows and progress come back.
    pub version: Version,
    /// When it was committed, if its commit says so.
    pub committed: Option<DateTime<Utc>>,
    /// Rows in the table now.
    pub rows_now: u64,
    /// Rows that it had then.
    pub rows: u64,
    /// Staged objects that are applied again.
    pub objects: u64,
    /// Their bytes as staged.
    pub bytes: u64,
    /// Why it would not equal its source once they are: a sentence for each.
    pub lost: Vec<String>,
    progress: Progress,
    table: LakeTable,
    older: LakeTable,
    /// What is to be applied then, as it is remembered.
    seen: Vec<SeenObject>,
}

impl Pipeline {
    /// Finds out what follows if a table goes back to an older version. Nothing is changed.
    ///
    /// # Errors
    /// `TableRefused` if there is no table, it is being rebuilt, or the version is none to go back
    /// to: it is not there, its files are deleted, its keys are not those configured, or another
    /// writer had put back older rows; what keeps table or staging from being seen.
    pub async fn plan_restore(
        &self,
        spec: &TableSpec,
        to: AsOf,
        progress: Progress,
    ) -> Result<RestorePlan> {
        let location = self.lake_folder(&spec.source)?;
        let state_object = self.state_object(&spec.source)?;
        let (table, state) = tokio::try_join!(table::open(&location, None), state_object.read())?;
        let table = table.ok_or_else(|| {
            refused("there is no table that could go back to an older version")
                .with_remedy(format!("dmslake apply --table {}", spec.source))
        })?;
        refuse_rebuilding(state.as_ref(), &table)?;
        let (version, committed) = chosen(&table, to).await?;
        let older = table::open_at(&location, version).await.map_err(|error| {
            refused("the version can no longer be read")
                .with("version", version)
                .with_remedy(LATER)
                .because(error)
        })?;
        refuse_table(spec, &older)?;
        refuse_deleted(&table, &older).await?;
        let (lost, again) = match progress {
            Progress::GoesBack => self.applied_again(spec, &table, &older).await?,
            Progress::Stays => {
                (vec![format!("what was applied since version {version}")], Vec::new())
            }
        };
        Ok(RestorePlan {
            version,
            committed,
            rows_now: table.rows(),
            rows: older.rows(),
            objects: again.len() as u64,
            bytes: again.iter().map(|seen| seen.size).sum(),
            lost,
            progress,
            seen: again,
            table,
            older,
        })
    }

    /// Why the table would not equal its source again, and the objects that are applied again then.
    async fn applied_again(
        &self,
        spec: &TableSpec,
        table: &LakeTable,
        older: &LakeTable,
    ) -> Result<(Vec<String>, Vec<SeenObject>)> {
        let staging = self.staging_folder(&spec.source)?;
        let listing = list_everything(&staging, true).await?;
        let identify = Identify::at(&staging);
        let since = Since { table, older, listing: &listing, identify: &identify };
        let lost = since.lost().await?;
        let found = pending(older.ledger(), &listing, &identify).await?;
        let again = match found.reload {
            Some(load) => {
                let objects = seen(&listing.objects, staging.kind()).into_iter();
                objects.filter(|seen| !load.is_after(seen)).collect()
            }
            None => seen(&found.objects, staging.kind()),
        };
        Ok((lost, again))
    }

    /// Goes back as it was planned, in one commit on the same log; returns its version. The next
    /// application goes on from the progress that the table has then.
    ///
    /// # Errors
    /// `TableRefused` if files of the version were deleted since it was planned; `VanishedObject` if
    /// changes would be lost and that is not accepted; `Conflict` if another
    /// worker commits at the same time; as [`crate::table::StateObject::update`].
    pub async fn restore(
        &self,
        spec: &TableSpec,
        plan: &RestorePlan,
        losses: Losses,
    ) -> Result<Version> {
        let RestorePlan { table, older, .. } = plan;
        if !plan.lost.is_empty() && losses == Losses::Refused {
            let message = format!("the table cannot go back: {}", plan.lost.join("; "));
            return Err(Error::new(ErrorKind::VanishedObject, message).with_remedy(format!(
                "stage the objects again; or dmslake restore TABLE --version {} --accept-loss, which \
                 goes on from what is staged",
                plan.version
            )));
        }
        let now = self.clock().now();
        // First: what vanishes before it is applied again must be missed.
        let take_in = |state: &mut TableState| {
            let is_new =
                |known: &&SeenObject| !plan.seen.iter().any(|seen| seen.object == known.object);
            let known = state.unapplied.objects().iter().filter(is_new).cloned();
            state.unapplied = Unapplied::of(known.chain(plan.seen.iter().cloned()).collect());
            state.gave_up(&plan.lost, now);
            // What asks for other columns is met again.
            state.reshape = None;
        };
        self.update_state(spec, take_in).await?;
        // A rebuild that has taken the table's place since is over all the same.
        let rebuilt = table.ledger().rebuilt;
        let progress = match plan.progress {
            Progress::GoesBack => older.ledger(),
            Progress::Stays => table.ledger(),
        };
        let mut ledger = Ledger { rebuilt, ..progress.clone() };
        if plan.progress == Progress::GoesBack {
            // What has left the quarantine since does not wait there again.
            let left = |of: &Ledger| of.released.as_ref().map_or(0, |it| it.rows);
            let gone = left(table.ledger()).saturating_sub(left(&ledger));
            ledger.quarantined = ledger.quarantined.saturating_sub(gone);
            ledger.released.clone_from(&table.ledger().released);
        }
        // Others may have vacuumed or forgotten keys since it was planned.
        refuse_deleted(table, older).await?;
        let restored = table::put_back(table, older, ledger, self.clock()).await?.committed()?;
        let (from, to) = (table.version(), older.version());
        tracing::warn!(table = %spec.source, from, to, "the table has gone back");
        Ok(restored.version())
    }
}

const LATER: &str = "choose a later version";

/// Refuses a version of which files no longer exist.
async fn refuse_deleted(table: &LakeTable, older: &LakeTable) -> Result<()> {
    let deleted = table::deleted_files(table, older).await?;
    if deleted.is_empty() {
        return Ok(());
    }
    Err(refused("files of the version have been deleted")
        .with("version", older.version())
        .with("files", named(deleted.iter().map(AsRef::as_ref)))
        .with_remedy(LATER))
}

/// The version to go back to, and when it was committed.
async fn chosen(table: &LakeTable, to: AsOf) -> Result<(Version, Option<DateTime<Utc>>)> {
    let newest = table.version();
    let log_store = table.delta().log_store();
    match to {
        AsOf::Version(version) if version < newest => {
            let commit = table::commit(&log_store, version).await?;
            Ok((version, commit.and_then(|commit| commit.timestamp)))
        }
        AsOf::Version(version) => Err(refused("the version is none before the newest one")
            .with("version", version)
            .with("newest", newest)),
        AsOf::Time(time) => match table::commit_as_of(&log_store, newest, time).await? {
            Some(commit) if commit.version == newest => {
                Err(refused("the table has not changed since that time").with("newest", newest))
            }
            Some(commit) => Ok((commit.version, commit.timestamp)),
            None => Err(refused("the log does not go back to that time")),
        },
    }
}

/// What was applied since a version, and what is staged.
struct Since<'a> {
    table: &'a LakeTable,
    older: &'a LakeTable,
    listing: &'a Listing,
    identify: &'a Identify,
}

impl Since<'_> {
    /// Why what was applied since could not be applied again.
    async fn lost(&self) -> Result<Vec<String>> {
        let (now, then) = (self.table.ledger(), self.older.ledger());
        let mut lost = Vec::new();
        if (now.emptied, now.emptied_behind) != (then.emptied, then.emptied_behind) {
            lost.push("rows that have been removed since (truncate) would come back".to_owned());
        }
        let left = |ledger: &Ledger| ledger.released.as_ref().map_or(0, |it| it.rows);
        if now.rebuilt == then.rebuilt && left(now) > left(then) {
            let rows = left(now) - left(then);
            lost.push(format!(
                "{rows} rows that have been released from quarantine or discarded since: they wait \
                 there no more"
            ));
        }
        // Objects that were applied to what has taken the table's place are not in its log.
        let applied = if now.rebuilt == then.rebuilt { self.applied().await? } else { None };
        let Some(applied) = applied else {
            lost.extend(sentences(&missing(now, self.listing, self.identify).await?, &[]));
            return Ok(lost);
        };
        let mut gone = Vec::new();
        for (name, object) in applied {
            let staged = self.listing.objects.iter().find(|staged| staged.relative == name);
            match staged {
                Some(staged) if self.identify.identity(staged).await? == object.identity => {}
                _ => gone.push(name),
            }
        }
        if !gone.is_empty() {
            let names = named(gone.iter().map(String::as_str));
            let count = gone.len();
            lost.push(format!(
                "{count} of the objects applied since are no longer staged: {names}"
            ));
        }
        Ok(lost)
    }

    /// The objects that commits have taken in since, by name; none if the log does not tell.
    async fn applied(&self) -> Result<Option<BTreeMap<String, CommittedObject>>> {
        let log_store = self.table.delta().log_store();
        let mut history = pin!(table::history(&log_store, self.table.version()));
        let mut applied = BTreeMap::new();
        while let Some(commit) = history.try_next().await? {
            if commit.version == self.older.version() {
                return Ok(Some(applied));
            }
            for object in commit.ours.into_iter().flat_map(|ours| ours.record.objects) {
                applied.entry(object.key.clone()).or_insert(object);
            }
        }
        Ok(None)
    }
}

fn refused(message: &str) -> Error {
    Error::new(ErrorKind::TableRefused, message)
}
