//! The `[dms]` section: every member of the endpoint's S3Settings is accepted; those that change
//! bytes or names of objects are kept.

use toml::Value;

use crate::config::fields::{Fields, not_allowed};
use crate::dms::S3Settings;

/// Members of Terraform's `aws_dms_s3_endpoint` and of the API that need not be known to read
/// objects, with their types.
const IGNORED: &[(&str, Kind)] = &[
    ("bucket_folder", Kind::Text),
    ("bucket_name", Kind::Text),
    ("canned_acl_for_objects", Kind::Text),
    ("cdc_max_batch_interval", Kind::Number),
    ("cdc_min_file_size", Kind::Number),
    ("cdc_path", Kind::Text),
    ("certificate_arn", Kind::Text),
    ("compression_type", Kind::Text),
    ("data_format", Kind::Text),
    ("data_page_size", Kind::Number),
    ("date_partition_delimiter", Kind::Text),
    ("date_partition_sequence", Kind::Text),
    ("date_partition_timezone", Kind::Text),
    ("detach_target_on_lob_lookup_failure_parquet", Kind::Flag),
    ("dict_page_size_limit", Kind::Number),
    ("enable_statistics", Kind::Flag),
    ("encoding_type", Kind::Text),
    ("encryption_mode", Kind::Text),
    ("endpoint_id", Kind::Text),
    ("endpoint_type", Kind::Text),
    ("expected_bucket_owner", Kind::Text),
    ("external_table_definition", Kind::Text),
    ("glue_catalog_generation", Kind::Flag),
    ("ignore_header_rows", Kind::Number),
    ("kms_key_arn", Kind::Text),
    ("max_file_size", Kind::Number),
    ("parquet_timestamp_in_millisecond", Kind::Flag),
    ("parquet_version", Kind::Text),
    ("region", Kind::Text),
    ("row_group_length", Kind::Number),
    ("server_side_encryption_kms_key_id", Kind::Text),
    ("service_access_role_arn", Kind::Text),
    ("ssl_mode", Kind::Text),
    ("tags", Kind::Table),
    ("tags_all", Kind::Table),
    ("timeouts", Kind::Table),
    ("use_task_start_time_for_full_load_timestamp", Kind::Flag),
];

/// Members that are read.
const READ: &[&str] = &[
    "add_column_name",
    "add_trailing_padding_character",
    "cdc_inserts_and_updates",
    "cdc_inserts_only",
    "csv_delimiter",
    "csv_no_sup_value",
    "csv_null_value",
    "csv_row_delimiter",
    "date_partition_enabled",
    "include_op_for_full_load",
    "preserve_transactions",
    "rfc_4180",
    "timestamp_column_name",
    "use_csv_no_sup_value",
];

#[derive(Clone, Copy)]
enum Kind {
    Flag,
    Number,
    Text,
    Table,
}

/// The names of the endpoint's members, spelled as in Terraform.
pub(super) fn member_names() -> impl Iterator<Item = &'static str> {
    READ.iter().copied().chain(IGNORED.iter().map(|(name, _)| *name))
}

/// Reads the section.
pub(super) fn read(mut fields: Fields<'_>) -> S3Settings {
    let default = S3Settings::default();
    for (name, kind) in IGNORED {
        ignore(&mut fields, name, *kind);
    }

    let rfc_4180 = flag(&mut fields, "rfc_4180").unwrap_or(default.rfc_4180);
    let use_csv_no_sup_value = flag(&mut fields, "use_csv_no_sup_value").unwrap_or(false);
    let csv_no_sup_value = text(&mut fields, "csv_no_sup_value").filter(|_| use_csv_no_sup_value);
    let csv_row_delimiter = delimiter(&mut fields, "csv_row_delimiter");
    let add_column_name = flag(&mut fields, "add_column_name");
    let settings = S3Settings {
        csv_delimiter: delimiter(&mut fields, "csv_delimiter").unwrap_or(default.csv_delimiter),
        csv_row_delimiter_stated: csv_row_delimiter.is_some(),
        csv_row_delimiter: csv_row_delimiter.unwrap_or(default.csv_row_delimiter),
        csv_null_value: text(&mut fields, "csv_null_value").unwrap_or(default.csv_null_value),
        // If there is no value, or an empty one, DMS writes the null marker.
        csv_no_sup_value: csv_no_sup_value.filter(|marker| !marker.is_empty()),
        rfc_4180,
        add_column_name_stated: add_column_name.is_some(),
        add_column_name: add_column_name.unwrap_or(default.add_column_name),
        include_op_for_full_load: flag(&mut fields, "include_op_for_full_load"),
        timestamp_column_name: column(&mut fields, "timestamp_column_name"),
        change_seq_column: column(&mut fields, "change_seq_column"),
        before_image_prefix: text(&mut fields, "before_image_prefix")
            .map_or(default.before_image_prefix, |prefix| Some(prefix).filter(|p| !p.is_empty())),
        cdc_inserts_only: flag(&mut fields, "cdc_inserts_only").unwrap_or(default.cdc_inserts_only),
        cdc_inserts_and_updates: flag(&mut fields, "cdc_inserts_and_updates")
            .unwrap_or(default.cdc_inserts_and_updates),
        date_partition_enabled: flag(&mut fields, "date_partition_enabled")
            .unwrap_or(default.date_partition_enabled),
        preserve_transactions: flag(&mut fields, "preserve_transactions")
            .unwrap_or(default.preserve_transactions),
        add_trailing_padding_character: flag(&mut fields, "add_trailing_padding_character")
            .unwrap_or(default.add_trailing_padding_character),
    };
    check(&fields, &settings);
    fields.finish();
    settings
}

