//! What to write for each table: from the source's declarations if there are any and what the
//! rules of the task make of them, else from what its newest object shows.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDateTime;

use super::mysql::{Declaration, Declarations};
use super::proposal::{Column, Keys, Proposal};
use super::rules::{Added, Sight};
use super::survey::StagedTable;
use super::{csv, parquet, rules};
use crate::cli::output::plural;
use crate::config::TableName;
use crate::dms::{Format, MySqlType, Operation, S3Settings, TableMappings};
use crate::error::Result;
use crate::storage::Location;
use parquet::FoundColumn;

/// The name of DMS's operation column.
const OPERATION_COLUMN: &str = "Op";

/// A proposal for each staged table, and for each other one of the source that the task's rules
/// take; without rules, for every one of the source if nothing is staged. By name.
///
/// # Errors
/// `Unavailable` if an object cannot be read.
pub(super) async fn all(
    staging: &Location,
    staged: &[StagedTable],
    source: Option<&Declarations>,
    mappings: Option<&TableMappings>,
    dms: &S3Settings,
) -> Result<Vec<Proposal>> {
    let mut sources: BTreeMap<TableName, Source<'_>> = BTreeMap::new();
    for (name, declaration) in source.into_iter().flatten() {
        sources.insert(folders(name, mappings), Source { name, declaration });
    }
    let mut proposals = Vec::new();
    for table in staged {
        let found = sources.get(&table.name);
        let mut proposal = staged_table(staging, table, found, mappings, dms).await?;
        if source.is_some() && found.is_none() {
            proposal.remarks.push("the source has no table of that name".into());
        }
        let name = found.map_or(&table.name, |found| found.name);
        if mappings.is_some_and(|mappings| !mappings.selects(&name.schema, &name.table)) {
            proposal.remarks.push("the task's rules do not select it: who stages it?".into());
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
        let added = ruled(&mut proposal, Some(&source), mappings, false);
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

fn folders(name: &TableName, mappings: Option<&TableMappings>) -> TableName {
    let Some(mappings) = mappings else { return name.clone() };
    let (schema, table) = mappings.folders(&name.schema, &name.table);
    TableName { schema, table }
}

async fn staged_table(
    staging: &Location,
    table: &StagedTable,
    source: Option<&Source<'_>>,
    mappings: Option<&TableMappings>,
    dms: &S3Settings,
) -> Result<Proposal> {
    let mut proposal = Proposal::blank(table.name.clone(), about(table));
    if table.foreign > 0 {
        let objects = plural(table.foreign, "object");
        proposal.remarks.push(format!("{objects} bear no name that dmslake applies"));
    }
    let is_shown = table.format() == Some(Format::Parquet);
    let added = ruled(&mut proposal, source, mappings, is_shown);
    let Some(sample) = &table.newest else {
        proposal.columns.extend(added.into_iter().filter_map(Added::into_column));
        return Ok(proposal);
    };
    let known = Known { is_declared: source.is_some(), has_rules: mappings.is_some(), added };
    match sample.name.format {
        Format::Parquet => match parquet::columns(staging, sample).await {
            Ok(columns) => by_name(&mut proposal, &columns, dms, &known),
            Err(error) => proposal.remarks.push(error.chain()),
        },
        Format::Csv => match csv::first_record(staging, sample, dms).await? {
            Some(fields) => by_position(&mut proposal, &fields, dms, known),
            None => proposal.remarks.push(format!(
                "no whole record at the beginning of {}: is the delimiter right?",
                sample.meta.location
            )),
        },
    }
    Ok(proposal)
}

/// What is known of a table's columns before one of its objects is looked into.
struct Known {
    /// Whether the source has declared the columns of the proposal.
    is_declared: bool,
    /// Whether the rules of the task are known.
    has_rules: bool,
    /// What they add.
    added: Vec<Added>,
}

/// Takes over what the source declares and what the rules make of it; returns what they add.
fn ruled(
    proposal: &mut Proposal,
    source: Option<&Source<'_>>,
    mappings: Option<&TableMappings>,
    is_shown: bool,
) -> Vec<Added> {
    if let Some(source) = source {
        declared(proposal, source.declaration);
        if *source.name != proposal.name {
            proposal.about = format!("{}; at the source {}", proposal.about, source.name);
        }
    }
    let Some(mappings) = mappings else { return Vec::new() };
    let name = source.map_or_else(|| proposal.name.clone(), |source| source.name.clone());
    rules::apply(proposal, &name, mappings, Sight { is_declared: source.is_some(), is_shown })
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

/// Columns that travel with their names: Parquet.
fn by_name(proposal: &mut Proposal, found: &[FoundColumn], dms: &S3Settings, known: &Known) {
    let has_operation = found.first().is_some_and(|column| column.name == OPERATION_COLUMN);
    let declared: BTreeSet<String> =
        proposal.columns.iter().map(|column| column.name.clone()).collect();
    for (position, column) in found.iter().enumerate() {
        let is_operation = has_operation && position == 0;
        if !is_operation && declared.contains(&column.name) {
            continue;
        }
        let may_be_timestamp = position == usize::from(has_operation) && column.is_required_text;
        if may_be_timestamp && dms.timestamp_column_name.is_none() {
            proposal.timestamp = Some(column.name.clone());
        }
        let added = known.added.iter().filter_map(Added::column);
        let added = added.into_iter().find(|added| added.name == column.name);
        let is_unknown = known.is_declared && !known.has_rules;
        let control = is_operation
            .then_some("the operation")
            .or_else(|| role(&column.name, found, dms))
            .or_else(|| may_be_timestamp.then_some(TIMESTAMP_GUESS))
            .or_else(|| is_unknown.then_some("not in the source, so a rule adds it"));
        if let Some(role) = control {
            proposal.control.push(format!("{}: {role}", column.name));
            continue;
        }
        let remark = match added {
            Some(added) => added.remark.clone(),
            None if known.is_declared => Some("neither the source nor a rule has it".to_owned()),
            None => column.remark.or_else(|| sequence_guess(column)).map(str::to_owned),
        };
        proposal.columns.push(Column {
            name: column.name.clone(),
            mysql_type: Some(column.mysql_type.clone()),
            remark,
            is_set_apart: false,
        });
    }
    if !known.is_declared && proposal.columns.iter().any(|column| column.name == "id") {
        proposal.keys = Keys::Guess("id".into());
    }
}

const TIMESTAMP_GUESS: &str = "the timestamp column, as it seems: required text in front";

/// What a column is to DMS, if its name tells.
fn role(name: &str, found: &[FoundColumn], dms: &S3Settings) -> Option<&'static str> {
    if dms.timestamp_column_name.as_deref() == Some(name) {
        return Some("the timestamp column");
    }
    if dms.change_seq_column.as_deref() == Some(name) {
        return Some("the change sequence");
    }
    let imaged = name.strip_prefix(dms.before_image_prefix.as_deref()?)?;
    found.iter().any(|column| column.name == imaged).then_some("a before image")
}

/// Rules name the column as they like; some names speak.
fn sequence_guess(column: &FoundColumn) -> Option<&'static str> {
    let name = column.name.to_ascii_lowercase();
    let speaks = name.contains("ar_h_") || name.contains("_seq");
    (speaks && column.mysql_type == "text")
        .then_some("if an AR_H_CHANGE_SEQ rule adds it: name it as change_seq_column under [dms]")
}

/// Columns that are known by their place: CSV.
fn by_position(proposal: &mut Proposal, fields: &[String], dms: &S3Settings, known: Known) {
    let mut rest = fields;
    let has_operation = rest.first().is_some_and(|field| {
        field == OPERATION_COLUMN || Operation::parse(field.as_bytes()).is_some()
    });
    if has_operation {
        proposal.control.push("the first field: the operation".into());
        rest = &rest[1..];
    }
    if let Some(name) = &dms.timestamp_column_name
        && !rest.is_empty()
    {
        proposal.control.push(format!("the next field: the timestamp column, {name}"));
        rest = &rest[1..];
    }
    if !known.is_declared {
        proposal.columns = placeholders(rest, dms, &known.added);
        return;
    }
    proposal.columns.extend(known.added.into_iter().filter_map(Added::into_column));
    let (found, columns) = (rest.len(), proposal.columns.len());
    if found != columns {
        let (whose, remedy) = if known.has_rules {
            ("the source and the rules", "and compare the columns")
        } else {
            let remedy = "and append the columns that rules add (before images, change sequence) \
                          in their order, as --table-mappings does";
            ("the source", remedy)
        };
        proposal.remarks.push(format!(
            "its newest object has {found} fields beside those of DMS, {whose} {columns} columns: \
             set timestamp_column_name if DMS writes one, {remedy}"
        ));
    }
}

fn placeholders(fields: &[String], dms: &S3Settings, added: &[Added]) -> Vec<Column> {
    let placeholder = |(position, field): (usize, &String)| {
        let name =
            if dms.add_column_name { field.clone() } else { format!("column_{}", position + 1) };
        let may_be_timestamp = position == 0 && is_time(field);
        let remark = may_be_timestamp.then(|| CSV_TIMESTAMP_GUESS.to_owned());
        Column { name, mysql_type: None, remark, is_set_apart: false }
    };
    let mut columns: Vec<Column> = fields.iter().enumerate().map(placeholder).collect();
    // From behind, as far as the rules say how many columns they add.
    for (column, added) in columns.iter_mut().rev().zip(added.iter().rev()) {
        match added.column() {
            Some(added) if !dms.add_column_name || added.name == column.name => {
                *column = added.clone();
            }
            _ => break,
        }
    }
    columns
}

const CSV_TIMESTAMP_GUESS: &str = "a time: if it is DMS's timestamp column, take this line out and \
set timestamp_column_name under [dms]";

/// Whether it is written as DMS writes times, `2026-03-01 08:06:06.295890`.
fn is_time(field: &str) -> bool {
    NaiveDateTime::parse_from_str(field, "%Y-%m-%d %H:%M:%S%.6f").is_ok()
}
