//! Writes the variables for `infra/` and its module `writer`: the same as the configuration, as far as
//! Terraform's variables go.

use std::fmt::Write as _;

use toml::{Table, Value};

use super::known::Known;
use crate::config::EndpointSettings;
use crate::error::{Error, ErrorKind, Result};

/// Members of the endpoint that say where objects are, not what they are like.
const PLACES: [&str; 4] = [
    "bucket_name",
    "bucket_folder",
    "service_access_role_arn",
    "server_side_encryption_kms_key_id",
];
/// Keys of the configuration's `[dms]` that rules of the task tell.
const OF_RULES: [&str; 2] = ["change_seq_column", "before_image_prefix"];
/// Keys of a `[[table]]` that Terraform does not have.
const ONLY_IN_TOML: [&str; 1] = ["layout"];
/// Where the checksums of a release are.
const RELEASE: &str = concat!(
    env!("CARGO_PKG_REPOSITORY"),
    "/releases/download/v",
    env!("CARGO_PKG_VERSION"),
    "/SHA256SUMS"
);

/// The variables, and the keys of the configuration that they cannot have.
pub(super) struct Variables {
    pub(super) text: String,
    pub(super) left_out: Vec<String>,
}

/// The variables for a configuration of this text, with staging and lake on S3.
///
/// # Errors
/// `Config` if staging or lake is not on S3, or the configuration is not complete.
pub(super) fn variables(
    configuration: &str,
    known: &Known,
    lock: Option<&str>,
) -> Result<Variables> {
    let root: Table = configuration.parse().map_err(|error| {
        Error::new(ErrorKind::Config, "the configuration is not complete").because(error)
    })?;
    let place = |name: &'static str| {
        let uri = root.get(name).and_then(Value::as_str).unwrap_or_default();
        let place =
            uri.strip_prefix("s3://").map(|place| place.split_once('/').unwrap_or((place, "")));
        place.ok_or_else(|| {
            Error::new(ErrorKind::Config, "Terraform's variables are for places on S3")
                .with(name, uri)
        })
    };
    let (staging, lake) = (place("staging")?, place("lake")?);
    let endpoint = known.endpoint.as_ref();
    let key = endpoint.and_then(|it| it.members.get("server_side_encryption_kms_key_id"));
    let name = known.task.as_ref().and_then(|task| task.identifier.as_deref());
    let mut text = String::from(
        "# For infra/ and its module `writer` (which has no `dms`). Written by `dmslake init`.\n",
    );
    let text_of = |text: &str| Value::from(text);
    let table = |members: Vec<(&str, Value)>| {
        let members = members.into_iter().map(|(name, value)| (name.to_owned(), value));
        Value::Table(members.collect())
    };
    assign(&mut text, "name", &text_of(&deployment(name.unwrap_or("dmslake"))));
    writeln!(text, "# FILL IN sha256 = \"…\": of bootstrap-arm64.zip, from {RELEASE}")
        .expect("writing to a String cannot fail");
    assign(&mut text, "package", &table(vec![("version", text_of(env!("CARGO_PKG_VERSION")))]));
    assign(&mut text, "dms", &table(vec![("create", false.into())]));
    let mut bucket = vec![
        ("create", false.into()),
        ("bucket", text_of(staging.0)),
        ("prefix", text_of(staging.1.trim_end_matches('/'))),
    ];
    bucket.extend(key.map(|key| ("kms_key_arn", key.clone())));
    assign(&mut text, "staging", &table(bucket));
    let lake = vec![
        ("create", false.into()),
        ("bucket", text_of(lake.0)),
        ("prefix", text_of(lake.1.trim_end_matches('/'))),
    ];
    assign(&mut text, "lake", &table(lake));
    if let Some(lock) = lock {
        assign(&mut text, "lock_file", &text_of(lock));
    }
    assign(&mut text, "s3_settings", &Value::Table(s3_settings(&root, endpoint)));
    let (tables, left_out) = tables(&root);
    assign(&mut text, "tables", &Value::Table(tables));
    Ok(Variables { text, left_out })
}

