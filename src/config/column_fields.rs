//! Reads columns and layouts of a `[[table]]`.

use crate::config::fields::Fields;
use crate::config::{ColumnSpec, Layout, StatedIn};
use crate::dms::{MySqlType, Phase};

const FROM: &str = "an object's base name such as \"LOAD00000001\" or \"20221024-175902985\"";

/// Reads a column.
pub(super) fn column(mut fields: Fields<'_>) -> Option<ColumnSpec> {
    let name = fields.required("name", "the column's name at the source", |value| {
        value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
    });
    let spelling =
        fields.required("type", "a MySQL column type such as \"bigint unsigned\"", |value| {
            value.as_str().map(str::to_owned)
        });
    let parsed = spelling.as_deref().map(MySqlType::parse);
    if let Some(Err(why)) = &parsed {
        fields.refuse("type", why);
    }
    let mysql_type = parsed.and_then(Result::ok);
    let nullable = fields.flag("nullable").unwrap_or(true);
    let boolean = fields.flag("boolean").unwrap_or_default();
    let hex = fields.flag("hex").unwrap_or_default();
    if let Some(mysql_type) = mysql_type {
        if boolean && !matches!(mysql_type, MySqlType::TinyInt { .. }) {
            fields.refuse("boolean", "true is not allowed; allowed: true only for tinyint");
        }
        if hex && !matches!(mysql_type, MySqlType::Bytes | MySqlType::Bit { width: 64 }) {
            let allowed = "true only for binary, varbinary, blob and spatial types and bit(64)";
            fields.refuse("hex", format!("true is not allowed; allowed: {allowed}"));
        }
    }
    fields.finish();
    // A column whose type is refused is kept for the checks of names.
    let mysql_type = mysql_type.unwrap_or(MySqlType::Text);
    Some(ColumnSpec {
        name: name?,
        mysql_type,
        nullable,
        boolean,
        hex,
        stated_in: StatedIn::Configuration,
    })
}

/// Reads a layout.
pub(super) fn layout(mut fields: Fields<'_>) -> Option<Layout> {
    let from = fields.required("from", FROM, |value| {
        let text = value.as_str()?;
        let plain = text.strip_suffix(".gz").unwrap_or(text);
        let base = plain.strip_suffix(".csv").or_else(|| plain.strip_suffix(".parquet"));
        Phase::parse(base.unwrap_or(plain))
    });
    let keys = fields.texts("keys");
    let columns = fields.tables("columns");
    let is_empty = columns.as_ref().is_none_or(Vec::is_empty);
    let columns: Vec<_> = columns.unwrap_or_default().into_iter().filter_map(column).collect();
    if is_empty && keys.is_none() && !fields.violations().has(&fields.place().field("columns")) {
        let allowed = "all columns of the layout in file order, or keys alone where objects name \
                       their columns";
        fields.refuse("columns", format!("is missing; allowed: {allowed}"));
    }
    fields.finish();
    Some(Layout { from: from?, columns, keys })
}
