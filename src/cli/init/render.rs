//! The text of a commented `dmslake.toml`.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::proposal::{Column, Keys, Proposal};
use crate::config::{TableName, refused_column_name};
use crate::dms::TableMappings;

/// All that goes into the file.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    /// `staging`
    pub(super) staging: &'a str,
    /// `lake`
    pub(super) lake: &'a str,
    /// `[dms]` as the endpoint has it, if that is known.
    pub(super) dms: Option<&'a toml::Table>,
    /// The rules of the task, if they are known.
    pub(super) mappings: Option<&'a TableMappings>,
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
";

const NO_TIMESTAMP: &str = "\
# timestamp_column_name = \"\"       # the column that DMS adds with the time of commit
";

const DMS_KNOWN: &str = "
# The S3Settings of the DMS endpoint, where they differ from DMS's own defaults.
[dms]
";

const RULES_UNKNOWN: &str = "\
# What rules of the task add; `dmslake init --table-mappings FILE` fills it in from
# `aws dms describe-replication-tasks`.
";

const NO_SEQUENCE: &str = "\
# change_seq_column = \"\"           # the column that an AR_H_CHANGE_SEQ rule adds
";

const NO_BEFORE_IMAGES: &str = "\
# before_image_prefix = \"BI_\"      # columns that a before-image rule adds; \"\" for none
";

const DEFAULTS: &str = "
# Any key of a table may stand here for all of them.
[defaults]
# on_bad_row = \"stop\"              # or \"quarantine\": set the row aside and go on
# merge = \"copy-on-write\"          # or \"deletion-vectors\" or \"auto\": readers must know them
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
        None => unknown_endpoint(&mut text, draft.proposals),
        Some(table) => {
            text.push_str(DMS_KNOWN);
            for (name, value) in table {
                add(&mut text, format_args!("{name} = {value}\n"));
            }
        }
    }
    rules(&mut text, draft.mappings);
    text.push_str(DEFAULTS);
    for proposal in draft.proposals {
        table(&mut text, proposal);
    }
    text
}

fn unknown_endpoint(text: &mut String, proposals: &[Proposal]) {
    text.push_str(DMS_UNKNOWN);
    match proposals.iter().find_map(|proposal| proposal.timestamp.as_ref()) {
        Some(name) => add(
            text,
            format_args!(
                "# CHECK: it stands in front, required, as only DMS's own timestamp column does.\n\
                 timestamp_column_name = {}\n",
                quoted(name)
            ),
        ),
        None => text.push_str(NO_TIMESTAMP),
    }
}

fn rules(text: &mut String, mappings: Option<&TableMappings>) {
    if mappings.is_none() {
        text.push_str(RULES_UNKNOWN);
    }
    match mappings.and_then(TableMappings::change_seq_column) {
        Some(name) => add(text, format_args!("change_seq_column = {}\n", quoted(name))),
        None => text.push_str(NO_SEQUENCE),
    }
    match mappings.and_then(TableMappings::before_image_prefix) {
        Some(prefix) => add(text, format_args!("before_image_prefix = {}\n", quoted(prefix))),
        None => text.push_str(NO_BEFORE_IMAGES),
    }
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
    renames(text, &proposal.columns);
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

/// Spark refuses some characters in names that MySQL allows.
fn renames(text: &mut String, columns: &[Column]) {
    let stored = || columns.iter().filter(|column| !column.is_set_apart);
    let mut taken: BTreeSet<String> = stored().map(|column| column.name.to_lowercase()).collect();
    let mut renames = Vec::new();
    for column in stored() {
        if column.mysql_type.is_none() || refused_column_name(&column.name).is_none() {
            continue;
        }
        let mut target: String = column.name.chars().map(allowed).collect();
        while !taken.insert(target.to_lowercase()) {
            target.push('_');
        }
        renames.push(format!("{} = {}", quoted(&column.name), quoted(&target)));
    }
    if !renames.is_empty() {
        add(text, format_args!("rename = {{ {} }}\n", renames.join(", ")));
    }
}

fn allowed(character: char) -> char {
    if refused_column_name(character.encode_utf8(&mut [0; 4])).is_some() { '_' } else { character }
}

fn columns(text: &mut String, proposal: &Proposal) {
    if proposal.columns.is_empty() {
        return;
    }
    if proposal.columns.iter().any(|column| column.mysql_type.is_none()) {
        text.push_str(
            "# FILL IN: the source's columns in the order of the CSV fields with their MySQL types \
             (as in\n# SHOW CREATE TABLE), then the columns that rules add. `dmslake init` does it \
             for you with\n# --mysql for the former and --table-mappings for the latter.\n",
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load;

    fn column(name: &str, mysql_type: Option<&str>) -> Column {
        Column {
            name: name.into(),
            mysql_type: mysql_type.map(str::to_owned),
            remark: None,
            is_set_apart: false,
        }
    }

    fn text(keys: Keys, columns: Vec<Column>) -> String {
        let proposal = Proposal {
            name: TableName { schema: "my.shop".into(), table: "order\nlines".into() },
            about: "CSV".into(),
            keys,
            columns,
            control: vec!["Op: the\noperation".into()],
            timestamp: None,
            remarks: vec!["line\nbreak".into()],
        };
        let section = toml::Table::from_iter([("csv_delimiter".to_owned(), "\t".into())]);
        render(&Draft {
            staging: "s3://bucket/\"dms\"",
            lake: "lake",
            dms: Some(&section),
            mappings: None,
            proposals: &[proposal],
        })
    }

    #[test]
    fn what_is_complete_is_accepted() {
        let columns = vec![
            column("id", Some("bigint unsigned")),
            column("unit price", Some("decimal(10,2)")),
            column("unit_price", Some("enum('a''b','\"')")),
        ];
        let text = text(Keys::Known(vec!["id".into()]), columns);
        let settings = load::parse(&text).expect(&text);
        let table = &settings.tables[0];
        assert_eq!(settings.staging, "s3://bucket/\"dms\"");
        assert_eq!(settings.dms.csv_delimiter, "\t");
        assert_eq!(table.source.schema, "my.shop");
        assert_eq!(table.keys, ["id"]);
        assert!(!table.columns[0].nullable && table.columns[1].nullable);
        assert_eq!(table.lake_name("unit price"), "unit_price_");
    }

    #[test]
    fn what_is_not_complete_says_so_and_is_refused() {
        for (keys, mysql_type) in [
            (Keys::Known(vec!["id".into()]), None),
            (Keys::Guess("id".into()), Some("int")),
            (Keys::Unknown, Some("int")),
            (Keys::None, Some("int")),
        ] {
            let text = text(keys, vec![column("id", mysql_type)]);
            assert!(text.contains("NOT COMPLETE") && text.contains("# FILL IN:"), "{text}");
            load::parse(&text).expect_err(&text);
        }
    }
}
