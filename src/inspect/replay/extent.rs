//! Which of the staged objects a replay applies, and whether that is what it is to come to.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use deltalake::kernel::Version;
use futures::TryStreamExt as _;

use crate::config::TableSpec;
use crate::error::{Error, ErrorKind, Result};
use crate::inspect::replay::{Until, only, settings_of_replay};
use crate::nearest::{listed, nearest_first};
use crate::pipeline::{FirstRows, Pipeline};
use crate::progress::{CommittedObject, Ledger, Missing, missing, pending};
use crate::staging::{Identify, Listing, StagedObject, list_everything};
use crate::storage::Location;
use crate::table::{self, LakeTable, TableState};

/// A part of what is staged.
#[derive(Clone, Debug, Default)]
pub(in crate::inspect) struct Extent {
    /// These objects, in order of application.
    pub(in crate::inspect) objects: Vec<StagedObject>,
    /// Those of which only the first rows are applied.
    pub(in crate::inspect) first_rows: FirstRows,
    /// The version of the table that it is to come to, if it is to come to one.
    pub(in crate::inspect) version: Option<Version>,
    /// What is lacking for that, a sentence or a name for each.
    pub(in crate::inspect) missing: Vec<String>,
    /// What became of the table and does not show in what is staged.
    pub(in crate::inspect) remarks: Vec<String>,
    /// The progress at that version.
    ledger: Option<Ledger>,
}

impl Extent {
    /// What is staged for a table up to a bound.
    ///
    /// # Errors
    /// `Config` if no object or version is what the bound names; what keeps the table or what is
    /// staged from being seen.
    pub(in crate::inspect) async fn until(
        pipeline: &Pipeline,
        spec: &TableSpec,
        until: &Until,
    ) -> Result<Self> {
        let version = match until {
            Until::Version(version) => *version,
            Until::Time(time) => version_at(pipeline, spec, *time).await?,
            Until::Everything => {
                let objects = of_generation(pipeline, spec).await?;
                return Self { objects, ..Self::default() }.with_remarks(pipeline, spec).await;
            }
            Until::Object { name, rows } => {
                let objects = of_generation(pipeline, spec).await?;
                let extent = Self::until_object(objects, name, *rows)?;
                return extent.with_remarks(pipeline, spec).await;
            }
        };
        let extent = Self::until_version(pipeline, spec, version).await?;
        extent.with_remarks(pipeline, spec).await
    }

    /// How many rows of an object are applied, if not all.
    pub(in crate::inspect) fn rows_of(&self, object: &str) -> Option<u64> {
        self.first_rows.of_object(object)
    }

    /// A pipeline for which these objects alone are staged, and whose tables are in that lake.
    pub(in crate::inspect) fn pipeline(
        &self,
        pipeline: &Pipeline,
        spec: &TableSpec,
        lake: Location,
    ) -> Pipeline {
        let settings = settings_of_replay(pipeline.settings(), spec, self.ledger.as_ref());
        let staging = only(pipeline.staging(), &self.objects);
        Pipeline::new(Arc::new(settings), staging, lake, Arc::clone(pipeline.clock()))
    }

    fn until_object(mut objects: Vec<StagedObject>, name: &str, rows: Option<u64>) -> Result<Self> {
        let is_it = |object: &StagedObject| {
            object.relative == name
                || name.strip_suffix(&*object.relative).is_some_and(|above| above.ends_with('/'))
        };
        let Some(at) = objects.iter().position(is_it) else {
            let names = objects.iter().map(|object| object.relative.as_str());
            return Err(Error::new(ErrorKind::Config, "no object of that name is staged")
                .with("--until", name)
                .with("staged", listed(&nearest_first(name, names))));
        };
        let name = objects[at].relative.clone();
        let first_rows = match rows {
            // Nothing of it.
            Some(0) => {
                objects.truncate(at);
                FirstRows::default()
            }
            Some(rows) => FirstRows::of(name, rows),
            None => FirstRows::default(),
        };
        objects.truncate(at + 1);
        Ok(Self { objects, first_rows, ..Self::default() })
    }

    /// What the versions up to that one have taken in.
    async fn until_version(
        pipeline: &Pipeline,
        spec: &TableSpec,
        version: Version,
    ) -> Result<Self> {
        let location = pipeline.lake_folder(&spec.source)?;
        let newest = newest_of(&location, spec).await?;
        if version > newest.version() {
            return Err(Error::new(ErrorKind::Config, "the table has no such version")
                .with("--until", version)
                .with("newest", newest.version()));
        }
        let table = table::open_at(&location, version).await.map_err(|error| {
            Error::new(ErrorKind::TableRefused, "the log does not go back to that version")
                .with("version", version)
                .with_remedy("choose a later version, or an object")
                .because(error)
        })?;
        let ledger = table.ledger().clone();
        let staging = pipeline.staging_folder(&spec.source)?;
        let listing = list_everything(&staging, true).await?;
        let identify = Identify::at(&staging);
        let found = pending(&ledger, &listing, &identify).await?;
        let mut missing = sentences(&missing(&ledger, &listing, &identify).await?);
        if found.reload.is_some() {
            missing.push("DMS has loaded the table again since".to_owned());
        } else if let Some(hold) = &found.hold {
            missing.push(hold.to_string());
        }
        if !missing.is_empty() {
            missing.extend(gone(&table, &listing, &identify).await?);
        }
        let others: BTreeSet<&str> = found
            .objects
            .iter()
            .chain(&found.late)
            .filter(|object| !ledger.is_in_part(object))
            .map(|object| object.relative.as_str())
            .collect();
        let is_taken_in = |object: &&StagedObject| {
            ledger.load.is_of_generation(object) && !others.contains(object.relative.as_str())
        };
        let objects: Vec<StagedObject> =
            listing.objects.iter().filter(is_taken_in).cloned().collect();
        let first_rows = match &ledger.partial {
            Some(partial) => FirstRows::of(partial.object.clone(), partial.rows),
            None => FirstRows::default(),
        };
        let mut remarks = Vec::new();
        if ledger.emptied {
            remarks.push("all rows were removed (truncate) since the full load".to_owned());
        }
        let (version, ledger) = (Some(version), Some(ledger));
        Ok(Self { objects, first_rows, version, missing, remarks, ledger })
    }

