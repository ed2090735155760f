//! What to write for each table: from the source's declarations if there are any and what the
//! rules of the task make of them, else from what its newest object shows.

use std::collections::BTreeMap;

use super::mysql::{Declaration, Declarations};
use super::proposal::{Column, Keys, Proposal};
use super::rules::{Added, Sight};
use super::shown::{Known, by_name, by_records};
use super::survey::StagedTable;
use super::{csv, parquet, rules};
use crate::cli::output::plural;
use crate::config::TableName;
use crate::dms::table_mappings::Origin;
use crate::dms::{Format, MySqlType, S3Settings, TableMappings};
use crate::error::Result;
use crate::storage::Location;

/// What AWS told of the task.
#[derive(Clone, Copy, Debug)]
pub(super) struct Task<'a> {
    /// Its rules, if they are known.
    pub(super) mappings: Option<&'a TableMappings>,
    /// What endpoint and rules say about objects, else DMS's defaults.
    pub(super) dms: &'a S3Settings,
    /// Whether the settings of the endpoint are known.
    pub(super) has_endpoint: bool,
}

/// A proposal for each staged table, and for each other one of the source that the task's rules
/// take; without rules, for every one of the source if nothing is staged. By name.
///
/// # Errors
/// `Unavailable` if an object cannot be read.
pub(super) async fn all(
    staging: &Location,
    staged: &[StagedTable],
    source: Option<&Declarations>,
    task: &Task<'_>,
) -> Result<Vec<Proposal>> {
    let mappings = task.mappings;
    let mut sources: BTreeMap<TableName, Source<'_>> = BTreeMap::new();
    for (name, declaration) in source.into_iter().flatten() {
        sources.insert(folders(name, mappings), Source { name, declaration });
    }
    let mut proposals = Vec::new();
    for table in staged {
        let found = sources.get(&table.name);
        let at_source = at_source(&table.name, found, mappings);
        let mut proposal = staged_table(staging, table, found, &at_source, task).await?;
        if source.is_some() && found.is_none() {
            proposal.remarks.push("the source has no table of that name".into());
        }
        match at_source {
            AtSource::Is(_) => {}
            AtSource::Untold => proposal.remarks.push(
                "rules rename schemas or tables, and do not tell which one of the source this is: \
                 --mysql does"
                    .into(),
            ),
            AtSource::Nowhere => {
                proposal.remarks.push("the task's rules do not select it: who stages it?".into());
            }
        }
        proposals.push(proposal);
    }
    // An empty table has no object yet.
    sources.retain(|name, source| match mappings {
        Some(mappings) => {
            mappings.selects(&source.name.schema, &source.name.table)
                && staged.iter().all(|table| table.name != *name)
        }
        None => staged.is_empty(),
    });
    for (name, source) in sources {
        let mut proposal = Proposal::blank(name, "nothing is staged yet".into());
        let at_source = AtSource::Is(source.name.clone());
        let added = ruled(&mut proposal, Some(&source), &at_source, mappings, false);
        proposal.columns.extend(added.into_iter().filter_map(Added::into_column));
        proposals.push(proposal);
    }
    proposals.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(proposals)
}

/// A table of the source.
struct Source<'a> {
    name: &'a TableName,
    declaration: &'a Declaration,
}

/// Which table of the source a staged one is.
enum AtSource {
    /// This one, as the source or the rules say, or for want of both by its name.
    Is(TableName),
    /// The rules do not tell.
    Untold,
    /// None that the rules take.
    Nowhere,
}

fn at_source(
    staged: &TableName,
    found: Option<&Source<'_>>,
    mappings: Option<&TableMappings>,
) -> AtSource {
    let Some(mappings) = mappings else {
        return AtSource::Is(found.map_or(staged, |found| found.name).clone());
    };
    if let Some(Source { name, .. }) = found {
        let is_taken = mappings.selects(&name.schema, &name.table);
        return if is_taken { AtSource::Is((*name).clone()) } else { AtSource::Nowhere };
    }
    match mappings.origin(&staged.schema, &staged.table) {
        Origin::Known { schema, table } => AtSource::Is(TableName { schema, table }),
        Origin::Untold => AtSource::Untold,
        Origin::Nowhere => AtSource::Nowhere,
    }
}

