//! Decides what to write for each table: from the source's declarations, if there are any, changed by
//! the rules of the task; otherwise from the table's newest object.

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

/// What AWS says about the task.
#[derive(Clone, Copy, Debug)]
pub(super) struct Task<'a> {
    /// Its rules, if they are known.
    pub(super) mappings: Option<&'a TableMappings>,
    /// The settings of endpoint and rules for reading objects, or DMS's defaults.
    pub(super) dms: &'a S3Settings,
    /// Whether the settings of the endpoint are known.
    pub(super) has_endpoint: bool,
}

/// Proposals, sorted by name: for each staged table, and for each other table of the source that the
/// task's rules include; without rules, for every table of the source if nothing is staged.
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
                "rules rename schemas or tables, and it is not clear which table of the source this \
                 is: ask the source with --mysql"
                    .into(),
            ),
            AtSource::Nowhere => {
                proposal
                    .remarks
                    .push("the task's rules do not select it: find out what stages it".into());
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

/// The source table of a staged table.
enum AtSource {
    /// This table, according to the source or the rules, or without both by its name.
    Is(TableName),
    /// The rules do not tell.
    Untold,
    /// None that the rules include.
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

/// The folders of a source's table in staging.
pub(super) fn folders(name: &TableName, mappings: Option<&TableMappings>) -> TableName {
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
        proposal.remarks.push(format!("{objects} with a name that DMS does not give"));
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

/// Fills in what the source declares, changed by the rules; returns the columns that these add.
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
    // If the name at the source is unknown, the rules are applied to the staged name.
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
            Err(reason) => {
                ("text".to_owned(), Some(format!("the source declares another type: {reason}")))
            }
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
