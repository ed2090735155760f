//! The tables that a command names, and what it works on them with.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::args::ChosenArguments;
use super::output::{Screen, plural};
use super::{configuration, signals};
use crate::clock::SystemClock;
use crate::config::{Settings, TableSpec};
use crate::disposition::{Action, disposition, remedy_of};
use crate::error::{Error, ErrorKind, Result};
use crate::nearest::nearest_first;
use crate::pipeline::{Limits, Pipeline};
use crate::storage::Location;
use crate::table::{self, LakeTable};

/// Chosen tables, in the configuration's order.
pub(super) struct Chosen {
    pub(super) tables: Vec<TableSpec>,
    pub(super) pipeline: Pipeline,
    /// No deadline; a signal asks for the stop.
    pub(super) limits: Limits,
}

impl Chosen {
    /// Reads the configuration, opens its places and sees whether the lake can be used.
    ///
    /// # Errors
    /// `Config` for a configuration or a table name that cannot be used, `StoreRefused` if the lake
    /// cannot.
    pub(super) async fn open(arguments: &ChosenArguments, screen: &Screen) -> Result<Self> {
        let settings = configuration::read(&arguments.config)?;
        let tables = choose(&settings, &arguments.tables)?;
        let limits = Limits { deadline: None, stop: signals::stop_on_signal(screen)? };
        let pipeline = Pipeline::open(settings, Arc::new(SystemClock)).await?;
        pipeline.probe_lake().await?;
        Ok(Self { tables, pipeline, limits })
    }

    /// A table's folder and the table as it is now; says so if there is none yet, or if it is held.
    ///
    /// # Errors
    /// As [`table::open`] for what is no hold.
    pub(super) async fn open_table(
        &self,
        spec: &TableSpec,
        screen: &Screen,
    ) -> Result<Option<(Location, LakeTable)>> {
        let location = self.pipeline.lake_folder(&spec.source)?;
        let opened = match table::open(&location, None).await {
            Ok(opened) => opened,
            // It is held, and keeps no other table from being looked at.
            Err(error) if disposition(error.kind()).action == Action::Hold => {
                let (chain, remedy) = (error.chain(), remedy_of(&error));
                screen.note(format_args!("{}: held: {chain}; {remedy}", spec.source));
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        if opened.is_none() {
            screen.note(format_args!("{}: there is no table yet", spec.source));
        }
        Ok(opened.map(|table| (location, table)))
    }

    /// Whether a signal came before the table at this position; says then what is left.
    pub(super) fn is_stopped(&self, position: usize, screen: &Screen) -> bool {
        let is_stopped = self.limits.stop.is_requested();
        if is_stopped {
            let left = u64::try_from(self.tables.len() - position).unwrap_or(u64::MAX);
            screen.note(format_args!("stopped: {} not looked at", plural(left, "table")));
        }
        is_stopped
    }
}

/// The tables of these names in the configuration's order; all if none is named.
///
/// # Errors
/// `Config` if a name is none of the configuration's.
fn choose(settings: &Settings, names: &[String]) -> Result<Vec<TableSpec>> {
    let configured: BTreeSet<String> =
        settings.tables.iter().map(|table| table.source.to_string()).collect();
    let unknown: Vec<&str> =
        names.iter().filter(|name| !configured.contains(*name)).map(String::as_str).collect();
    if !unknown.is_empty() {
        let known = nearest_first(unknown[0], configured);
        return Err(Error::new(ErrorKind::Config, "no [[table]] has that source")
            .with("--table", unknown.join(", "))
            .with("configured", known.join(", ")));
    }
    let is_chosen =
        |table: &&TableSpec| names.is_empty() || names.contains(&table.source.to_string());
    Ok(settings.tables.iter().filter(is_chosen).cloned().collect())
}
