//! DMS's own data types, as named in rules, and the MySQL types that read the same bytes.

use serde::Deserialize;
use serde_json::Value as Json;

use crate::dms::MySqlType;

/// MySQL types that DMS treats as large objects. It does not for shorter types such as `text`.
const LARGE_OBJECTS: &[&str] = &[
    "mediumtext",
    "longtext",
    "json",
    "mediumblob",
    "longblob",
    "geometry",
    "point",
    "linestring",
    "polygon",
    "multipoint",
    "multilinestring",
    "multipolygon",
    "geometrycollection",
    "geomcollection",
];

/// The `data-type` of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct DataType {
    /// `type`: `string`, `int8`, `numeric`, …
    #[serde(rename = "type")]
    pub name: String,
    // The console writes numbers as text, and empty text for what is not set.
    length: Option<Json>,
    precision: Option<Json>,
    scale: Option<Json>,
}

impl DataType {
    /// A spelling of the MySQL type that reads what DMS writes for this one; `None` if there is no
    /// such type, or if a required number is missing.
    #[must_use]
    pub fn mysql_type(&self) -> Option<String> {
        let spelling = match self.name.as_str() {
            "string" | "wstring" => match number(self.length.as_ref()) {
                Some(length) => format!("varchar({length})"),
                None => "text".to_owned(),
            },
            "numeric" => {
                let precision = number(self.precision.as_ref())?;
                let scale = number(self.scale.as_ref()).unwrap_or_default();
                format!("decimal({precision},{scale})")
            }
            other => simple(other)?.to_owned(),
        };
        MySqlType::parse(&spelling).is_ok().then_some(spelling)
    }
}

fn simple(name: &str) -> Option<&'static str> {
    Some(match name {
        "int1" => "tinyint",
        "int2" => "smallint",
        "int4" => "int",
        "int8" => "bigint",
        "uint1" => "tinyint unsigned",
        "uint2" => "smallint unsigned",
        "uint4" => "int unsigned",
        "uint8" => "bigint unsigned",
        "real4" => "float",
        "real8" => "double",
        "boolean" => "bit(1)",
        "date" => "date",
        "time" => "time",
        "datetime" => "datetime(6)",
        "clob" | "nclob" => "longtext",
        "bytes" => "blob",
        "blob" => "longblob",
        _ => return None,
    })
}

fn number(json: Option<&Json>) -> Option<u64> {
    match json? {
        Json::String(text) => text.trim().parse().ok(),
        other => other.as_u64(),
    }
}

/// Whether DMS treats a column of this MySQL type as a large object, which has no before image.
///
/// ```
/// use dmslake::dms::table_mappings::is_large_object;
///
/// assert!(is_large_object("LONGTEXT"));
/// assert!(!is_large_object("text"));
/// ```
#[must_use]
pub fn is_large_object(mysql_type: &str) -> bool {
    let name: String =
        mysql_type.trim_start().chars().take_while(char::is_ascii_alphabetic).collect();
    LARGE_OBJECTS.contains(&name.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_types_of_rules_become_mysql_types() {
        let cases = [
            (r#"{"type": "string", "length": 50}"#, Some("varchar(50)")),
            (r#"{"type": "string", "length": "50", "scale": ""}"#, Some("varchar(50)")),
            (r#"{"type": "wstring"}"#, Some("text")),
            (r#"{"type": "datetime", "precision": 6}"#, Some("datetime(6)")),
            (r#"{"type": "numeric", "precision": "12", "scale": 2}"#, Some("decimal(12,2)")),
            (r#"{"type": "numeric"}"#, None),
            (r#"{"type": "numeric", "precision": 99}"#, None),
            (r#"{"type": "uint8"}"#, Some("bigint unsigned")),
            (r#"{"type": "interval"}"#, None),
        ];
        for (json, expected) in cases {
            let data_type: DataType = serde_json::from_str(json).expect(json);
            assert_eq!(data_type.mysql_type().as_deref(), expected, "{json}");
        }
    }
}
