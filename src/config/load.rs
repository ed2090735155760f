//! Reads [`Settings`] from the text of `dmslake.toml`.

use toml::{Table, Value};

use crate::config::expand::{expand, patterns};
use crate::config::fields::{DAY, Fields, MINUTE, Place, Violations};
use crate::config::table_fields::TableSection;
use crate::config::{
    CatalogSettings, Expansion, LookBack, MaintainSettings, ReloadSettings, S3Settings, Settings,
    TablePattern, TableSpec, dms, hand_over, metrics, publication, table_fields, validate,
};
use crate::error::{Error, ErrorKind, Result};

/// Reads a configuration without patterns.
///
/// # Errors
/// `Config`, with field, value and what is allowed, for all violations, one per line.
pub fn parse(text: &str) -> Result<Settings> {
    parse_expanded(text, Expansion::Refused)
}

/// Reads a configuration, with the tables of its patterns.
///
/// # Errors
/// As [`parse`].
pub fn parse_expanded(text: &str, expansion: Expansion<'_>) -> Result<Settings> {
    let root: Table = text.parse().map_err(|error| not_toml(text, error))?;
    let violations = Violations::default();
    let settings = read(Fields::new(Place::top(), root, &violations), expansion);
    match violations.into_error() {
        Some(error) => Err(error),
        None => Ok(settings),
    }
}

/// Whether a configuration has patterns, and so a lock file. Text that is no configuration has
/// none: whoever parses it learns why.
#[must_use]
pub fn has_patterns(text: &str) -> bool {
    let has_star = |value: &Value| value.as_str().is_some_and(|text| text.contains('*'));
    let is_pattern = |source: &Value| match source.as_table() {
        Some(parts) => parts.values().any(has_star),
        None => has_star(source),
    };
    let root: Table = text.parse().unwrap_or_default();
    let sections = root.get("table").and_then(Value::as_array).into_iter().flatten();
    sections.filter_map(|section| section.get("source")).any(is_pattern)
}

fn not_toml(text: &str, error: toml::de::Error) -> Error {
    let start = error.span().map_or(0, |span| span.start);
    let line = text.get(..start).unwrap_or_default().matches('\n').count() + 1;
    Error::new(ErrorKind::Config, "the configuration is not valid TOML")
        .with("line", line)
        .because(error)
}

/// Reads the whole file. Anything unreadable is a violation and gets a value that violates no other
/// check.
fn read(mut fields: Fields<'_>, expansion: Expansion<'_>) -> Settings {
    let staging = location(&mut fields, "staging");
    let lake = location(&mut fields, "lake");
    if !staging.is_empty() && staging.trim_end_matches('/') == lake.trim_end_matches('/') {
        fields.refuse("lake", "is the same place as staging; tables need a place of their own");
    }
    let dms = dms::read(fields.table("dms"));
    let (tables, patterns) = tables(&mut fields, &dms, expansion);
    validate::tables(&tables, &dms, fields.violations());
    let catalog = catalog(fields.table("catalog"));
    publication::names_in_catalogs(&tables, &catalog, fields.violations());
    publication::manifests(&tables, &lake, fields.violations());
    let memory_budget = fields.read(
        "memory_budget",
        "bytes above 0, as a number or as a string such as \"512MB\" or \"1 GiB\"",
        bytes,
    );
    let look_every =
        fields.duration("look_every", "from \"1m\" to \"24h\"", |it| (MINUTE..=DAY).contains(&it));
    validate::freshness(&tables, look_every, fields.violations());
    let staging_expiry_days = fields.number("staging_expiry_days", "1 to 36500", 1..=36_500);
    let look_back = look_back(fields.table("look_back"));
    let reload = reload(fields.table("reload"));
    let maintain = maintain(fields.table("maintain"));
    let hand_over = hand_over::read(fields.table("hand_over"));
    let metrics = metrics::read(fields.table("metrics"));
    fields.finish();
    let tables = tables.into_iter().map(|(_, table)| table).collect();
    Settings {
        staging,
        lake,
        dms,
        tables,
        patterns,
        memory_budget,
        look_every,
        staging_expiry_days,
        look_back,
        reload,
        maintain,
        hand_over,
        metrics,
        catalog,
    }
}

