//! Derives columns from the newest object of a table.

use std::collections::BTreeSet;

use chrono::NaiveDateTime;

use super::parquet::FoundColumn;
use super::proposal::{Column, Header, Keys, Proposal};
use super::rules::{Added, KeyImages};
use crate::dms::{Operation, S3Settings};

/// The name of DMS's operation column.
const OPERATION_COLUMN: &str = "Op";

const OPERATION: &str = "the operation";
const BY_NAME: &str = "by the column's name";
const BY_IMAGES: &str = "the columns that have before images";
const TIMESTAMP_GUESS: &str = "probably the timestamp column: required text before the columns";
const HEADER_TIMESTAMP_GUESS: &str = "probably the timestamp column: a time before the columns";
const HEADER_UNTOLD: &str = "its newest object has a header, as its first record begins with Op, \
but the endpoint's settings do not say so: set add_column_name = true in [dms]";
const CSV_TIMESTAMP_GUESS: &str = "a time: if it is DMS's timestamp column, remove this column and \
set timestamp_column_name in [dms]";

/// What is known about a table's columns before one of its objects is read.
pub(super) struct Known {
    /// Whether the source has declared the columns of the proposal.
    pub(super) is_declared: bool,
    /// Whether the settings of the endpoint are known.
    pub(super) has_endpoint: bool,
    /// Whether the rules of the task are known.
    pub(super) has_rules: bool,
    /// The columns that rules add.
    pub(super) added: Vec<Added>,
    /// The rule that adds before images of the key only, if there is one.
    pub(super) key_images: Option<KeyImages>,
}

impl Known {
    fn added(&self, name: &str) -> Option<&Column> {
        self.added.iter().filter_map(Added::column).find(|added| added.name == name)
    }
}

/// Columns of an object that names them: Parquet.
pub(super) fn by_name(
    proposal: &mut Proposal,
    found: &[FoundColumn],
    dms: &S3Settings,
    known: &Known,
) {
    let names: Vec<&str> = found.iter().map(|column| &*column.name).collect();
    let has_operation = names.first() == Some(&OPERATION_COLUMN);
    let declared: BTreeSet<String> =
        proposal.columns.iter().map(|column| column.name.clone()).collect();
    proposal.is_told_by_objects = !known.is_declared;
    for (position, column) in found.iter().enumerate() {
        let is_operation = has_operation && position == 0;
        if !is_operation && declared.contains(&column.name) {
            continue;
        }
        let may_be_timestamp = position == usize::from(has_operation) && column.is_required_text;
        if may_be_timestamp && dms.timestamp_column_name.is_none() {
            proposal.timestamp = Some(column.name.clone());
        }
        let is_unknown = known.is_declared && !known.has_rules;
        let control = is_operation
            .then_some(OPERATION)
            .or_else(|| role(&column.name, &names, dms))
            .or_else(|| may_be_timestamp.then_some(TIMESTAMP_GUESS))
            .or_else(|| is_unknown.then_some("not in the source, so a rule adds it"));
        if let Some(role) = control {
            proposal.control.push(format!("{} ({role})", column.name));
            continue;
        }
        let remark = match known.added(&column.name) {
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
    if !known.is_declared {
        keys(proposal, &names, dms, known);
    }
}

/// The role of a column for DMS, if its name tells.
fn role(name: &str, names: &[&str], dms: &S3Settings) -> Option<&'static str> {
    if dms.timestamp_column_name.as_deref() == Some(name) {
        return Some("the timestamp column");
    }
    if dms.change_seq_column.as_deref() == Some(name) {
        return Some("the change sequence");
    }
    let imaged = name.strip_prefix(dms.before_image_prefix.as_deref()?)?;
    names.contains(&imaged).then_some("a before image")
}

/// Derives the key from before images: for certain if a rule adds those of the key only, otherwise
/// as a guess if some columns have one and others do not.
fn keys(proposal: &mut Proposal, names: &[&str], dms: &S3Settings, known: &Known) {
    let imaged = |prefix: &str, suffix: &str| -> Vec<String> {
        let has_image = |name: &&&str| names.contains(&&*format!("{prefix}{name}{suffix}"));
        names.iter().filter(has_image).map(|name| (*name).to_owned()).collect()
    };
    if let Some(rule) = &known.key_images {
        let keys = imaged(&rule.prefix, &rule.suffix);
        if !keys.is_empty() {
            let id = &rule.id;
            proposal.about =
                format!("{}; its key has the before images of rule {id}", proposal.about);
            proposal.keys = Keys::Known(keys);
            return;
        }
    }
    let own = |name: &str| proposal.columns.iter().any(|column| column.name == name);
    let guess = match &dms.before_image_prefix {
        Some(prefix) if !known.has_rules => imaged(prefix, ""),
        _ => Vec::new(),
    };
    if !guess.is_empty() && guess.len() < proposal.columns.len() {
        proposal.keys = Keys::Guess(guess, BY_IMAGES);
    } else if own("id") {
        proposal.keys = Keys::Guess(vec!["id".to_owned()], BY_NAME);
    }
}

/// A guess from the column's name; rules may choose any name.
fn sequence_guess(column: &FoundColumn) -> Option<&'static str> {
    let name = column.name.to_ascii_lowercase();
    let speaks = name.contains("ar_h_") || name.contains("_seq");
    (speaks && column.mysql_type == "text")
        .then_some("if an AR_H_CHANGE_SEQ rule adds it, set it as change_seq_column in [dms]")
}

