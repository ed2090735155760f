//! Names of tables in catalogues: each table has one of its own, and each can be written there.

use std::collections::BTreeMap;

use crate::config::{CatalogName, CatalogSettings, Settings, TableSpec};
use crate::error::{Error, ErrorKind, Result};

/// Bytes of the longest name in AWS Glue.
const LONGEST_NAME: usize = 255;

/// A table whose name cannot be written to a catalogue.
pub(super) struct RefusedName {
    /// The table's place in the list.
    pub(super) position: usize,
    /// What is wrong with its name, and what to do.
    pub(super) sentence: String,
}

/// The names of these tables of a configuration in catalogues, in their order.
///
/// # Errors
/// `Config` if one of them has the name of another table of the configuration, or one that is too
/// long: all that is wrong, one a line.
pub fn catalog_names(settings: &Settings, chosen: &[TableSpec]) -> Result<Vec<CatalogName>> {
    let specs: Vec<&TableSpec> = settings.tables.iter().collect();
    let refused = refused_names(&specs, &settings.catalog);
    let is_chosen = |refused: &&RefusedName| {
        let met = &specs[refused.position].source;
        chosen.iter().any(|spec| spec.source == *met)
    };
    let lines: Vec<String> = refused
        .iter()
        .filter(is_chosen)
        .map(|refused| format!("{}: {}", specs[refused.position].source, refused.sentence))
        .collect();
    if !lines.is_empty() {
        return Err(Error::new(ErrorKind::Config, lines.join("\n")));
    }
    Ok(chosen.iter().map(|spec| settings.catalog.name_of(spec)).collect())
}

/// Every table whose name is too long, or is that of another one: both of these are refused,
/// since neither is more entitled to it.
pub(super) fn refused_names(tables: &[&TableSpec], catalog: &CatalogSettings) -> Vec<RefusedName> {
    let mut owners: BTreeMap<CatalogName, Vec<usize>> = BTreeMap::new();
    for (position, spec) in tables.iter().enumerate() {
        for name in names(spec, catalog) {
            owners.entry(name).or_default().push(position);
        }
    }
    let mut refused = Vec::new();
    for (position, spec) in tables.iter().enumerate() {
        let is_other = |other: &&usize| tables[**other].source != spec.source;
        let met = names(spec, catalog).find_map(|name| {
            let other = owners.get(&name)?.iter().find(is_other)?;
            Some((name, &tables[*other].source))
        });
        let name = catalog.name_of(spec);
        let sentence = if let Some((name, other)) = met {
            let free = free_name(spec, catalog, &owners);
            format!(
                "would be {name} in catalogues, as {other} is; give one of them another name there, \
                 such as name = \"{free}\""
            )
        } else if name.database.len().max(name.table.len()) > LONGEST_NAME {
            format!(
                "would be {name} in catalogues, where a name has at most {LONGEST_NAME} bytes; \
                 shorten database_prefix or choose name = \"database.table\""
            )
        } else {
            continue;
        };
        refused.push(RefusedName { position, sentence });
    }
    refused
}

/// What a table is called, and what its external table in Redshift is called.
fn names(spec: &TableSpec, catalog: &CatalogSettings) -> impl Iterator<Item = CatalogName> {
    let name = catalog.name_of(spec);
    let external = spec.redshift_manifest.then(|| name.in_spectrum());
    std::iter::once(name).chain(external)
}

/// A name in the same database that no table has.
fn free_name(
    spec: &TableSpec,
    catalog: &CatalogSettings,
    owners: &BTreeMap<CatalogName, Vec<usize>>,
) -> String {
    let CatalogName { database, table } = catalog.name_of(spec);
    // What is left of a name in another script says nothing.
    let is_empty = table.chars().all(|sign| sign == '_');
    let stem = if is_empty { "table" } else { table.trim_end_matches('_') };
    let named = |number: usize| CatalogName {
        database: database.clone(),
        table: format!("{stem}_{number}"),
    };
    let is_free = |name: &CatalogName| {
        !owners.contains_key(name) && !owners.contains_key(&name.in_spectrum())
    };
    // As many names are not free as there are.
    let numbers = 2..=owners.len() + 2;
    numbers.map(named).find(is_free).map_or_else(String::new, |name| name.table)
}
