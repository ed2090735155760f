//! The endpoint's extra connection attributes, `csvDelimiter=|;addColumnName=true`: another form of
//! its S3Settings.

use toml::{Table, Value};

use crate::config::dms;

/// The attributes of an endpoint.
#[derive(Debug, Default)]
pub(super) struct Attributes {
    /// Settings under Terraform's names.
    pub(super) known: Table,
    /// The names of the others, as written.
    pub(super) unknown: Vec<String>,
    /// What a person should check.
    pub(super) doubts: Vec<String>,
}

/// Reads the attributes. Letter case and underscores in names do not matter.
pub(super) fn read(text: &str) -> Attributes {
    let mut attributes = Attributes::default();
    for attribute in text.split(';').map(str::trim).filter(|attribute| !attribute.is_empty()) {
        let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
        let name = name.trim();
        match dms::member_names().find(|known| plain(known) == plain(name)) {
            None => attributes.unknown.push(name.to_owned()),
            // A value that is a semicolon looks empty, as a semicolon ends every value.
            Some(_) if value.is_empty() => attributes
                .doubts
                .push(format!("the attribute {name} has no value; if it is a semicolon, set it")),
            Some(known) => {
                attributes.known.insert(known.to_owned(), typed(value));
            }
        }
    }
    attributes
}

/// `csv_no_sup_value`, `CsvNoSupValue` → `csvnosupvalue`
fn plain(name: &str) -> String {
    name.chars().filter(|sign| *sign != '_').map(|sign| sign.to_ascii_lowercase()).collect()
}

fn typed(value: &str) -> Value {
    match value.to_ascii_lowercase().as_str() {
        "true" => Value::Boolean(true),
        "false" => Value::Boolean(false),
        _ => Value::from(value),
    }
}
