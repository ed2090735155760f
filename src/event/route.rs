//! Routes doorbells to tables: each table is looked at once, however many doorbells name it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Content, Doorbell, Unreadable};
use crate::config::{Settings, TableName, TableSpec};
use crate::nearest::{listed, nearest_first};
use crate::staging::{Scope, TableFolder, is_of_a_table};
use crate::storage::{Location, StoreKind};

/// A table that doorbells name.
#[derive(Clone, Debug)]
pub struct Work<'a> {
    /// The table.
    pub table: &'a TableSpec,
    /// Which of its objects to look at; names are sorted and unique.
    pub scope: Scope,
    /// Positions of the messages that name it.
    pub messages: BTreeSet<usize>,
}

/// What a batch of messages asks for, by table.
#[derive(Clone, Debug, Default)]
pub struct Route<'a> {
    /// The tables to apply, each once, in the configuration's order.
    pub work: Vec<Work<'a>>,
    /// Messages that cannot be processed, by position: not understood, or for a table that is not
    /// configured.
    pub unreadable: BTreeMap<usize, Unreadable>,
    /// Folders of staged objects without a `[[table]]`, except DMS's own tables.
    pub unconfigured: BTreeSet<TableName>,
    /// Tables that a pattern is about and the lock file does not know.
    pub undiscovered: BTreeSet<TableName>,
    /// The number of named objects that are in no table's folder.
    pub elsewhere: u64,
    /// Whether a message asks for all tables.
    pub is_sweep: bool,
}

/// Finds the tables that these messages name.
///
/// An object belongs to the table of its first two folders below the staging folder, whose names
/// are not encoded on S3. Objects of other tables are ignored: staging may contain more tables than
/// are configured.
#[must_use]
pub fn route<'a>(settings: &'a Settings, staging: &Location, messages: &[Content]) -> Route<'a> {
    let mut switchboard = Switchboard { settings, staging, rung: BTreeMap::new() };
    let mut route = Route::default();
    for (message, content) in messages.iter().enumerate() {
        match content {
            Ok(doorbells) => {
                for doorbell in doorbells {
                    switchboard.ring(doorbell, message, &mut route);
                }
            }
            Err(reason) => {
                route.unreadable.insert(message, reason.clone());
            }
        }
    }
    route.work = switchboard.rung.into_values().collect();
    for work in &mut route.work {
        if let Scope::Named(keys) = &mut work.scope {
            keys.sort_unstable();
            keys.dedup();
        }
    }
    route
}

struct Switchboard<'a, 's> {
    settings: &'a Settings,
    staging: &'s Location,
    /// By the table's position in the configuration.
    rung: BTreeMap<usize, Work<'a>>,
}

impl<'a> Switchboard<'a, '_> {
    fn ring(&mut self, doorbell: &Doorbell, message: usize, route: &mut Route<'_>) {
        match doorbell {
            Doorbell::Everything => {
                route.is_sweep = true;
                for index in 0..self.settings.tables.len() {
                    self.work(index, message).scope = Scope::Everything;
                }
            }
            Doorbell::Due => {
                for index in 0..self.settings.tables.len() {
                    if !self.settings.tables[index].freshness.is_zero() {
                        self.work(index, message);
                    }
                }
            }
            Doorbell::Table(name) => match self.find(|source| source.to_string() == *name) {
                Some(index) => self.work(index, message).scope = Scope::Everything,
                None => {
                    route.unreadable.insert(message, self.not_configured(name));
                }
            },
            Doorbell::Object { bucket, key } => {
                let Some((folder, relative)) = table_folder(self.staging, bucket, key) else {
                    route.elsewhere += 1;
                    return;
                };
                if let Some(index) = self.find(|source| *source == folder) {
                    if let Scope::Named(keys) = &mut self.work(index, message).scope {
                        keys.push(key.clone());
                    }
                    return;
                }
                let is_table = match TableFolder::of(&folder) {
                    TableFolder::Table => true,
                    TableFolder::IfStaged => is_of_a_table(relative),
                    TableFolder::Never => false,
                };
                if !is_table || self.settings.is_left_out(&folder) {
                    return;
                }
                if self.settings.is_undiscovered(&folder) {
                    route.undiscovered.insert(folder);
                } else {
                    route.unconfigured.insert(folder);
                }
            }
        }
    }

    fn find(&self, is_it: impl Fn(&TableName) -> bool) -> Option<usize> {
        self.settings.tables.iter().position(|table| is_it(&table.source))
    }

    fn work(&mut self, index: usize, message: usize) -> &mut Work<'a> {
        let table = &self.settings.tables[index];
        let nothing_yet = || Work { table, scope: Scope::Named(vec![]), messages: BTreeSet::new() };
        let work = self.rung.entry(index).or_insert_with(nothing_yet);
        work.messages.insert(message);
        work
    }

    fn not_configured(&self, name: &str) -> Unreadable {
        let names = self.settings.tables.iter().map(|table| table.source.to_string());
        let names = listed(&nearest_first(name, names));
        Unreadable(format!("table {name} is not configured; configured: {names}"))
    }
}

/// The schema and table folders of an object in staging, and its name below them; none if it is in
/// no such folders.
fn table_folder<'k>(
    staging: &Location,
    bucket: &str,
    key: &'k str,
) -> Option<(TableName, &'k str)> {
    // A disk has no buckets, so the event's bucket is ignored.
    if staging.kind() == StoreKind::S3 && staging.url().host_str() != Some(bucket) {
        return None;
    }
    let below = match staging.prefix().as_ref() {
        "" => key,
        prefix => key.strip_prefix(prefix)?.strip_prefix('/')?,
    };
    let (schema, rest) = below.split_once('/')?;
    let (table, name) = rest.split_once('/')?;
    let is_complete = [schema, table, name].iter().all(|part| !part.is_empty());
    is_complete.then(|| (TableName { schema: schema.to_owned(), table: table.to_owned() }, name))
}
