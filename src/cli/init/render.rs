//! Writes the text of a commented `dmslake.toml`.

mod common;
mod patterns;
mod table;

use std::fmt::Write;

use super::proposal::{Header, Proposal};
use crate::config::EndpointSettings;
use crate::dms::TableMappings;
use crate::dms::table_mappings::Migration;
use common::Common;
use patterns::patterns;
pub(super) use table::renames;
use table::table;

/// Everything that goes into the file.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    /// `staging`
    pub(super) staging: &'a str,
    /// `lake`
    pub(super) lake: &'a str,
    /// The endpoint, if it is known.
    pub(super) endpoint: Option<&'a EndpointSettings>,
    /// The rules of the task, if they are known.
    pub(super) mappings: Option<&'a TableMappings>,
    /// The tables.
    pub(super) proposals: &'a [Proposal],
    /// Whether patterns stand for the tables, and a lock file names them.
    pub(super) is_locked: bool,
}

const HEAD: &str = "\
# Configuration of dmslake, written by `dmslake init`.
# Read it through, then: dmslake apply --config <this file>
";

const NOT_COMPLETE: &str = "\
#
# NOT COMPLETE: it is not accepted until everything marked FILL IN has been filled in.
";

const KEYS_TO_FILL_IN: &str = "\
# keys: the columns that identify a row (the primary key). Without a primary key, other columns may
#   identify a row; if rows are only ever inserted, set append_only = true instead of keys.
";

const COLUMNS_TO_FILL_IN: &str = "\
# columns: those of the source in the order of the CSV fields with their MySQL types (as in SHOW
#   CREATE TABLE), then those that rules add. `dmslake init` fills in the former with --mysql and
#   the latter with --table-mappings.
";

const TOLD_BY_OBJECTS: &str = "\
#
# Columns of Parquet objects are not listed if the object gives their types; columns = […] can
# override a type, such as { name = \"paid\", type = \"tinyint(1)\", boolean = true }.
";

const EXPIRY: &str = "\
# staging_expiry_days = 30         # the lifecycle rule of the staging bucket, if it has one: objects
#                                  # that vanish earlier were deleted, as DMS does at a TRUNCATE
";

const HEADER_FOUND: &str = "\
# CHECK: the first record of CSV objects begins with Op, so it is a header.
add_column_name = true
";

const DMS_UNKNOWN: &str = "
# The S3Settings of the DMS endpoint, spelled as in Terraform's aws_dms_s3_endpoint. Only what
# differs from DMS's own defaults is needed; `dmslake init --endpoint-settings FILE` fills it in from
# `aws dms describe-endpoints`.
[dms]
# csv_delimiter = \",\"
";

const NO_TIMESTAMP: &str = "\
# timestamp_column_name = \"\"       # the column that DMS adds with the commit timestamp
";

const DMS_KNOWN: &str = "
# The S3Settings of the DMS endpoint, where they differ from DMS's own defaults.
[dms]
";

const RULES_UNKNOWN: &str = "\
# Columns that rules of the task add; `dmslake init --table-mappings FILE` fills them in from
# `aws dms describe-replication-tasks`.
";

const SEQUENCED: &str = "\
# Late changes find their place by it. Tables keep it as _cdc_seq, unless guard = \"off\".
";

const NO_SEQUENCE: &str = "\
# change_seq_column = \"\"           # the column that an AR_H_CHANGE_SEQ rule adds
";

const NO_BEFORE_IMAGES: &str = "\
# before_image_prefix = \"BI_\"      # columns that a before-image rule adds; \"\" for none
";

const DEFAULTS: &str = "
# Any key of a table may be set here for all tables.
[defaults]
# on_bad_row = \"stop\"              # or \"quarantine\": set the row aside and go on
# merge = \"copy-on-write\"          # or \"deletion-vectors\" or \"auto\": readers must know them
";

const CHANGES_ONLY: &str = "\
cdc_only = true                    # the task loads nothing: tables start from their changes
";

/// The note about a task that writes no changes.
pub(super) const LOAD_ONLY: &str =
    "the task only loads (full-load): no changes will come, and tables stay as they were loaded";

/// The text of the file.
pub(super) fn render(draft: &Draft<'_>) -> String {
    let written: Vec<&Proposal> =
        draft.proposals.iter().filter(|it| !draft.is_locked || !it.gaps().is_empty()).collect();
    let common = Common::of(&written);
    let mut text = String::from(HEAD);
    to_fill_in(&mut text, draft.proposals);
    if draft.proposals.iter().any(|proposal| proposal.is_told_by_objects) {
        text.push_str(TOLD_BY_OBJECTS);
    }
    add(
        &mut text,
        format_args!("\nstaging = {}\nlake = {}\n", quoted(draft.staging), quoted(draft.lake)),
    );
    text.push_str(EXPIRY);
    match draft.endpoint {
        None => unknown_endpoint(&mut text, draft.proposals),
        Some(endpoint) => known_endpoint(&mut text, endpoint),
    }
    rules(&mut text, draft.mappings);
    text.push_str(DEFAULTS);
    match draft.mappings.and_then(TableMappings::migration) {
        Some(Migration::Changes) => text.push_str(CHANGES_ONLY),
        Some(Migration::FullLoad) => add(&mut text, format_args!("# CHECK: {LOAD_ONLY}\n")),
        Some(Migration::Both) | None => {}
    }
    let said_once = common.lines();
    if !said_once.is_empty() {
        text.push('\n');
    }
    for line in said_once {
        add(&mut text, format_args!("# {}\n", one_line(&line)));
    }
    if draft.is_locked {
        patterns(&mut text, draft.proposals);
    }
    for proposal in written {
        table(&mut text, proposal, &common);
    }
    text
}

