//! The components of the pipeline: places, clock, and what is kept between applications.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use crate::clock::Clock;
use crate::config::{OWN, QUARANTINE, Settings, TableName, TableSpec};
use crate::error::Result;
use crate::pipeline::application::Manner;
#[cfg(feature = "cli")]
use crate::pipeline::budget::memory_budget;
use crate::pipeline::budget::tables_at_once;
#[cfg(feature = "cli")]
use crate::pipeline::guard::TOMBSTONES;
use crate::pipeline::hand_over::HandsOver;
use crate::pipeline::looker::Looker;
use crate::pipeline::meter::Meter;
use crate::pipeline::{Hold, Limits, Look, Observer, Scope, Standing, TableReport, application};
use crate::readers::Followers;
use crate::staging::{Survey, survey};
#[cfg(feature = "cli")]
use crate::storage::Requests;
use crate::storage::{Location, encode_segment, probe};
use crate::table::{LakeTable, StateObject, TableState};

/// The components that apply tables: where objects come from, where tables are, and time.
///
/// Clones share the snapshots that are kept warm between applications.
#[derive(Clone, Debug)]
pub struct Pipeline {
    settings: Arc<Settings>,
    staging: Location,
    lake: Location,
    clock: Arc<dyn Clock>,
    warm: Arc<Mutex<HashMap<TableName, LakeTable>>>,
    meters: Arc<Mutex<HashMap<TableName, Meter>>>,
    followers: Arc<Followers>,
    hands_over: HandsOver,
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
            meters: Arc::default(),
            followers: Arc::default(),
            hands_over: HandsOver::Never,
        }
    }

    /// The same, whose applications leave to others what is too much for them.
    #[must_use]
    pub fn handing_over(self, hands_over: HandsOver) -> Self {
        Self { hands_over, ..self }
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

    /// What applications do about what is too much for them.
    pub(super) fn hands_over(&self) -> &HandsOver {
        &self.hands_over
    }

    /// Where time comes from.
    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Where DMS stages objects.
    #[must_use]
    pub fn staging(&self) -> &Location {
        &self.staging
    }

    /// Where the tables are.
    #[cfg(feature = "cli")]
    pub(crate) fn lake(&self) -> &Location {
        &self.lake
    }

    /// Bytes of decoded rows that a run may have in memory at once.
    #[cfg(feature = "cli")]
    pub(crate) fn memory_budget(&self, limits: &Limits) -> usize {
        memory_budget(&self.settings, limits)
    }

    /// Where the tombstones of a table are.
    #[cfg(feature = "cli")]
    pub(crate) fn tombstones_folder(&self, table: &TableName) -> Result<Location> {
        self.lake_folder_of(table, &[OWN, TOMBSTONES])
    }

    /// Where jobs and rebuilds of a table leave what is of no use once they are over.
    ///
    /// # Errors
    /// `Config` if its name is not allowed in a path.
    #[cfg(feature = "cli")]
    pub(crate) fn working_folders(&self, table: &TableName) -> Result<[Location; 2]> {
        Ok([
            self.lake_folder_of(table, &[OWN, "scratch"])?,
            self.lake_folder_of(table, &[OWN, "shadow"])?,
        ])
    }

    /// How many tables may be applied side by side, so that each has memory for large slices: as
    /// many as there are parts of 64 MiB in the memory budget, 8 at most.
    #[must_use]
    pub fn tables_at_once(&self) -> NonZeroUsize {
        tables_at_once(&self.settings)
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
        let manner = Manner::default();
        Box::pin(application::run(self, table, scope, limits, observer, manner)).await
    }

    /// Looks at one table, without any effect on it: what its log and its staged objects show, and
    /// what follows. [`Self::apply`] goes by the same look.
    ///
    /// # Errors
    /// What keeps the table or its staged objects from being seen.
    pub async fn look(&self, table: &TableSpec, scope: &Scope) -> Result<Look> {
        let looker = Looker::new(self, table, scope)?;
        let look = async {
            let opened = looker.open(self.warm(&table.source)).await?;
            looker.look(opened).await
        };
        let named = |error| looker.with_whole_paths(error);
        let mut look = look.await.map_err(named)?;
        if let Standing::Held(hold) = look.standing {
            let Hold { cause, .. } = *hold;
            look.standing = Standing::Held(Box::new(Hold { cause: named(cause), ..*hold }));
        }
        Ok(look)
    }

    /// Brings manifest and catalogue entry of a table in line with it.
    pub(super) async fn follow(
        &self,
        spec: &TableSpec,
        location: &Location,
        table: &LakeTable,
        limits: &Limits,
    ) -> Result<()> {
        let time_left = limits.time_left(self.clock.as_ref());
        self.followers.bring_in_line(spec, &self.settings.catalog, location, table, time_left).await
    }

    /// The same after a commit of an operator, as far as there are such readers.
    ///
    /// # Errors
    /// `Unavailable` if manifest or catalogue cannot be written; the next application does it.
    #[cfg(feature = "cli")]
    pub(crate) async fn follow_operator(&self, spec: &TableSpec, table: &LakeTable) -> Result<()> {
        let location = self.lake_folder(&spec.source)?;
        self.followers.look_again(&spec.source);
        Box::pin(self.follow(spec, &location, table, &Limits::default())).await
    }

    /// Resets what is remembered about readers at the start of a run: a sweep looks at all again.
    pub(super) fn begin_to_follow(&self, table: &TableName, scope: &Scope) {
        match scope {
            Scope::Everything => self.followers.look_again(table),
            Scope::Named(_) => self.followers.try_again(table),
        }
    }

    /// What is staged beside the configured tables.
    ///
    /// # Errors
    /// `Unavailable` if staging cannot be listed.
    pub async fn survey(&self) -> Result<Survey> {
        let settings = &self.settings;
        let mut found = survey(&self.staging, &settings.tables).await?;
        found.unconfigured.retain(|name| !settings.is_left_out(name));
        (found.undiscovered, found.unconfigured) =
            found.unconfigured.into_iter().partition(|name| settings.is_undiscovered(name));
        Ok(found)
    }

    /// Where DMS writes a table's objects.
    ///
    /// # Errors
    /// `Config` if its name is not allowed in a path.
    pub fn staging_folder(&self, table: &TableName) -> Result<Location> {
        let folder = self.staging.folder(&[&table.schema, &table.table])?;
        Ok(self.counted(table, folder))
    }

    /// Where a table is: `<lake>/<schema>/<table>`, each as [`encode_segment`] writes it.
    ///
    /// # Errors
    /// `Config` if its name is not allowed in a path.
    pub fn lake_folder(&self, table: &TableName) -> Result<Location> {
        self.lake_folder_of(table, &[])
    }

    pub(crate) fn quarantine_folder(&self, table: &TableName) -> Result<Location> {
        self.lake_folder_of(table, &[QUARANTINE])
    }

    /// The folder `<schema>/<table>` of a table below one of the lake.
    pub(super) fn lake_folder_of(&self, table: &TableName, above: &[&str]) -> Result<Location> {
        let (schema, name) = (encode_segment(&table.schema), encode_segment(&table.table));
        let folder = self.lake.folder(&[above, &[&schema, &name]].concat())?;
        Ok(self.counted(table, folder))
    }

    /// What is known of a table beside its log.
    ///
    /// # Errors
    /// `Config` if its name is not allowed in a path.
    pub fn state_object(&self, table: &TableName) -> Result<StateObject> {
        let schema = encode_segment(&table.schema);
        let name = format!("{}.json", encode_segment(&table.table));
        let folder = self.counted(table, self.lake.folder(&[OWN, "state", &schema])?);
        let shown = folder.shown(&name);
        let path = folder.prefix().clone().join(name);
        Ok(StateObject::new(Arc::clone(folder.store()), path, shown))
    }

    /// Changes what is known of a table beside its log; see [`StateObject::update`].
    pub(super) async fn update_state(
        &self,
        spec: &TableSpec,
        change: impl Fn(&mut TableState),
    ) -> Result<TableState> {
        let new = || TableState::new(&spec.source, spec.lake_keys());
        self.state_object(&spec.source)?.update(new, change).await
    }

    /// A folder of a table, whose requests are counted as the table's.
    fn counted(&self, table: &TableName, folder: Location) -> Location {
        let meter = self.meter(table);
        folder.map_store(|store| meter.requests().of(store))
    }

    /// Requests for a table since the process began, its staging included.
    #[cfg(feature = "cli")]
    pub(crate) fn requests_so_far(&self, table: &TableName) -> Requests {
        self.meter(table).requests().so_far()
    }

    /// What a table took since the process began.
    pub(super) fn meter(&self, table: &TableName) -> Meter {
        let mut meters = self.meters.lock().unwrap_or_else(PoisonError::into_inner);
        meters.entry(table.clone()).or_default().clone()
    }

    pub(super) fn take_warm(&self, table: &TableName) -> Option<LakeTable> {
        self.warm.lock().unwrap_or_else(PoisonError::into_inner).remove(table)
    }

    pub(super) fn warm(&self, table: &TableName) -> Option<LakeTable> {
        self.warm.lock().unwrap_or_else(PoisonError::into_inner).get(table).cloned()
    }

    pub(super) fn keep_warm(&self, table: &TableName, snapshot: Option<LakeTable>) {
        let mut warm = self.warm.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(snapshot) = snapshot {
            warm.insert(table.clone(), snapshot);
        }
    }
}
