//! What to write for each table: from the source's declarations if there are any, else from what
//! its newest object shows.

use std::collections::BTreeSet;

use chrono::NaiveDateTime;

use super::mysql::{Declaration, Declarations};
use super::survey::StagedTable;
use super::{csv, parquet};
use crate::cli::output::plural;
use crate::config::TableName;
use crate::dms::{Format, MySqlType, Operation, S3Settings};
use crate::error::Result;
use crate::storage::Location;
use parquet::FoundColumn;

/// The name of DMS's operation column.
const OPERATION_COLUMN: &str = "Op";

/// A `[[table]]` to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Proposal {
    /// Its source.
    pub(super) name: TableName,
    /// What was found of it, in a sentence.
    pub(super) about: String,
    /// Its keys.
    pub(super) keys: Keys,
    /// Its columns.
    pub(super) columns: Vec<Column>,
    /// Columns of the object that are DMS's own, with what they are.
    pub(super) control: Vec<String>,
    /// A column that looks like DMS's timestamp column, where the endpoint's settings are unknown.
    pub(super) timestamp: Option<String>,
    /// What a person should look at.
    pub(super) remarks: Vec<String>,
}

/// How sure the keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Keys {
    /// The source's primary key.
    Known(Vec<String>),
    /// A guess by name.
    Guess(String),
    /// Nothing is known.
    Unknown,
    /// The source has no primary key.
    None,
}

/// A column to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    /// Its name, or a placeholder.
    pub(super) name: String,
    /// Its MySQL type; none is a placeholder.
    pub(super) mysql_type: Option<String>,
    /// What to say about it.
    pub(super) remark: Option<String>,
}

impl Proposal {
    /// What must be filled in before the configuration is valid.
    pub(super) fn gaps(&self) -> Vec<&'static str> {
        let mut gaps = Vec::new();
        if self.columns.iter().any(|column| column.mysql_type.is_none()) {
            gaps.push("columns: names and MySQL types, in the order of the CSV fields");
        }
        match self.keys {
            Keys::Known(_) => {}
            Keys::Guess(_) => {
                gaps.push("keys: the one written is a guess, uncomment or correct it");
            }
            Keys::Unknown => gaps.push("keys: the columns that identify a row"),
            Keys::None => {
                gaps.push("keys: the source has no primary key; name columns that identify a row");
            }
        }
        gaps
    }
}

/// A proposal for each staged table, and for each declared one if nothing is staged.
///
/// # Errors
/// `Unavailable` if an object cannot be read.
pub(super) async fn all(
    staging: &Location,
    staged: &[StagedTable],
    source: Option<&Declarations>,
    dms: &S3Settings,
) -> Result<Vec<Proposal>> {
    let mut proposals = Vec::new();
    for table in staged {
        let declaration = source.and_then(|source| source.get(&table.name));
        let mut proposal = staged_table(staging, table, declaration, dms).await?;
        if source.is_some() && declaration.is_none() {
            proposal.remarks.push("the source has no table of that name".into());
        }
        proposals.push(proposal);
    }
    if staged.is_empty() {
        for (name, declaration) in source.into_iter().flatten() {
            let mut proposal = blank(name.clone(), "nothing is staged yet".into());
            declared(&mut proposal, declaration);
            proposals.push(proposal);
        }
    }
    Ok(proposals)
}

fn blank(name: TableName, about: String) -> Proposal {
    Proposal {
        name,
        about,
        keys: Keys::Unknown,
        columns: Vec::new(),
        control: Vec::new(),
        timestamp: None,
        remarks: Vec::new(),
    }
}

async fn staged_table(
    staging: &Location,
    table: &StagedTable,
    declaration: Option<&Declaration>,
    dms: &S3Settings,
) -> Result<Proposal> {
    let mut proposal = blank(table.name.clone(), about(table));
    if table.foreign > 0 {
        let objects = plural(table.foreign, "object");
        proposal.remarks.push(format!("{objects} bear no name that dmslake applies"));
    }
    if let Some(declaration) = declaration {
        declared(&mut proposal, declaration);
    }
    let Some(sample) = &table.newest else { return Ok(proposal) };
    match sample.name.format {
        Format::Parquet => match parquet::columns(staging, sample).await {
            Ok(columns) => by_name(&mut proposal, &columns, dms, declaration.is_some()),
            Err(error) => proposal.remarks.push(error.chain()),
        },
        Format::Csv => match csv::first_record(staging, sample, dms).await? {
            Some(fields) => by_position(&mut proposal, &fields, dms, declaration.is_some()),
            None => proposal.remarks.push(format!(
                "no whole record at the beginning of {}: is the delimiter right?",
                sample.meta.location
            )),
        },
    }
    Ok(proposal)
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
        proposal.columns.push(Column { name, mysql_type: Some(mysql_type), remark });
    }
}

/// Columns that travel with their names: Parquet.
fn by_name(proposal: &mut Proposal, found: &[FoundColumn], dms: &S3Settings, is_declared: bool) {
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
        let control = is_operation
            .then_some("the operation")
            .or_else(|| role(&column.name, found, dms))
            .or_else(|| may_be_timestamp.then_some(TIMESTAMP_GUESS))
            .or_else(|| is_declared.then_some("not in the source, so a rule adds it"));
        match control {
            Some(role) => proposal.control.push(format!("{}: {role}", column.name)),
            None => proposal.columns.push(Column {
                name: column.name.clone(),
                mysql_type: Some(column.mysql_type.clone()),
                remark: column.remark.or_else(|| sequence_guess(column)).map(str::to_owned),
            }),
        }
    }
    if !is_declared && proposal.columns.iter().any(|column| column.name == "id") {
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
fn by_position(proposal: &mut Proposal, fields: &[String], dms: &S3Settings, is_declared: bool) {
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
    if !is_declared {
        proposal.columns = placeholders(rest, dms);
    } else if rest.len() != proposal.columns.len() {
        let (found, declared) = (rest.len(), proposal.columns.len());
        proposal.remarks.push(format!(
            "its newest object has {found} fields beside those of DMS, the source {declared} \
             columns: set timestamp_column_name if DMS writes one, and append the columns that \
             rules add (before images, change sequence) in their order"
        ));
    }
}

fn placeholders(fields: &[String], dms: &S3Settings) -> Vec<Column> {
    let placeholder = |(position, field): (usize, &String)| {
        let name =
            if dms.add_column_name { field.clone() } else { format!("column_{}", position + 1) };
        let may_be_timestamp = position == 0 && is_time(field);
        let remark = may_be_timestamp.then(|| CSV_TIMESTAMP_GUESS.to_owned());
        Column { name, mysql_type: None, remark }
    };
    fields.iter().enumerate().map(placeholder).collect()
}

const CSV_TIMESTAMP_GUESS: &str = "a time: if it is DMS's timestamp column, take this line out and \
set timestamp_column_name under [dms]";

/// Whether it is written as DMS writes times, `2026-03-01 08:06:06.295890`.
fn is_time(field: &str) -> bool {
    NaiveDateTime::parse_from_str(field, "%Y-%m-%d %H:%M:%S%.6f").is_ok()
}
