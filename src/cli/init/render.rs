//! The text of a commented `dmslake.toml`.

use std::fmt::Write;

use super::propose::{Column, Keys, Proposal};
use crate::config::TableName;

/// All that goes into the file.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    /// `staging`
    pub(super) staging: &'a str,
    /// `lake`
    pub(super) lake: &'a str,
    /// `[dms]` as the endpoint has it, if that is known.
    pub(super) dms: Option<&'a toml::Table>,
    /// The tables.
    pub(super) proposals: &'a [Proposal],
}

/// Marks what must be filled in; no MySQL type is spelled so.
const PLACEHOLDER: &str = "?";

const HEAD: &str = "\
# Configuration of dmslake, written by `dmslake init`.
# Read it through, then: dmslake apply --config <this file>
";

const DMS_UNKNOWN: &str = "
# The S3Settings of the DMS endpoint, as Terraform's aws_dms_s3_endpoint spells them. Only what
# differs from DMS's own defaults must stand here; `dmslake init --endpoint-settings FILE` fills it
# in from `aws dms describe-endpoints`.
[dms]
# csv_delimiter = \",\"
# timestamp_column_name = \"\"       # the column that DMS adds with the time of commit
# change_seq_column = \"\"           # the column that an AR_H_CHANGE_SEQ rule adds
# before_image_prefix = \"BI_\"      # columns that a before-image rule adds; \"\" for none
";

const DMS_KNOWN: &str = "
# The S3Settings of the DMS endpoint, where they differ from DMS's own defaults.
[dms]
";

const DMS_OURS: &str = "\
# change_seq_column = \"\"           # the column that an AR_H_CHANGE_SEQ rule adds
# before_image_prefix = \"BI_\"      # columns that a before-image rule adds; \"\" for none
";

const DEFAULTS: &str = "
# Any key of a table may stand here for all of them.
[defaults]
# on_bad_row = \"stop\"              # or \"quarantine\": set the row aside and go on
";

/// Writes the draft out.
pub(super) fn render(draft: &Draft<'_>) -> String {
    let mut text = String::from(HEAD);
    if draft.proposals.iter().any(|proposal| !proposal.gaps().is_empty()) {
        text.push_str("#\n# NOT COMPLETE: it is not accepted before what is marked FILL IN has been filled in.\n");
    }
    add(
        &mut text,
        format_args!("\nstaging = {}\nlake = {}\n", quoted(draft.staging), quoted(draft.lake)),
    );
    match draft.dms {
        None => text.push_str(DMS_UNKNOWN),
        Some(table) => {
            text.push_str(DMS_KNOWN);
            for (name, value) in table {
                add(&mut text, format_args!("{name} = {value}\n"));
            }
            text.push_str(DMS_OURS);
        }
    }
    text.push_str(DEFAULTS);
    for proposal in draft.proposals {
        table(&mut text, proposal);
    }
    text
}

fn add(text: &mut String, part: std::fmt::Arguments<'_>) {
    text.write_fmt(part).expect("a String takes all");
}

fn table(text: &mut String, proposal: &Proposal) {
    add(text, format_args!("\n# {}: {}\n", one_line(&proposal.name.to_string()), proposal.about));
    for remark in &proposal.remarks {
        add(text, format_args!("# CHECK: {}\n", one_line(remark)));
    }
    add(text, format_args!("[[table]]\nsource = {}\n", source(&proposal.name)));
    keys(text, &proposal.keys);
    if !proposal.control.is_empty() {
        text.push_str("# read, but not stored unless named in store = […]:\n");
        for column in &proposal.control {
            add(text, format_args!("#   {}\n", one_line(column)));
        }
    }
    columns(text, proposal);
}

/// `schema.table`, or both apart where a dot in the schema would be taken for the one between.
fn source(name: &TableName) -> String {
    if name.schema.contains('.') {
        let (schema, table) = (quoted(&name.schema), quoted(&name.table));
        return format!("{{ schema = {schema}, table = {table} }}");
    }
    quoted(&name.to_string())
}

fn keys(text: &mut String, keys: &Keys) {
    match keys {
        Keys::Known(names) => {
            let names: Vec<String> = names.iter().map(|name| quoted(name)).collect();
            add(text, format_args!("keys = [{}]\n", names.join(", ")));
        }
        Keys::Guess(name) => add(
            text,
            format_args!(
                "# FILL IN: the key; this is only a guess by the column's name:\n# keys = [{}]\n",
                quoted(name)
            ),
        ),
        Keys::Unknown => text.push_str(
            "# FILL IN: the columns that identify a row (the primary key):\n# keys = []\n",
        ),
        Keys::None => text.push_str(
            "# FILL IN: the source has no primary key. Name columns that identify a row:\n\
             # keys = []\n# or, if rows are only ever inserted:\n# append_only = true\n",
        ),
    }
}

fn columns(text: &mut String, proposal: &Proposal) {
    if proposal.columns.is_empty() {
        return;
    }
    if proposal.columns.iter().any(|column| column.mysql_type.is_none()) {
        text.push_str(
            "# FILL IN: the source's columns in the order of the CSV fields with their MySQL types \
             (as in\n# SHOW CREATE TABLE), then the columns that rules add. `dmslake init --mysql` \
             does it for you.\n",
        );
    }
    text.push_str("columns = [\n");
    for column in &proposal.columns {
        add(text, format_args!("    {}\n", line(column, &proposal.keys)));
    }
    text.push_str("]\n");
}

fn line(column: &Column, keys: &Keys) -> String {
    let is_key = matches!(keys, Keys::Known(names) if names.contains(&column.name));
    let nullable = if is_key { ", nullable = false" } else { "" };
    let mysql_type = quoted(column.mysql_type.as_deref().unwrap_or(PLACEHOLDER));
    let name = quoted(&column.name);
    let remark = match &column.remark {
        Some(remark) => format!("  # {}", one_line(remark)),
        None => String::new(),
    };
    format!("{{ name = {name}, type = {mysql_type}{nullable} }},{remark}")
}

/// A comment ends with its line, and names may hold anything.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}