fn folders(name: &TableName, mappings: Option<&TableMappings>) -> TableName {
    let Some(mappings) = mappings else { return name.clone() };
    let (schema, table) = mappings.folders(&name.schema, &name.table);
    TableName { schema, table }
}

async fn staged_table(
    staging: &Location,
    table: &StagedTable,
    source: Option<&Source<'_>>,
    at_source: &AtSource,
    task: &Task<'_>,
) -> Result<Proposal> {
    let Task { mappings, dms, has_endpoint } = *task;
    let mut proposal = Proposal::blank(table.name.clone(), about(table));
    if table.foreign > 0 {
        let objects = plural(table.foreign, "object");
        proposal.remarks.push(format!("{objects} bear no name that dmslake applies"));
    }
    let is_shown = table.format() == Some(Format::Parquet);
    let added = ruled(&mut proposal, source, at_source, mappings, is_shown);
    let Some(sample) = &table.newest else {
        proposal.columns.extend(added.into_iter().filter_map(Added::into_column));
        return Ok(proposal);
    };
    let known = Known {
        is_declared: source.is_some(),
        has_endpoint,
        has_rules: mappings.is_some(),
        added,
        key_images: mappings.and_then(|mappings| {
            let AtSource::Is(name) = at_source else { return None };
            rules::key_images(name, mappings)
        }),
    };
    match sample.name.format {
        Format::Parquet => match parquet::columns(staging, sample).await {
            Ok(columns) => by_name(&mut proposal, &columns, dms, &known),
            Err(error) => proposal.remarks.push(error.chain()),
        },
        Format::Csv => match &*csv::first_records(staging, sample, dms).await? {
            [first, rest @ ..] => {
                by_records(&mut proposal, first, rest.first(), dms, known);
            }
            [] => proposal.remarks.push(format!(
                "no whole record at the beginning of {}: is the delimiter right?",
                sample.meta.location
            )),
        },
    }
    Ok(proposal)
}

/// Takes over what the source declares and what the rules make of it; returns what they add.
fn ruled(
    proposal: &mut Proposal,
    source: Option<&Source<'_>>,
    at_source: &AtSource,
    mappings: Option<&TableMappings>,
    is_shown: bool,
) -> Vec<Added> {
    if let Some(source) = source {
        declared(proposal, source.declaration);
    }
    // For want of a name at the source, what rules make of that name is looked at.
    let name = match (at_source, source) {
        (AtSource::Is(name), _) => name.clone(),
        (_, Some(source)) => source.name.clone(),
        _ => proposal.name.clone(),
    };
    if name != proposal.name {
        proposal.about = format!("{}; at the source {name}", proposal.about);
    }
    let Some(mappings) = mappings else { return Vec::new() };
    let is_named = matches!(at_source, AtSource::Is(_));
    rules::apply(
        proposal,
        &name,
        mappings,
        Sight { is_declared: source.is_some(), is_named, is_shown },
    )
}

fn about(table: &StagedTable) -> String {
    let format = match table.format() {
        Some(Format::Csv) => "CSV",
        Some(Format::Parquet) => "Parquet",
        None => "empty",
    };
    let (loads, changes) = (table.loads, table.changes);
    format!(
        "{format}, {} and {} staged",
        plural(loads, "full-load object"),
        plural(changes, "CDC object")
    )
}

fn declared(proposal: &mut Proposal, declaration: &Declaration) {
    proposal.keys = if declaration.keys.is_empty() {
        Keys::None
    } else {
        Keys::Known(declaration.keys.clone())
    };
    for column in &declaration.columns {
        let (mysql_type, refusal) = match MySqlType::parse(&column.mysql_type) {
            Ok(_) => (column.mysql_type.clone(), None),
            // Whatever DMS writes for it can be kept as text.
            Err(reason) => ("text".to_owned(), Some(format!("declared otherwise: {reason}"))),
        };
        let generated = "computed by the source: DMS does not capture its changes".to_owned();
        let remark = refusal.or_else(|| column.is_generated.then_some(generated));
        let name = column.name.clone();
        proposal.columns.push(Column {
            name,
            mysql_type: Some(mysql_type),
            remark,
            is_set_apart: false,
        });
    }
}