/// A place in a store; empty if missing or refused.
fn location(fields: &mut Fields<'_>, name: &'static str) -> String {
    let is_open = |uri: &&str| {
        let scheme = uri.split_once("://").map(|(scheme, _)| scheme);
        !uri.is_empty() && scheme.is_none_or(|scheme| ["s3", "s3a", "file"].contains(&scheme))
    };
    let found = fields.required(name, "an s3:// or file:// URI or the path of a folder", |value| {
        value.as_str().filter(is_open).map(str::to_owned)
    });
    found.unwrap_or_default()
}

/// The tables with the defaults filled in and the place of each in the file, and the patterns that
/// some of them come from.
fn tables(
    fields: &mut Fields<'_>,
    dms: &S3Settings,
    expansion: Expansion<'_>,
) -> (Vec<(Place, TableSpec)>, Vec<TablePattern>) {
    let defaults = table_fields::defaults(fields.table("defaults"));
    let is_sequenced = dms.change_seq_column.is_some();
    let defaults = if is_sequenced { defaults.guarded() } else { defaults };
    let sections = fields.tables("table");
    if sections.as_ref().is_none_or(Vec::is_empty) && !fields.violations().has("table") {
        fields.refuse("table", "is missing; allowed: at least one [[table]]");
    }
    let sections = sections.unwrap_or_default();
    let sections: Vec<TableSection> = sections.into_iter().map(table_fields::table).collect();
    let tables = expand(&sections, &defaults, expansion, fields.violations());
    (tables, patterns(&sections))
}

fn look_back(mut fields: Fields<'_>) -> LookBack {
    let default = LookBack::default();
    let objects = fields.number("objects", "1 to 64", 1..=64);
    let minutes = fields.number("minutes", "1 to 525600, a year", 1..=525_600);
    fields.finish();
    LookBack {
        objects: objects.unwrap_or(default.objects),
        minutes: minutes.unwrap_or(default.minutes),
    }
}

fn reload(mut fields: Fields<'_>) -> ReloadSettings {
    let default = ReloadSettings::default();
    let minutes = fields.number("settle_minutes", "1 to 1440, a day", 1..=1440);
    fields.finish();
    ReloadSettings { settle_minutes: minutes.unwrap_or(default.settle_minutes) }
}

fn maintain(mut fields: Fields<'_>) -> MaintainSettings {
    let default = MaintainSettings::default();
    let delete = fields.flag("delete");
    fields.finish();
    MaintainSettings { delete: delete.unwrap_or(default.delete) }
}

fn catalog(mut fields: Fields<'_>) -> CatalogSettings {
    let is_plain = |text: &&str| {
        text.chars().all(|sign| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == '_')
    };
    let allowed = "lower-case letters, digits and _, which every catalogue accepts";
    let glue = fields.flag("glue");
    let prefix = fields.read("database_prefix", allowed, |value| {
        value.as_str().filter(is_plain).map(str::to_owned)
    });
    fields.finish();
    CatalogSettings { glue: glue.unwrap_or_default(), database_prefix: prefix.unwrap_or_default() }
}

/// `536870912`, `"512MB"` (decimal) or `"1 GiB"` (binary).
fn bytes(value: &Value) -> Option<u64> {
    let bytes = match value {
        Value::Integer(number) => u64::try_from(*number).ok()?,
        Value::String(text) => {
            let unit = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
            let number: u64 = text[..unit].parse().ok()?;
            let factor = match text[unit..].trim().to_ascii_lowercase().as_str() {
                "" | "b" => 1,
                "kb" => 1_000,
                "mb" => 1_000_000,
                "gb" => 1_000_000_000,
                "kib" => 1 << 10,
                "mib" => 1 << 20,
                "gib" => 1 << 30,
                _ => return None,
            };
            number.checked_mul(factor)?
        }
        _ => return None,
    };
    (bytes > 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_bytes_or_text_with_a_unit() {
        let text = |text: &str| bytes(&Value::from(text));
        assert_eq!(bytes(&Value::from(5)), Some(5));
        assert_eq!(text("512MB"), Some(512_000_000));
        assert_eq!(text("1 GiB"), Some(1 << 30));
        assert_eq!(text("64 kib"), Some(65_536));
        assert_eq!(text("7"), Some(7));
        assert_eq!(bytes(&Value::from(0)), None);
        assert_eq!(bytes(&Value::from(-1)), None);
        assert_eq!(bytes(&Value::from(1.5)), None);
        for refused in ["", "MB", "0 MB", "1 TB x", "1.5 GiB", "18446744073709551615 KB", "-1"] {
            assert_eq!(text(refused), None, "{refused}");
        }
    }
}