    /// The same with what the state of the table tells of operators.
    async fn with_remarks(mut self, pipeline: &Pipeline, spec: &TableSpec) -> Result<Self> {
        let state = pipeline.state_object(&spec.source)?.read().await?;
        self.remarks.extend(state.as_ref().map(decisions).unwrap_or_default());
        Ok(self)
    }
}

/// What is staged since the full load from which the table was made, where that is known: what is
/// older belongs to the load before.
async fn of_generation(pipeline: &Pipeline, spec: &TableSpec) -> Result<Vec<StagedObject>> {
    let (location, staging) =
        (pipeline.lake_folder(&spec.source)?, pipeline.staging_folder(&spec.source)?);
    let mut objects = list_everything(&staging, true).await?.objects;
    if let Some(table) = table::open(&location, None).await? {
        objects.retain(|object| table.ledger().load.is_of_generation(object));
    }
    Ok(objects)
}

/// What operators have decided that staging does not tell.
fn decisions(state: &TableState) -> Vec<String> {
    let losses = state.losses().iter().map(|loss| {
        let (at, objects, first) = (crate::clock::shown(loss.at), loss.objects, &loss.first);
        format!("{at}: an operator accepted a loss of {objects}, the first: {first}")
    });
    let late = state.late_applied().iter().map(|late| {
        let (at, object) = (crate::clock::shown(late.at), &late.object);
        format!("{at}: an operator applied {object} out of its turn; the replay does so in order")
    });
    losses.chain(late).collect()
}

/// The table, of which there is to be one.
pub(in crate::inspect) async fn newest_of(
    location: &Location,
    spec: &TableSpec,
) -> Result<LakeTable> {
    let table = table::open(location, None).await?;
    table.ok_or_else(|| {
        Error::new(ErrorKind::TableRefused, "there is no table yet, and so no version of it")
            .with_remedy(format!("dmslake apply --table {}", spec.source))
    })
}

/// The newest version that was there at that time.
async fn version_at(pipeline: &Pipeline, spec: &TableSpec, time: DateTime<Utc>) -> Result<Version> {
    let table = newest_of(&pipeline.lake_folder(&spec.source)?, spec).await?;
    let commit = table::commit_as_of(&table.delta().log_store(), table.version(), time).await?;
    commit.map(|commit| commit.version).ok_or_else(|| {
        Error::new(ErrorKind::Config, "the table has no version of that time")
            .with("--until", time.to_rfc3339())
    })
}

fn sentences(missing: &Missing) -> Vec<String> {
    let mut lacking = Vec::new();
    if let Some((loads, of_all)) = missing.loads {
        lacking.push(format!("{loads} of {of_all} objects of the full load"));
    }
    if missing.changes > 0 {
        lacking.push(format!("{} change objects", missing.changes));
    }
    if missing.are_others {
        lacking.push("the change objects that are staged are others than were applied".to_owned());
    }
    if missing.is_unknown {
        lacking.push("how many change objects were applied was not recorded".to_owned());
    }
    lacking
}

/// The objects that a version and those before it took in, by name, as far as the log tells.
async fn recorded_objects(table: &LakeTable) -> Result<BTreeMap<String, CommittedObject>> {
    let mut history = pin!(table::history(&table.delta().log_store(), table.version()));
    let mut recorded = BTreeMap::new();
    let rebuilt = table.ledger().rebuilt;
    while let Some(commit) = history.try_next().await? {
        let Some(ours) = commit.ours else { continue };
        // What came before a rebuild is in its log, not in this one.
        if ours.record.ledger.rebuilt != rebuilt {
            break;
        }
        for object in ours.record.objects {
            recorded.entry(object.key.clone()).or_insert(object);
        }
    }
    Ok(recorded)
}

/// The names of those that are no longer staged as they were.
async fn gone(table: &LakeTable, listing: &Listing, identify: &Identify) -> Result<Vec<String>> {
    let mut gone = Vec::new();
    for (name, object) in recorded_objects(table).await? {
        let staged = listing.objects.iter().find(|staged| staged.relative == name);
        match staged {
            Some(staged) if identify.identity(staged).await? == object.identity => {}
            Some(_) => gone.push(format!("{name} is another object now")),
            None => gone.push(format!("{name} is not staged any more")),
        }
    }
    Ok(gone)
}
