//! The tables that a command line names, and the one loop over them.
//!
//! A command opens [`Chosen`] and hands what it does for one table to [`Chosen::each`], or to
//! [`Chosen::each_open`] if it works on tables that exist already. Choosing, the order, the
//! stop by a signal, stores that refuse, and the exit code are handled here.

use std::num::NonZeroUsize;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::task::JoinSet;

use super::args::ChosenArguments;
use super::exit::Exit;
use super::output::{Screen, plural};
use super::{configuration, signals};
use crate::clock::SystemClock;
use crate::config::{CatalogName, Settings, TableName, TableSpec, catalog_names};
use crate::disposition::{Action, disposition, told_of};
use crate::dms::table_mappings::Pattern;
use crate::error::{Error, ErrorKind, Result};
use crate::nearest::{listed, nearest_first};
use crate::pipeline::{Limits, Pipeline};
use crate::storage::Location;
use crate::table::{self, LakeTable};

/// Chosen tables, in the configuration's order.
pub(super) struct Chosen<'a> {
    tables: Vec<TableSpec>,
    pub(super) pipeline: Pipeline,
    /// No deadline; a signal requests the stop.
    pub(super) limits: Limits,
    places: Places,
    screen: &'a Screen,
}

/// The places that a command cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Places {
    Lake,
    LakeAndStaging,
    /// It tells by itself what is wrong with them.
    Untried,
}

/// How a command ended for one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TableEnd {
    /// Everything is done.
    Done,
    /// The table is held, failed or unfinished.
    Attention,
    /// The store refused the table, or did not answer: only its folder, or the whole place.
    Refused,
}

impl TableEnd {
    /// The end of a table for which the command could do nothing: says why.
    pub(super) fn refused_by(error: &Error, table: &TableName, screen: &Screen) -> Self {
        screen.note(format_args!("{table}: {}", told_of(error, table)));
        Self::of(false, Some(error.kind()))
    }

    /// The end of a table that does not exist yet: says so.
    pub(super) fn without_table(table: &TableName, screen: &Screen) -> Self {
        screen.note(format_args!("{table}: there is no table yet"));
        Self::Attention
    }

    /// The end of a table, from its report: whether everything is done, and the kind of its error.
    pub(super) fn of(is_done: bool, error_kind: Option<ErrorKind>) -> Self {
        match error_kind {
            Some(ErrorKind::StoreRefused | ErrorKind::Unavailable) => Self::Refused,
            _ if is_done => Self::Done,
            _ => Self::Attention,
        }
    }
}

/// How the loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum LoopEnd {
    /// Every table had its turn.
    Complete(Exit),
    /// A signal came first.
    Stopped,
}

impl LoopEnd {
    /// The exit code of a command that does nothing more after its tables.
    pub(super) fn exit(self) -> Exit {
        match self {
            Self::Complete(exit) => exit,
            Self::Stopped => Exit::Attention,
        }
    }
}

/// A table that exists, as [`Chosen::each_open`] hands it out.
pub(super) struct OpenTable<'a> {
    pub(super) spec: &'a TableSpec,
    /// The table's folder in the lake.
    pub(super) location: Location,
    pub(super) table: LakeTable,
}

impl<'a> Chosen<'a> {
    /// Reads the configuration, chooses the tables, and checks that the places can be used.
    ///
    /// # Errors
    /// `Config` for a configuration or a table name that cannot be used, `StoreRefused` for a
    /// place that cannot.
    pub(super) async fn open(
        arguments: &ChosenArguments,
        places: Places,
        screen: &'a Screen,
    ) -> Result<Self> {
        let settings = configuration::chosen(&arguments.configuration)?;
        let tables = choose(&settings, &arguments.tables)?;
        let limits = Limits { stop: signals::stop_on_signal(screen)?, ..Limits::default() };
        let pipeline = Pipeline::open(settings, Arc::new(SystemClock)).await?;
        let chosen = Self { tables, pipeline, limits, places, screen };
        chosen.probe().await?;
        Ok(chosen)
    }

    /// The time, for what is told of the past.
    pub(super) fn now(&self) -> DateTime<Utc> {
        self.pipeline.clock().now()
    }

    /// The tables.
    pub(super) fn tables(&self) -> &[TableSpec] {
        &self.tables
    }

    /// How many tables are chosen.
    pub(super) fn len(&self) -> usize {
        self.tables.len()
    }

    /// The length of the longest table name.
    pub(super) fn name_width(&self) -> usize {
        self.tables.iter().map(|table| table.source.to_string().len()).max().unwrap_or(0)
    }

