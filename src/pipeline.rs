//! The path of a table's staged objects into its Delta table: names every stage, decides
//! nothing itself.

mod limits;
mod report;

use std::sync::Arc;

pub use limits::{Limits, Stop};
pub use report::{Observer, Silent, Status, Step, TableReport};

use crate::clock::Clock;
use crate::config::{Settings, TableName, TableSpec};
use crate::error::Result;
use crate::storage::Location;

/// Which staged objects an application looks at. What is applied, and in what order, follows
/// from the table's progress alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Lists everything: the CLI, and the scheduled sweep.
    Everything,
    /// Lists the look-back window, the full load while it is open, and looks at these objects,
    /// named by their full keys in the staging bucket.
    Named(Vec<String>),
}

/// The components that apply tables: where objects come from, where tables stand, and time.
#[derive(Clone, Debug)]
pub struct Pipeline {
    settings: Arc<Settings>,
    staging: Location,
    lake: Location,
    clock: Arc<dyn Clock>,
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
        Self { settings, staging, lake, clock }
    }

    /// Opens the places that the settings name.
    ///
    /// # Errors
    /// `Config` if one of them cannot be opened.
    pub async fn open(settings: Settings, clock: Arc<dyn Clock>) -> Result<Self> {
        let staging = Location::open(&settings.staging).await?;
        let lake = Location::open(&settings.lake).await?;
        Ok(Self::new(Arc::new(settings), staging, lake, clock))
    }

    /// The configuration.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Applies what is pending for one table, in order, until caught up, held, stopped, or
    /// short of time. A failure is part of the report, so that one table never fails another.
    pub async fn apply(
        &self,
        _table: &TableSpec,
        _scope: &Scope,
        _limits: &Limits,
        _observer: &dyn Observer,
    ) -> TableReport {
        todo!()
    }

    /// Staged tables that no `[[table]]` takes, by name.
    ///
    /// # Errors
    /// `Unavailable` if staging cannot be listed.
    pub async fn unconfigured(&self) -> Result<Vec<TableName>> {
        todo!()
    }
}
