//! The path of a table's staged objects into its Delta table: names every stage, decides
//! nothing itself.

mod beginning;
mod budget;
mod commit;
mod pass;
mod ready;
mod refusal;
mod report;
mod run;
mod slice;
mod slicer;
mod suspicion;
mod target;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

pub use report::{Observer, Silent, Step, TableReport};

pub use crate::disposition::Status;
pub use crate::limits::{Limits, Stop};
pub use crate::staging::Scope;

use crate::clock::Clock;
use crate::config::{OWN, QUARANTINE, Settings, TableName, TableSpec};
use crate::error::Result;
use crate::maintenance::{Maintenance, MaintenanceReport, maintain};
use crate::pipeline::budget::memory_budget;
use crate::readers::Followers;
use crate::staging::{Survey, survey};
use crate::storage::{Location, RequestCounter, encode_segment, probe};
use crate::table::{self, LakeTable, StateObject};

/// The components that apply tables: where objects come from, where tables stand, and time.
///
/// Clones share the snapshots that are kept warm between applications.
#[derive(Clone, Debug)]
pub struct Pipeline {
    settings: Arc<Settings>,
    staging: Location,
    lake: Location,
    clock: Arc<dyn Clock>,
    warm: Arc<Mutex<HashMap<TableName, LakeTable>>>,
    requests: Arc<Mutex<HashMap<TableName, RequestCounter>>>,
    followers: Arc<Followers>,
}

impl Pipeline {
    /// A pipeline over places that are already open.
    #[must_use]
    pub fn new(
        settings: Arc<Settings>,
        staging: Location,
        lake: Location,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            settings,
            staging,
            lake,
            clock,
            warm: Arc::default(),
            requests: Arc::default(),
            followers: Arc::default(),
        }
    }

    /// Opens the places that the settings name.
    ///
    /// # Errors
    /// `Config` if one of them cannot be opened.
    pub async fn open(settings: Settings, clock: Arc<dyn Clock>) -> Result<Self> {
        let staging = Location::open_staging(&settings.staging).await?;
        let lake = Location::open_lake(&settings.lake).await?;
        Ok(Self::new(Arc::new(settings), staging, lake, clock))
    }

    /// Whether staging can be used at all; see [`probe`].
    ///
    /// # Errors
    /// `StoreRefused` if it cannot.
    pub async fn probe_staging(&self) -> Result<()> {
        probe(&self.settings.staging).await
    }

    /// Whether the lake can be used at all; see [`probe`].
    ///
    /// # Errors
    /// `StoreRefused` if it cannot.
    pub async fn probe_lake(&self) -> Result<()> {
        probe(&self.settings.lake).await
    }

    /// The configuration.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Where DMS stages objects.
    #[must_use]
    pub fn staging(&self) -> &Location {
        &self.staging
    }

    /// Applies what is pending for one table, in order, until caught up, held, stopped, or
    /// short of time. A failure is part of the report, so that one table never fails another.
    pub async fn apply(
        &self,
        table: &TableSpec,
        scope: &Scope,
        limits: &Limits,
        observer: &dyn Observer,
    ) -> TableReport {
        // The whole path is one large future; callers hold a pointer to it.
        Box::pin(run::run(self, table, scope, limits, observer)).await
    }

    /// Does the maintenance that is due for one table, safe beside any application of it: see
    /// [`crate::maintenance`]. A failure is part of the report.
    pub async fn maintain(&self, table: &TableSpec, limits: &Limits) -> MaintenanceReport {
        let mut report = MaintenanceReport::of(&table.source);
        if let Err(error) = self.maintain_into(&mut report, table, limits).await {
            report.fail(&error);
        }
        report
    }

    async fn maintain_into(
        &self,
        report: &mut MaintenanceReport,
        spec: &TableSpec,
        limits: &Limits,
    ) -> Result<()> {
        let location = self.lake_folder(&spec.source)?;
        let mut warm = self.take_warm(&spec.source);
        if spec.redshift_manifest {
            // What is deleted must stand in no manifest any more.
            warm = table::open(&location, warm).await?;
            if let Some(table) = &warm {
                self.follow(spec, &location, table, limits).await?;
            }
        }
        let job = Maintenance {
            spec,
            location: &location,
            clock: &self.clock,
            limits,
            memory_budget: memory_budget(&self.settings),
            deletes: self.settings.maintain.delete,
        };
        let (maintained, snapshot) = Box::pin(maintain(&job, warm)).await;
        *report = maintained;
        if let Some(table) = snapshot {
            self.follow(spec, &location, &table, limits).await?;
            self.keep_warm(&spec.source, table);
        }
        Ok(())
    }

    /// Brings manifest and catalogue entry of a table in line with it.
    async fn follow(
        &self,
        spec: &TableSpec,
        location: &Location,
        table: &LakeTable,
        limits: &Limits,
    ) -> Result<()> {
        let time_left = limits.time_left(self.clock.as_ref());
        self.followers.bring_in_line(spec, &self.settings.catalog, location, table, time_left).await
    }

    /// What is staged beside the configured tables.
    ///
    /// # Errors
    /// `Unavailable` if staging cannot be listed.
    pub async fn survey(&self) -> Result<Survey> {
        survey(&self.staging, &self.settings.tables).await
    }

    /// Where DMS writes a table's objects.
    ///
    /// # Errors
    /// `Config` if its name cannot stand in a path.
    pub fn staging_folder(&self, table: &TableName) -> Result<Location> {
        let folder = self.staging.folder(&[&table.schema, &table.table])?;
        Ok(self.counted(table, folder))
    }

    /// Where a table stands: `<lake>/<schema>/<table>`, each as [`encode_segment`] writes it.
    ///
    /// # Errors
    /// `Config` if its name cannot stand in a path.
    pub fn lake_folder(&self, table: &TableName) -> Result<Location> {
        let (schema, name) = (encode_segment(&table.schema), encode_segment(&table.table));
        Ok(self.counted(table, self.lake.folder(&[&schema, &name])?))
    }

    fn quarantine_folder(&self, table: &TableName) -> Result<Location> {
        let (schema, name) = (encode_segment(&table.schema), encode_segment(&table.table));
        Ok(self.counted(table, self.lake.folder(&[QUARANTINE, &schema, &name])?))
    }

    /// What is known of a table beside its log.
    ///
    /// # Errors
    /// `Config` if its name cannot stand in a path.
    pub fn state_object(&self, table: &TableName) -> Result<StateObject> {
        let schema = encode_segment(&table.schema);
        let name = format!("{}.json", encode_segment(&table.table));
        let folder = self.counted(table, self.lake.folder(&[OWN, "state", &schema])?);
        let shown = format!("{}/{name}", folder.uri());
        let path = folder.prefix().clone().join(name);
        Ok(StateObject::new(Arc::clone(folder.store()), path, shown))
    }

    /// A folder of a table, whose requests are counted as the table's.
    fn counted(&self, table: &TableName, folder: Location) -> Location {
        let counter = self.requests(table);
        folder.map_store(|store| counter.of(store))
    }

    /// Requests for a table since the process began.
    fn requests(&self, table: &TableName) -> RequestCounter {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.entry(table.clone()).or_default().clone()
    }

    fn take_warm(&self, table: &TableName) -> Option<LakeTable> {
        self.warm.lock().unwrap_or_else(PoisonError::into_inner).remove(table)
    }

    fn keep_warm(&self, table: &TableName, snapshot: LakeTable) {
        let mut warm = self.warm.lock().unwrap_or_else(PoisonError::into_inner);
        warm.insert(table.clone(), snapshot);
    }
}
