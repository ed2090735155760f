//! The content of a table's entry in AWS Glue, based on the existing entry.

use std::collections::HashMap;

use aws_sdk_glue::types::{Column, SerDeInfo, StorageDescriptor, Table, TableInput};

use crate::config::CatalogName;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{ColumnType, TableSchema};

const TABLE_TYPE: &str = "EXTERNAL_TABLE";
/// Parameters that mark an entry as a Delta table: the first two for Athena and crawlers, the third
/// for Spark.
const PARAMETERS: [(&str, &str); 4] = [
    ("table_type", "delta"),
    ("classification", "delta"),
    ("spark.sql.sources.provider", "delta"),
    ("EXTERNAL", "TRUE"),
];
/// The `SerDe` parameter in which Spark stores a table's location.
const PATH: &str = "path";

/// What Spark writes as the location of a table whose real location is in its `SerDe`.
const NO_PLACE: &str = "__PLACEHOLDER__";
const VIEW: &str = "VIRTUAL_VIEW";

/// What an entry belongs to, if not to the table at this URI: a view, or a table at another
/// location. An entry without a location belongs to nothing yet.
pub(super) fn is_of_others(found: &Table, uri: &str) -> Option<String> {
    if found.table_type() == Some(VIEW) {
        return Some("a view".to_owned());
    }
    let storage = found.storage_descriptor()?;
    let path = storage.serde_info().and_then(SerDeInfo::parameters).and_then(|all| all.get(PATH));
    let is_named = |place: &&str| !place.is_empty() && !place.ends_with(NO_PLACE);
    let mut places =
        path.map(String::as_str).into_iter().chain(storage.location()).filter(is_named);
    places.find(|place| !is_same_place(place, uri)).map(str::to_owned)
}

/// Whether a location is the one of this URI, even if spelled differently: with Hadoop's schemes
/// for S3, a trailing slash or percent-encoding.
fn is_same_place(place: &str, uri: &str) -> bool {
    let (scheme, path) = place.split_once(':').unwrap_or(("", place));
    let scheme = if ["s3a", "s3n"].contains(&scheme) { "s3" } else { scheme };
    let plain = |path: &str| format!("{scheme}:{}", path.trim_end_matches('/'));
    let decoded = percent_encoding::percent_decode_str(path).decode_utf8();
    plain(path) == uri || decoded.is_ok_and(|decoded| plain(&decoded) == uri)
}

