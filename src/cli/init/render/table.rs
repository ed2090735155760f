//! Writes the text of one `[[table]]`.

use std::collections::BTreeSet;

use super::common::Common;
use super::{add, one_line, quoted};
use crate::cli::init::proposal::{Column, Keys, Proposal};
use crate::config::{TableName, refused_column_name};

/// Marks what must be filled in; not a MySQL type.
const PLACEHOLDER: &str = "?";
/// Several columns share a line up to this width.
const WIDTH: usize = 120;
const INDENT: &str = "    ";

/// Writes the table.
pub(super) fn table(text: &mut String, proposal: &Proposal, common: &Common<'_>) {
    add(text, format_args!("\n# {}: {}\n", one_line(&proposal.name.to_string()), proposal.about));
    let control: Vec<&str> = proposal
        .control
        .iter()
        .filter(|control| !common.has_control(control))
        .map(String::as_str)
        .collect();
    if !control.is_empty() {
        add(text, format_args!("# not stored: {}\n", one_line(&control.join(", "))));
    }
    remarks(text, proposal, common);
    add(text, format_args!("[[table]]\nsource = {}\n", source(&proposal.name)));
    keys(text, &proposal.keys);
    write_renames(text, &proposal.columns);
    columns(text, proposal, common);
}

fn remarks(text: &mut String, proposal: &Proposal, common: &Common<'_>) {
    let mut numbers = Vec::new();
    for remark in &proposal.remarks {
        match common.remark(remark) {
            Some(number) => numbers.push(format!("[{number}]")),
            None => add(text, format_args!("# CHECK: {}\n", one_line(remark))),
        }
    }
    if !numbers.is_empty() {
        add(text, format_args!("# CHECK: {}\n", numbers.join(", ")));
    }
}

/// `schema.table`, or both separately if the schema contains a dot.
pub(super) fn source(name: &TableName) -> String {
    if name.schema.contains('.') {
        let (schema, table) = (quoted(&name.schema), quoted(&name.table));
        return format!("{{ schema = {schema}, table = {table} }}");
    }
    quoted(&name.to_string())
}

fn keys(text: &mut String, keys: &Keys) {
    let listed = |names: &[String]| {
        names.iter().map(|name| quoted(name)).collect::<Vec<String>>().join(", ")
    };
    match keys {
        Keys::Known(names) => add(text, format_args!("keys = [{}]\n", listed(names))),
        Keys::Guess(names, why) => add(
            text,
            format_args!("# keys = [{}]  # FILL IN: this is only a guess, {why}\n", listed(names)),
        ),
        Keys::Unknown => text.push_str("# keys = []  # FILL IN\n"),
        Keys::None => {
            text.push_str("# keys = []  # FILL IN: the source has no primary key\n");
        }
    }
}

/// Other names in the lake for columns whose names MySQL allows but Spark refuses.
pub(in crate::cli::init) fn renames(columns: &[Column]) -> Vec<(String, String)> {
    let stored = || columns.iter().filter(|column| !column.is_set_apart);
    let mut taken: BTreeSet<String> = stored().map(|column| column.name.to_lowercase()).collect();
    let mut renames = Vec::new();
    for column in stored() {
        if refused_column_name(&column.name).is_none() {
            continue;
        }
        let mut target: String = column.name.chars().map(allowed).collect();
        while !taken.insert(target.to_lowercase()) {
            target.push('_');
        }
        renames.push((column.name.clone(), target));
    }
    renames
}

fn write_renames(text: &mut String, columns: &[Column]) {
    let renames = renames(columns);
    let renames: Vec<String> =
        renames.iter().map(|(from, to)| format!("{} = {}", quoted(from), quoted(to))).collect();
    if !renames.is_empty() {
        add(text, format_args!("rename = {{ {} }}\n", renames.join(", ")));
    }
}

fn allowed(character: char) -> char {
    if refused_column_name(character.encode_utf8(&mut [0; 4])).is_some() { '_' } else { character }
}

/// Writes the columns, several on a line; a column with a remark ends its line.
fn columns(text: &mut String, proposal: &Proposal, common: &Common<'_>) {
    let is_untold = |column: &&Column| !proposal.is_told_by_objects || column.remark.is_some();
    let mut columns = proposal.columns.iter().filter(is_untold).peekable();
    if columns.peek().is_none() {
        return;
    }
    let is_open = proposal.columns.iter().any(|column| column.mysql_type.is_none());
    text.push_str(if is_open { "columns = [  # FILL IN\n" } else { "columns = [\n" });
    let mut line = String::new();
    for column in columns {
        let spelled = spelled(column, &proposal.keys);
        if !line.is_empty() && INDENT.len() + line.len() + 1 + spelled.len() > WIDTH {
            end_line(text, &mut line);
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&spelled);
        if let Some(remark) = column.remark.as_ref().filter(|_| !common.has_note_of(column)) {
            add(&mut line, format_args!("  # {}", one_line(remark)));
            end_line(text, &mut line);
        }
    }
    if !line.is_empty() {
        end_line(text, &mut line);
    }
    text.push_str("]\n");
}

fn end_line(text: &mut String, line: &mut String) {
    add(text, format_args!("{INDENT}{line}\n"));
    line.clear();
}

fn spelled(column: &Column, keys: &Keys) -> String {
    let is_key = matches!(keys, Keys::Known(names) if names.contains(&column.name));
    let nullable = if is_key { ", nullable = false" } else { "" };
    let mysql_type = quoted(column.mysql_type.as_deref().unwrap_or(PLACEHOLDER));
    format!("{{ name = {}, type = {mysql_type}{nullable} }},", quoted(&column.name))
}
