//! `dmslake discover`: writes the lock file, which names the tables that patterns stand for.

mod merge;

use std::path::Path;

use super::args::DiscoverArguments;
use super::configuration::{Unexpanded, write_lock};
use super::exit::Exit;
use super::init::{self, Found, FoundTable};
use super::output::{Screen, plural};
use crate::config::{Lock, TableName};
use crate::dms::TableMappings;
use crate::error::{Error, ErrorKind, Result};
use crate::storage::{Location, probe};
use merge::{Change, Merged, merge};

/// Finds the tables of the configuration's patterns, says what changes in the lock file, and
/// writes it. A table is taken in once the configuration is valid with it.
///
/// # Errors
/// `Config` for a configuration without patterns, or files and URLs that cannot be used;
/// `StoreRefused` for a staging folder that cannot; `Unavailable` if staging or the source does not
/// answer.
pub(super) async fn run(arguments: &DiscoverArguments, screen: &Screen) -> Result<Exit> {
    let configuration = Unexpanded::read(&arguments.config)?;
    let settings = &configuration.settings;
    if settings.patterns.is_empty() {
        let message = "no [[table]] has a pattern as its source, so there is no lock file to write; \
                       set source = \"schema.*\" for all tables of a schema";
        return Err(Error::new(ErrorKind::Config, message).with("file", arguments.config.display()));
    }
    let mappings = match &arguments.table_mappings {
        Some(file) => Some(init::parsed("--table-mappings", file, TableMappings::parse)?),
        None => None,
    };
    let staging = Location::open_staging(&settings.staging).await?;
    probe(&settings.staging).await?;
    let url = arguments.mysql.as_deref();
    let Found { mut tables, at_source } =
        init::look(&staging, url, mappings.as_ref(), &settings.dms).await?;
    let is_claimed =
        |name: &TableName| settings.patterns.iter().any(|pattern| pattern.claims(name));
    tables.retain(|table| is_claimed(&table.name));

    let known = configuration.lock.clone().unwrap_or_default();
    let Merged { mut lock, changes } =
        merge(&known, &tables, at_source.as_ref(), is_claimed, arguments.prune);
    let refused = refuse_incomplete(&configuration, &mut lock, &changes, screen);
    let is_refused = |name: &TableName| refused.contains(name);
    for change in changes.iter().filter(|change| !is_refused(change.name())) {
        screen.line(change)?;
    }
    tell_remarks(&tables, &changes, screen);
    let is_new = configuration.lock.as_ref() != Some(&lock);
    finish(arguments, &configuration.lock_file(), &lock, is_new, screen)?;
    let is_left = !refused.is_empty() || configuration.with(&lock).is_err();
    Ok(if is_left || (arguments.dry_run && is_new) { Exit::Attention } else { Exit::Done })
}

fn finish(
    arguments: &DiscoverArguments,
    file: &Path,
    lock: &Lock,
    is_new: bool,
    screen: &Screen,
) -> Result<()> {
    let tables = plural(lock.tables.len() as u64, "table");
    let shown = file.display();
    if !is_new {
        screen.note(format_args!("{shown} is as it should be: {tables}"));
    } else if arguments.dry_run {
        screen.note(format_args!("{shown} is left as it is; it would have {tables}"));
    } else {
        write_lock(file, lock)?;
        screen.note(format_args!("wrote {shown}: {tables}"));
    }
    Ok(())
}

/// Takes away the new tables with which the configuration is not valid, and says why; other
/// violations are told and left. Returns the tables that were taken away.
fn refuse_incomplete(
    configuration: &Unexpanded,
    lock: &mut Lock,
    changes: &[Change],
    screen: &Screen,
) -> Vec<TableName> {
    let Err(error) = configuration.with(lock) else { return Vec::new() };
    let mut refused = Vec::new();
    for line in error.message().lines() {
        let added = changes.iter().filter_map(Change::added);
        let about = added.into_iter().find(|name| line.contains(&format!(" ({name}): ")));
        match about {
            Some(name) => {
                screen.note(format_args!("{name} is not added: {line}"));
                if lock.tables.remove(name).is_some() {
                    refused.push(name.clone());
                }
            }
            None => screen.note(format_args!("to fix in the configuration: {line}")),
        }
    }
    refused
}

fn tell_remarks(tables: &[FoundTable], changes: &[Change], screen: &Screen) {
    for change in changes {
        let found = tables.iter().filter(|table| table.name == *change.name());
        for remark in found.flat_map(|table| &table.remarks) {
            screen.note(format_args!("to check: {}: {remark}", change.name()));
        }
    }
}