    /// Looks until that ends or a signal requests the stop; none in that case.
    pub(super) async fn until_stopped<T>(&self, looking: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            looked = looking => Some(looked),
            () = signals::requested(&self.limits.stop) => None,
        }
    }

    /// Checks that every chosen table has a name of its own in catalogues.
    ///
    /// # Errors
    /// `Config` if two tables have the same name, or if a name is too long.
    pub(super) fn check_catalog_names(&self) -> Result<()> {
        catalog_names(self.pipeline.settings(), &self.tables).map(drop)
    }

    /// The name of a table in catalogues.
    pub(super) fn catalog_name(&self, spec: &TableSpec) -> CatalogName {
        self.pipeline.settings().catalog.name_of(spec)
    }

    /// Does `work` for one table after another, whatever happens to the others, until a signal
    /// requests the stop.
    ///
    /// # Errors
    /// The first error of `work`. `StoreRefused` after a [`TableEnd::Refused`] if the whole place
    /// cannot be used.
    pub(super) async fn each(
        &self,
        mut work: impl AsyncFnMut(&TableSpec) -> Result<TableEnd>,
    ) -> Result<LoopEnd> {
        let mut exit = Exit::Done;
        for (position, table) in self.tables.iter().enumerate() {
            if self.limits.stop.is_requested() {
                return Ok(self.stopped(self.tables.len() - position));
            }
            let end = work(table).await?;
            self.ended(end, &mut exit).await?;
        }
        Ok(LoopEnd::Complete(exit))
    }

    /// As [`Self::each`], for so many tables side by side. What came of a table is taken in as
    /// soon as it ends, with the table's position. Once the whole place cannot be used, what is
    /// under way is dropped, which is a crash that the next run recovers from.
    ///
    /// # Errors
    /// As [`Self::each`], and the first error of `take_in`.
    pub(super) async fn side_by_side<T: Send + 'static, F>(
        &self,
        at_once: NonZeroUsize,
        work: impl Fn(&TableSpec) -> F,
        mut take_in: impl FnMut(usize, T) -> Result<TableEnd>,
    ) -> Result<LoopEnd>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut exit = Exit::Done;
        let mut waiting = self.tables.iter().enumerate();
        let mut under_way = JoinSet::new();
        loop {
            while under_way.len() < at_once.get() && !self.limits.stop.is_requested() {
                let Some((position, table)) = waiting.next() else { break };
                let outcome = work(table);
                under_way.spawn(async move { (position, outcome.await) });
            }
            let Some(ended) = under_way.join_next().await else { break };
            let (position, outcome) = ended?;
            let end = take_in(position, outcome)?;
            self.ended(end, &mut exit).await?;
        }
        match waiting.len() {
            0 => Ok(LoopEnd::Complete(exit)),
            left => Ok(self.stopped(left)),
        }
    }

    async fn ended(&self, end: TableEnd, exit: &mut Exit) -> Result<()> {
        if end != TableEnd::Done {
            *exit = Exit::Attention;
        }
        if end == TableEnd::Refused { self.probe().await } else { Ok(()) }
    }

    fn stopped(&self, left: usize) -> LoopEnd {
        let left = u64::try_from(left).unwrap_or(u64::MAX);
        self.screen.note(format_args!("stopped: {} not processed", plural(left, "table")));
        LoopEnd::Stopped
    }

    /// As [`Self::each`], for tables that exist. A table that does not exist yet, or is held, gets
    /// a note and needs attention.
    ///
    /// # Errors
    /// As [`Self::each`], and as [`table::open`] for errors other than a hold.
    pub(super) async fn each_open(
        &self,
        mut work: impl AsyncFnMut(OpenTable<'_>) -> Result<TableEnd>,
    ) -> Result<LoopEnd> {
        self.each(async |spec| match self.open_table(spec).await? {
            Some(open) => work(open).await,
            None => Ok(TableEnd::Attention),
        })
        .await
    }

    async fn open_table<'b>(&self, spec: &'b TableSpec) -> Result<Option<OpenTable<'b>>> {
        let location = self.pipeline.lake_folder(&spec.source)?;
        match table::open(&location, None).await {
            Ok(Some(table)) => Ok(Some(OpenTable { spec, location, table })),
            Ok(None) => {
                TableEnd::without_table(&spec.source, self.screen);
                Ok(None)
            }
            // A hold is a matter of this table alone.
            Err(error) if disposition(error.kind()).action == Action::Hold => {
                let (source, told) = (&spec.source, told_of(&error, &spec.source));
                self.screen.note(format_args!("{source}: held: {told}"));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Checks whether the command's places can be used at all.
    async fn probe(&self) -> Result<()> {
        if self.places == Places::Untried {
            return Ok(());
        }
        self.pipeline.probe_lake().await?;
        match self.places {
            Places::LakeAndStaging => self.pipeline.probe_staging().await,
            Places::Lake | Places::Untried => Ok(()),
        }
    }
}

/// The tables that these names match in the configuration's order; all if none is named.
///
/// # Errors
/// `Config` for a name that no configured table matches.
fn choose(settings: &Settings, names: &[String]) -> Result<Vec<TableSpec>> {
    let matches = |name: &String, table: &TableSpec| {
        Pattern::with_stars(name).matches(&table.source.to_string())
    };
    let is_unknown = |name: &&String| !settings.tables.iter().any(|table| matches(name, table));
    let unknown: Vec<&str> = names.iter().filter(is_unknown).map(String::as_str).collect();
    if let Some(first) = unknown.first() {
        let configured = settings.tables.iter().map(|table| table.source.to_string());
        let known = nearest_first(first, configured);
        return Err(Error::new(ErrorKind::Config, "no [[table]] has that source")
            .with("--table", unknown.join(", "))
            .with("configured", listed(&known)));
    }
    let is_chosen =
        |table: &&TableSpec| names.is_empty() || names.iter().any(|name| matches(name, table));
    Ok(settings.tables.iter().filter(is_chosen).cloned().collect())
}