fn assign(text: &mut String, name: &str, value: &Value) {
    writeln!(text, "{name} = {}", hcl(value, 0)).expect("writing to a String cannot fail");
}

/// Every member of the endpoint, and the columns that rules add.
fn s3_settings(root: &Table, endpoint: Option<&EndpointSettings>) -> Table {
    let dms = root.get("dms").and_then(Value::as_table).cloned().unwrap_or_default();
    let Some(endpoint) = endpoint else { return dms };
    let own = dms.into_iter().filter(|(name, _)| OF_RULES.contains(&name.as_str()));
    let members = endpoint.members.clone().into_iter();
    members.filter(|(name, _)| !PLACES.contains(&name.as_str())).chain(own).collect()
}

/// The tables by their sources, and what of them Terraform cannot have.
fn tables(root: &Table) -> (Table, Vec<String>) {
    let sections = root.get("table").and_then(Value::as_array).into_iter().flatten();
    let (mut tables, mut left_out) = (Table::new(), Vec::new());
    for section in sections.filter_map(Value::as_table) {
        let mut section = section.clone();
        let Some(Value::String(source)) = section.remove("source") else {
            left_out.push("a table whose schema has a dot in its name".to_owned());
            continue;
        };
        for name in ONLY_IN_TOML {
            if section.remove(name).is_some() {
                left_out.push(format!("{name} of {source}"));
            }
        }
        tables.insert(source, Value::Table(section));
    }
    (tables, left_out)
}

/// A name that every resource may have: at most 20 lower-case letters, digits and single hyphens.
fn deployment(identifier: &str) -> String {
    let lower = identifier.to_ascii_lowercase();
    let parts = lower.split(|sign: char| !sign.is_ascii_alphanumeric());
    let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
    let name = parts.join("-");
    let name = name.trim_start_matches(|sign: char| !sign.is_ascii_lowercase());
    let name = name[..name.len().min(20)].trim_end_matches('-');
    if name.len() < 2 { "dmslake".to_owned() } else { name.to_owned() }
}

/// A value as HCL spells it.
fn hcl(value: &Value, depth: usize) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| hcl(item, depth)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Table(members) if depth == 0 && members.values().any(Value::is_table) => {
            let lines = members.iter().fold(String::new(), |text, (name, value)| {
                format!("{text}  {} = {}\n", quoted(name), hcl(value, depth + 1))
            });
            format!("{{\n{lines}}}")
        }
        Value::Table(members) => {
            let members: Vec<String> = members
                .iter()
                .map(|(name, value)| format!("{} = {}", key(name), hcl(value, 1)))
                .collect();
            if members.is_empty() {
                "{}".to_owned()
            } else {
                format!("{{ {} }}", members.join(", "))
            }
        }
        plain => plain.to_string(),
    }
}

fn key(name: &str) -> String {
    let is_plain = name.chars().all(|sign| sign.is_ascii_alphanumeric() || sign == '_');
    if is_plain && !name.starts_with(|sign: char| sign.is_ascii_digit()) {
        name.to_owned()
    } else {
        quoted(name)
    }
}

/// JSON's spelling, in which HCL would read `${` and `%{` as templates.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace("${", "$${").replace("%{", "%%{")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_those_that_terraform_takes() {
        for (identifier, name) in [
            ("Shop-Orders_1", "shop-orders-1"),
            ("1st--task of a very long name", "st-task-of-a-very-lo"),
            ("a-task-of-its-own--x-y", "a-task-of-its-own-x"),
            ("7", "dmslake"),
        ] {
            assert_eq!(deployment(identifier), name);
        }
        let text: Table = "a = \"${b} %{c} \\\"\"\nd = { e = [1, true], \"f g\" = { h = 2 } }"
            .parse()
            .expect("TOML");
        assert_eq!(hcl(&text["a"], 0), "\"$${b} %%{c} \\\"\"");
        assert_eq!(hcl(&text["d"], 0), "{\n  \"e\" = [1, true]\n  \"f g\" = { h = 2 }\n}");
    }
}