/// Whether an entry already says all that ours would.
pub(super) fn says(found: &Table, uri: &str, schema: &TableSchema) -> bool {
    let Some(storage) = found.storage_descriptor() else { return false };
    let is_here = |place: &str| place.trim_end_matches('/') == uri;
    let path = storage.serde_info().and_then(SerDeInfo::parameters).and_then(|all| all.get(PATH));
    let parameters = found.parameters();
    let has = |(name, value): (&str, &str)| {
        parameters.and_then(|all| all.get(name)).is_some_and(|found| found == value)
    };
    let columns = storage
        .columns()
        .iter()
        .map(|column| (column.name().to_owned(), column.r#type().map(str::to_owned)));
    let wanted = schema.columns().iter();
    let wanted =
        wanted.map(|column| (column.name.to_lowercase(), Some(hive_type(column.column_type))));
    found.table_type() == Some(TABLE_TYPE)
        && storage.location().is_some_and(is_here)
        && path.is_some_and(|path| is_here(path))
        && PARAMETERS.into_iter().all(has)
        && columns.eq(wanted)
}

/// The new content of an entry. Only the parts that we write are changed. Columns of the same name
/// keep comments and parameters that others set.
pub(super) fn input(
    name: &CatalogName,
    uri: &str,
    schema: &TableSchema,
    found: Option<&Table>,
) -> Result<TableInput> {
    let of_found = found.and_then(Table::storage_descriptor);
    let mut storage = of_found.cloned().unwrap_or_else(new_storage);
    storage.columns =
        Some(columns(schema, of_found.map(StorageDescriptor::columns).unwrap_or_default())?);
    storage.location = Some(uri.to_owned());
    let serde = storage.serde_info.get_or_insert_with(new_serde);
    serde.parameters.get_or_insert_default().insert(PATH.to_owned(), uri.to_owned());
    let mut parameters: HashMap<String, String> =
        found.and_then(Table::parameters).cloned().unwrap_or_default();
    parameters.extend(PARAMETERS.map(|(name, value)| (name.to_owned(), value.to_owned())));
    TableInput::builder()
        .name(&name.table)
        .set_description(found.and_then(Table::description).map(str::to_owned))
        .set_owner(found.and_then(Table::owner).map(str::to_owned))
        .set_retention(found.map(Table::retention))
        .table_type(TABLE_TYPE)
        .set_parameters(Some(parameters))
        .storage_descriptor(storage)
        .build()
        .map_err(incomplete)
}

/// Glue stores names in lower case.
fn columns(schema: &TableSchema, found: &[Column]) -> Result<Vec<Column>> {
    let column = |column: &crate::schema::Column| {
        let name = column.name.to_lowercase();
        let found = found.iter().find(|found| found.name() == name);
        Column::builder()
            .r#type(hive_type(column.column_type))
            .set_comment(found.and_then(Column::comment).map(str::to_owned))
            .set_parameters(found.and_then(Column::parameters).cloned())
            .name(name)
            .build()
            .map_err(incomplete)
    };
    schema.columns().iter().map(column).collect()
}

/// The formats that crawlers write for Delta tables. No reader uses them.
fn new_storage() -> StorageDescriptor {
    StorageDescriptor::builder()
        .input_format("org.apache.hadoop.mapred.SequenceFileInputFormat")
        .output_format("org.apache.hadoop.hive.ql.io.HiveSequenceFileOutputFormat")
        .build()
}

fn new_serde() -> SerDeInfo {
    SerDeInfo::builder()
        .serialization_library("org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe")
        .parameters("serialization.format", "1")
        .build()
}

fn incomplete(error: aws_sdk_glue::error::BuildError) -> Error {
    Error::new(ErrorKind::Internal, "a Glue entry is incomplete").because(error)
}

fn hive_type(column_type: ColumnType) -> String {
    match column_type {
        ColumnType::Byte => "tinyint".to_owned(),
        ColumnType::Short => "smallint".to_owned(),
        ColumnType::Int => "int".to_owned(),
        ColumnType::Long => "bigint".to_owned(),
        // Delta uses the same names.
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URI: &str = "s3://lake/tables/shop/order items";

    fn schema(columns: &[(&str, ColumnType)]) -> TableSchema {
        let column = |(name, column_type): &(&str, ColumnType)| crate::schema::Column {
            name: (*name).to_owned(),
            column_type: *column_type,
            nullable: true,
        };
        TableSchema::new(columns.iter().map(column).collect())
    }

    fn entry(input: TableInput) -> Table {
        Table::builder()
            .name(input.name)
            .set_table_type(input.table_type)
            .set_parameters(input.parameters)
            .set_storage_descriptor(input.storage_descriptor)
            .set_description(input.description)
            .set_owner(input.owner)
            .set_retention(Some(input.retention))
            .build()
            .expect("a table")
    }

    fn ours(columns: &[(&str, ColumnType)], found: Option<&Table>) -> Table {
        let name = CatalogName { database: "shop".into(), table: "order_items".into() };
        entry(input(&name, URI, &schema(columns), found).expect("it is complete"))
    }

    #[test]
    fn every_type_is_spelled_as_hive_spells_it() {
        let spelled = [
            (ColumnType::Byte, "tinyint"),
            (ColumnType::Short, "smallint"),
            (ColumnType::Int, "int"),
            (ColumnType::Long, "bigint"),
            (ColumnType::Decimal { precision: 20, scale: 3 }, "decimal(20,3)"),
            (ColumnType::Double, "double"),
            (ColumnType::Boolean, "boolean"),
            (ColumnType::Date, "date"),
            (ColumnType::Timestamp, "timestamp"),
            (ColumnType::String, "string"),
            (ColumnType::Binary, "binary"),
        ];
        for (column_type, spelling) in spelled {
            assert_eq!(hive_type(column_type), spelling);
        }
    }

    #[test]
    fn what_others_said_of_a_table_and_its_columns_stays() {
        let first = [("Id", ColumnType::Int), ("v", ColumnType::String)];
        let mut table = ours(&first, None);
        table.owner = Some("sales".into());
        table.retention = 7;
        table.parameters.get_or_insert_default().insert("team".into(), "sales".into());
        let storage = table.storage_descriptor.as_mut().expect("a descriptor");
        let columns = storage.columns.as_mut().expect("columns");
        columns[0].comment = Some("the order".into());
        let serde = storage.serde_info.as_mut().expect("a SerDe");
        serde.parameters.get_or_insert_default().insert("theirs".into(), "1".into());
        assert!(says(&table, URI, &schema(&first)));

        let wider = [("w", ColumnType::Date), ("Id", ColumnType::Long), ("v", ColumnType::String)];
        let changed = ours(&wider, Some(&table));
        let storage = changed.storage_descriptor().expect("a descriptor");
        let comments: Vec<_> = storage.columns().iter().map(Column::comment).collect();
        assert_eq!(comments, [None, Some("the order"), None]);
        assert_eq!((changed.owner(), changed.retention()), (Some("sales"), 7));
        assert_eq!(changed.parameters().expect("some")["team"], "sales");
        let serde = storage.serde_info().and_then(SerDeInfo::parameters).expect("some");
        assert_eq!((serde["theirs"].as_str(), serde[PATH].as_str()), ("1", URI));
    }

    #[test]
    fn an_entry_of_something_else_is_told_from_ours_however_its_place_is_spelled() {
        let at = |location: Option<&str>, path: Option<&str>| {
            let mut table = ours(&[("id", ColumnType::Int)], None);
            let storage = table.storage_descriptor.as_mut().expect("a descriptor");
            storage.location = location.map(str::to_owned);
            let serde = storage.serde_info.as_mut().and_then(|serde| serde.parameters.as_mut());
            let serde = serde.expect("parameters");
            serde.remove(PATH);
            serde.extend(path.map(|path| (PATH.to_owned(), path.to_owned())));
            table
        };
        let placeholder = "s3://warehouse/shop.db/orders-__PLACEHOLDER__";
        for same in [
            at(Some(URI), None),
            at(Some("s3a://lake/tables/shop/order items/"), None),
            at(Some("s3n://lake/tables/shop/order%20items"), None),
            at(Some(placeholder), Some(URI)),
            at(Some(placeholder), None),
            at(Some(""), None),
            at(None, None),
        ] {
            assert_eq!(is_of_others(&same, URI), None, "{same:?}");
        }
        let elsewhere = "s3://lake/tables/shop/order-items";
        for other in [
            at(Some(elsewhere), None),
            at(Some(URI), Some(elsewhere)),
            at(Some(elsewhere), Some(URI)),
            at(Some(placeholder), Some(elsewhere)),
        ] {
            assert_eq!(is_of_others(&other, URI).as_deref(), Some(elsewhere), "{other:?}");
        }
        let mut view = at(None, None);
        view.table_type = Some(VIEW.to_owned());
        assert_eq!(is_of_others(&view, URI).as_deref(), Some("a view"));
    }

    #[test]
    fn whatever_of_ours_is_otherwise_is_seen() {
        let columns = [("id", ColumnType::Int)];
        let changes: [fn(&mut Table); 6] = [
            |table| table.table_type = Some("MANAGED_TABLE".into()),
            |table| drop(table.parameters.as_mut().and_then(|all| all.remove("table_type"))),
            |table| table.storage_descriptor = None,
            |table| table.storage_descriptor.as_mut().expect("one").location = None,
            |table| table.storage_descriptor.as_mut().expect("one").serde_info = None,
            |table| table.storage_descriptor.as_mut().expect("one").columns = None,
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut table = ours(&columns, None);
            assert!(says(&table, URI, &schema(&columns)));
            change(&mut table);
            assert!(!says(&table, URI, &schema(&columns)), "change {number}");
        }
    }
}
