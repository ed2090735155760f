//! Checks the names of tables in catalogues: each is unique and allowed there.

use std::collections::BTreeMap;

use crate::config::{CatalogName, CatalogSettings, Settings, TableSpec};
use crate::error::{Error, ErrorKind, Result};

/// The most bytes of a name in AWS Glue.
const LONGEST_NAME: usize = 255;

/// A table whose name a catalogue cannot take.
pub(super) struct RefusedName {
    /// The table's place in the list.
    pub(super) position: usize,
    /// What is wrong with its name, and the remedy.
    pub(super) sentence: String,
}

/// The names in catalogues of the `chosen` tables of a configuration, in their order.
///
/// # Errors
/// `Config` if one of them has the name of another configured table, or one that is too long: all
/// violations, one per line.
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

/// Every table whose name is too long or not unique. If two tables have one name, both are refused.
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
                "would be {name} in catalogues, like {other}; give one of them another name there, \
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

/// The name of a table, and that of its external table in Redshift.
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
    // A name in another script has no characters left.
    let is_empty = table.chars().all(|sign| sign == '_');
    let stem = if is_empty { "table" } else { table.trim_end_matches('_') };
    let named = |number: usize| CatalogName {
        database: database.clone(),
        table: format!("{stem}_{number}"),
    };
    let is_free = |name: &CatalogName| {
        !owners.contains_key(name) && !owners.contains_key(&name.in_spectrum())
    };
    // One of these is free: there are more numbers than names.
    let numbers = 2..=owners.len() + 2;
    numbers.map(named).find(is_free).map_or_else(String::new, |name| name.table)
}