fn to_fill_in(text: &mut String, proposals: &[Proposal]) {
    let is_open = |of: &str| {
        let mut gaps = proposals.iter().flat_map(Proposal::gaps);
        gaps.any(|gap| gap.starts_with(of))
    };
    let (keys, columns) = (is_open("keys"), is_open("columns"));
    if keys || columns {
        text.push_str(NOT_COMPLETE);
    }
    if keys {
        text.push_str(KEYS_TO_FILL_IN);
    }
    if columns {
        text.push_str(COLUMNS_TO_FILL_IN);
    }
}

fn known_endpoint(text: &mut String, endpoint: &EndpointSettings) {
    text.push_str(DMS_KNOWN);
    for member in &endpoint.unknown {
        let member = one_line(member);
        add(text, format_args!("# CHECK: a setting that dmslake does not know: {member}\n"));
    }
    let missing = endpoint.settings.what_never_arrives();
    for doubt in endpoint.doubts.iter().map(String::as_str).chain(missing) {
        add(text, format_args!("# CHECK: {}\n", one_line(doubt)));
    }
    for (name, value) in &endpoint.section {
        add(text, format_args!("{name} = {value}\n"));
    }
}

fn unknown_endpoint(text: &mut String, proposals: &[Proposal]) {
    text.push_str(DMS_UNKNOWN);
    if proposals.iter().any(|proposal| proposal.header == Header::Found) {
        text.push_str(HEADER_FOUND);
    }
    match proposals.iter().find_map(|proposal| proposal.timestamp.as_ref()) {
        Some(name) => add(
            text,
            format_args!(
                "# CHECK: it comes before the source's columns, like DMS's own timestamp column.\n\
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
        Some(name) => add(text, format_args!("{SEQUENCED}change_seq_column = {}\n", quoted(name))),
        None => text.push_str(NO_SEQUENCE),
    }
    match mappings.and_then(TableMappings::before_image_prefix) {
        Some(prefix) => add(text, format_args!("before_image_prefix = {}\n", quoted(prefix))),
        None => text.push_str(NO_BEFORE_IMAGES),
    }
}

fn add(text: &mut String, part: std::fmt::Arguments<'_>) {
    text.write_fmt(part).expect("writing to a String cannot fail");
}

/// The text on one line: a comment ends with its line, and names may contain line breaks.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::init::proposal::{Column, Keys};
    use crate::config::{TableName, load};

    fn column(name: &str, mysql_type: Option<&str>) -> Column {
        Column {
            name: name.into(),
            mysql_type: mysql_type.map(str::to_owned),
            remark: None,
            is_set_apart: false,
        }
    }

    fn proposal(keys: Keys, columns: Vec<Column>) -> Proposal {
        let name = TableName { schema: "my.shop".into(), table: "order\nlines".into() };
        Proposal {
            keys,
            columns,
            control: vec!["Op (the\noperation)".into()],
            remarks: vec!["line\nbreak".into()],
            ..Proposal::blank(name, "CSV".into())
        }
    }

    fn text(proposals: &[Proposal]) -> String {
        let endpoint = EndpointSettings::parse(r#"{ "CsvDelimiter": "\t", "New\nSwitch": 1 }"#);
        render(&Draft {
            staging: "s3://bucket/\"dms\"",
            lake: "lake",
            endpoint: Some(&endpoint.expect("settings")),
            mappings: None,
            proposals,
            is_locked: false,
        })
    }

    #[test]
    fn what_is_complete_is_accepted() {
        let columns = vec![
            column("id", Some("bigint unsigned")),
            column("unit price", Some("decimal(10,2)")),
            column("unit_price", Some("enum('a''b','\"')")),
        ];
        let text = text(&[proposal(Keys::Known(vec!["id".into()]), columns)]);
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
            (Keys::Guess(vec!["id".into()], "why"), Some("int")),
            (Keys::Unknown, Some("int")),
            (Keys::None, Some("int")),
        ] {
            let text = text(&[proposal(keys, vec![column("id", mysql_type)])]);
            assert!(text.contains("NOT COMPLETE") && text.contains("# FILL IN"), "{text}");
            load::parse(&text).expect_err(&text);
        }
    }

    #[test]
    fn what_many_tables_have_in_common_is_said_once() {
        let tables: Vec<Proposal> = (0..300)
            .map(|number| {
                let mut columns: Vec<Column> =
                    (0..9).map(|n| column(&format!("c{n}"), Some("varchar(80)"))).collect();
                columns.push(Column {
                    remark: Some("a rule adds it".into()),
                    ..column("seq", Some("varchar(35)"))
                });
                let mut table = proposal(Keys::Known(vec!["c0".into()]), columns);
                table.name.table = format!("t{number}");
                table
            })
            .collect();
        let text = text(&tables);
        for once in ["line break", "Op (the operation)", "a rule adds it"] {
            assert_eq!(text.matches(once).count(), 1, "{once}");
        }
        let lines = text.lines().count();
        assert!(lines < 300 * 13, "{lines} lines, more than twelve for a table of ten columns");
        let settings = load::parse(&text).expect("it is complete");
        assert!(settings.tables.iter().all(|table| table.columns.len() == 10));
        assert!(text.contains("# CHECK: [1]"), "at each table that it is about");
    }
}