/// Refuses contradictory settings.
fn check(fields: &Fields<'_>, settings: &S3Settings) {
    let (field, row) = (&settings.csv_delimiter, &settings.csv_row_delimiter);
    if field.contains(row.as_str()) || row.contains(field.as_str()) {
        fields.refuse(
            "csv_delimiter",
            "neither of csv_delimiter and csv_row_delimiter may contain the other",
        );
    }
    for (name, value) in [("csv_delimiter", field), ("csv_row_delimiter", row)] {
        if settings.rfc_4180 && value.contains('"') {
            fields.refuse(name, "contains a quote; allowed only with rfc_4180 = false");
        }
    }
    if settings.csv_no_sup_value.as_deref() == Some(&settings.csv_null_value) {
        fields.refuse(
            "csv_no_sup_value",
            "equals csv_null_value: values that were not supplied could not be told from NULL",
        );
    }
    if settings.cdc_inserts_only && settings.cdc_inserts_and_updates {
        fields.refuse(
            "cdc_inserts_only",
            "DMS allows one of cdc_inserts_only and cdc_inserts_and_updates, not both",
        );
    }
    if settings.timestamp_column_name.is_some()
        && settings.timestamp_column_name == settings.change_seq_column
    {
        fields.refuse("change_seq_column", "names the same column as timestamp_column_name");
    }
}

/// Accepts a member that changes nothing, if its type is roughly right.
fn ignore(fields: &mut Fields<'_>, name: &'static str, kind: Kind) {
    match kind {
        Kind::Flag => {
            flag(fields, name);
        }
        Kind::Number => {
            fields.read(name, "a whole number", |value| match value {
                Value::String(text) => text.trim().parse::<u64>().ok(),
                other => other.as_integer().and_then(|number| u64::try_from(number).ok()),
            });
        }
        // An account number is text in AWS, but looks like a number here.
        Kind::Text => {
            let is_text = |value: &Value| (value.is_str() || value.is_integer()).then_some(());
            fields.read(name, "a string", is_text);
        }
        Kind::Table => {
            fields.read(name, "a table", |value| value.as_table().map(|_| ()));
        }
    }
}

/// A boolean. DMS's extra connection attributes spell it as text.
fn flag(fields: &mut Fields<'_>, name: &'static str) -> Option<bool> {
    fields.read(name, "true, false", |value| match value {
        Value::String(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "y" => Some(true),
            "false" | "n" => Some(false),
            _ => None,
        },
        other => other.as_bool(),
    })
}

/// Any text, including the empty one.
fn text(fields: &mut Fields<'_>, name: &'static str) -> Option<String> {
    fields.read(name, "a string", |value| value.as_str().map(str::to_owned))
}

/// A column's name; `None` if it is empty.
fn column(fields: &mut Fields<'_>, name: &'static str) -> Option<String> {
    text(fields, name).filter(|column| !column.is_empty())
}

fn delimiter(fields: &mut Fields<'_>, name: &'static str) -> Option<String> {
    let spelled = text(fields, name)?;
    let read = unescape(&spelled).filter(|characters| !characters.is_empty());
    if read.is_none() {
        let allowed = "one or more characters, also spelled \\n, \\r, \\t, \\\\, \\x01 to \\x7f or \
                       \\u0001 to \\uffff";
        fields.refuse(name, not_allowed(&Value::from(spelled), allowed));
    }
    read
}

/// Reads the escapes that DMS understands in delimiters (its own default is spelled `\n`). Any
/// other backslash is a plain character. `None` if a number is not a character.
fn unescape(spelled: &str) -> Option<String> {
    let mut characters = String::new();
    let mut rest = spelled;
    while let Some(position) = rest.find('\\') {
        characters.push_str(&rest[..position]);
        let escape = &rest[position + 1..];
        let simple = [('n', '\n'), ('r', '\r'), ('t', '\t'), ('\\', '\\')];
        if let Some((_, character)) = simple.iter().find(|(name, _)| escape.starts_with(*name)) {
            characters.push(*character);
            rest = &escape[1..];
        } else if let Some(digits) = escape.strip_prefix(['x', 'u']) {
            let length = if escape.starts_with('x') { 2 } else { 4 };
            let hexadecimal = digits.get(..length)?;
            let is_number = hexadecimal.bytes().all(|digit| digit.is_ascii_hexdigit());
            let number = u32::from_str_radix(hexadecimal, 16).ok().filter(|_| is_number)?;
            // A single byte beyond ASCII is not a character in UTF-8.
            let is_character = length == 4 || number < 0x80;
            characters.push(char::from_u32(number).filter(|c| is_character && *c != '\0')?);
            rest = &digits[length..];
        } else {
            characters.push('\\');
            rest = escape;
        }
    }
    characters.push_str(rest);
    Some(characters)
}

#[cfg(test)]
mod tests {
    use super::unescape;

    #[test]
    fn delimiters_may_be_spelled_with_escapes() {
        let cases = [
            (",", Some(",")),
            ("\n", Some("\n")),
            (r"\n", Some("\n")),
            (r"\r\n", Some("\r\n")),
            (r"\t", Some("\t")),
            (r"\x01", Some("\u{1}")),
            (r"~\u00a7~", Some("~§~")),
            (r"\\", Some("\\")),
            (r"\", Some("\\")),
            (r"\|", Some(r"\|")),
            (r"\xff", None),
            (r"\x1", None),
            (r"\x+1", None),
            (r"\ud800", None),
            (r"\x00", None),
        ];
        for (spelled, expected) in cases {
            assert_eq!(unescape(spelled).as_deref(), expected, "{spelled}");
        }
    }
}