/// The columns of CSV, from the first two records.
pub(super) fn by_records(
    proposal: &mut Proposal,
    first: &[String],
    second: Option<&Vec<String>>,
    dms: &S3Settings,
    known: Known,
) {
    // `Op` is not an operation, so it is a name.
    let is_header = first.first().is_some_and(|field| field == OPERATION_COLUMN);
    if dms.add_column_name {
        proposal.header = Header::Configured;
    } else if is_header {
        proposal.header = Header::Found;
        if known.has_endpoint {
            proposal.remarks.push(HEADER_UNTOLD.to_owned());
        }
    } else {
        by_position(proposal, first, dms, known);
        return;
    }
    by_header(proposal, first, second, dms, &known);
}

/// Columns whose names, but not types, are in the header.
fn by_header(
    proposal: &mut Proposal,
    header: &[String],
    row: Option<&Vec<String>>,
    dms: &S3Settings,
    known: &Known,
) {
    let names: Vec<&str> = header.iter().map(String::as_str).collect();
    let has_operation = names.first() == Some(&OPERATION_COLUMN);
    for (position, name) in names.iter().enumerate() {
        let is_in_front = position == usize::from(has_operation);
        let is_own = proposal.columns.iter().any(|column| column.name == *name);
        let may_be_timestamp = is_in_front
            && !is_own
            && dms.timestamp_column_name.is_none()
            && row.and_then(|row| row.get(position)).is_some_and(|field| is_time(field));
        if may_be_timestamp {
            proposal.timestamp = Some((*name).to_owned());
        }
        let control = (has_operation && position == 0)
            .then_some(OPERATION)
            .or_else(|| role(name, &names, dms))
            .or_else(|| may_be_timestamp.then_some(HEADER_TIMESTAMP_GUESS));
        if let Some(role) = control {
            proposal.control.push(format!("{name} ({role})"));
        } else if let Some(added) = known.added(name) {
            proposal.columns.push(added.clone());
        } else if !is_own {
            let remark =
                known.is_declared.then(|| "neither the source nor a rule has it".to_owned());
            proposal.columns.push(Column {
                name: (*name).to_owned(),
                mysql_type: None,
                remark,
                is_set_apart: false,
            });
        }
    }
    if !known.is_declared {
        keys(proposal, &names, dms, known);
    }
}

/// Columns that are known by their position: CSV without a header.
fn by_position(proposal: &mut Proposal, fields: &[String], dms: &S3Settings, known: Known) {
    let mut rest = fields;
    let has_operation =
        rest.first().is_some_and(|field| Operation::parse(field.as_bytes()).is_some());
    if has_operation {
        proposal.control.push(format!("the first field ({OPERATION})"));
        rest = &rest[1..];
    }
    if let Some(name) = &dms.timestamp_column_name
        && !rest.is_empty()
    {
        proposal.control.push(format!("the next field (the timestamp column, {name})"));
        rest = &rest[1..];
    }
    if !known.is_declared {
        proposal.columns = placeholders(rest, &known.added);
        return;
    }
    proposal.columns.extend(known.added.into_iter().filter_map(Added::into_column));
    let (found, columns) = (rest.len(), proposal.columns.len());
    if found != columns {
        let (whose, remedy) = if known.has_rules {
            ("the source and the rules have", "and compare the columns")
        } else {
            let remedy = "and append the columns that rules add (before images, change sequence) \
                          in their order; --table-mappings does that";
            ("the source has", remedy)
        };
        proposal.remarks.push(format!(
            "its newest object has {found} fields in addition to those of DMS, but {whose} \
             {columns} columns: set timestamp_column_name if DMS writes one, {remedy}"
        ));
    }
}

fn placeholders(fields: &[String], added: &[Added]) -> Vec<Column> {
    let placeholder = |(position, field): (usize, &String)| {
        let may_be_timestamp = position == 0 && is_time(field);
        let remark = may_be_timestamp.then(|| CSV_TIMESTAMP_GUESS.to_owned());
        let name = format!("column_{}", position + 1);
        Column { name, mysql_type: None, remark, is_set_apart: false }
    };
    let mut columns: Vec<Column> = fields.iter().enumerate().map(placeholder).collect();
    // From the end, as long as the rules say how many columns they add.
    for (column, added) in columns.iter_mut().rev().zip(added.iter().rev()) {
        match added.column() {
            Some(added) => *column = added.clone(),
            None => break,
        }
    }
    columns
}

/// Whether a field has the form of DMS's times, `2026-03-01 08:06:06.295890`.
fn is_time(field: &str) -> bool {
    NaiveDateTime::parse_from_str(field, "%Y-%m-%d %H:%M:%S%.6f").is_ok()
}
