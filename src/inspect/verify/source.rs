//! The rows of a table at the MySQL source, in one consistent snapshot, with the lake's types.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::RecordBatch;
use chrono::{DateTime, NaiveDateTime, Utc};
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Row, Value};

use crate::config::{TableName, TableSpec};
use crate::decode::SourceText;
use crate::error::{Error, ErrorKind, Result};
use crate::inspect::verify::declared::{Columns, ComparedColumn, Declared, declared};
use crate::inspect::verify::select::{behind, expression, literal, quoted, up_to};
use crate::mysql::MySqlSource;

/// What every session is told: times are in UTC, texts are UTF-8, and trailing spaces of `char` are
/// not values.
const SESSION: [&str; 4] = [
    "SET NAMES utf8mb4",
    "SET SESSION time_zone = '+00:00'",
    "SET SESSION sql_mode = ''",
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
];
/// So many keys are looked up by one statement.
const KEYS_AT_ONCE: usize = 500;

/// A row's key in SQL, one literal for each column.
pub(super) type SqlKey = Vec<String>;

/// A table at the source.
pub(super) struct Source {
    server: MySqlSource,
    connection: Conn,
    table: TableName,
}

impl Source {
    /// Connects to the source of a table; gives what it declares too.
    ///
    /// # Errors
    /// `Config` if the URL cannot be used, `Unavailable` if the source refuses or does not answer,
    /// `TableRefused` if it has no such table.
    pub(super) async fn connect(url: &str, spec: &TableSpec) -> Result<(Self, Declared)> {
        let source = MySqlSource::parse(url)?;
        let mut connection = source.connect().await?;
        for statement in SESSION {
            let set = connection.query_drop(statement).await;
            set.map_err(|error| source.unavailable(error))?;
        }
        let found = declared(&mut connection, &spec.source).await;
        let found = found.map_err(|error| source.unavailable(error))?;
        let table = spec.source.clone();
        let declared = found.ok_or_else(|| {
            Error::new(
                ErrorKind::TableRefused,
                "the source has no such table, or its user may not see it",
            )
            .with("table", &table)
            .with_remedy(
                "give --mysql the server that DMS reads, and a user who may SELECT from the table",
            )
        })?;
        Ok((Self { server: source, connection, table }, declared))
    }

    /// Begins a snapshot, in which all that follows is read; gives a time of the source before which
    /// all of it was committed.
    ///
    /// # Errors
    /// `Unavailable` if the source does not answer.
    pub(super) async fn begin_snapshot(&mut self) -> Result<DateTime<Utc>> {
        let asked = async {
            self.connection.query_drop("ROLLBACK").await?;
            let begin = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";
            self.connection.query_drop(begin).await?;
            // Only now: nothing in the snapshot was committed later.
            let time: Option<String> = self
                .connection
                .query_first("SELECT DATE_FORMAT(UTC_TIMESTAMP(6), '%Y-%m-%d %H:%i:%s.%f')")
                .await?;
            Ok(time.unwrap_or_default())
        };
        let time = asked.await.map_err(|error| self.server.unavailable(error))?;
        let parsed = NaiveDateTime::parse_from_str(&time, "%Y-%m-%d %H:%M:%S%.f");
        Ok(parsed.map(|time| time.and_utc()).unwrap_or_default())
    }

    /// A reader of these columns.
    pub(super) fn reader<'a>(&'a mut self, columns: &'a Columns) -> Reader<'a> {
        let names = columns.compared[..columns.keys].iter().map(|key| quoted(&key.source));
        let select = columns
            .compared
            .iter()
            .map(|column| expression(&column.source, column.spec.mysql_type))
            .collect::<Vec<_>>()
            .join(", ");
        let TableName { schema, table } = &self.table;
        let from = format!("{}.{}", quoted(schema), quoted(table));
        Reader {
            key_names: names.collect(),
            select: format!("SELECT {select} FROM {from}"),
            source: self,
            columns,
            unreadable: Vec::new(),
        }
    }

    /// Ends the connection.
    pub(super) async fn disconnect(self) {
        // Everything is read; a connection that is lost now changes nothing.
        let _ = self.connection.disconnect().await;
    }
}

/// Reads rows of the source.
pub(super) struct Reader<'a> {
    source: &'a mut Source,
    columns: &'a Columns,
    key_names: Vec<String>,
    select: String,
    /// Columns with values that decoding would refuse, and why.
    unreadable: Vec<(String, String)>,
}

impl Reader<'_> {
    /// The next rows in key order: at most so many, behind one key, and not behind another.
    ///
    /// # Errors
    /// `Unavailable` if the source does not answer, or the table was changed by DDL.
    pub(super) async fn page(
        &mut self,
        after: Option<&SqlKey>,
        until: Option<&SqlKey>,
        most: u64,
    ) -> Result<RecordBatch> {
        let names = &self.key_names;
        let after = after.map(|key| behind(names, key));
        let until = until.map(|key| up_to(names, key));
        let conditions: Vec<String> = after.into_iter().chain(until).collect();
        let mut query = self.select.clone();
        if !conditions.is_empty() {
            // Writing to a String cannot fail.
            let _ = write!(query, " WHERE {}", conditions.join(" AND "));
        }
        let _ = write!(query, " ORDER BY {} LIMIT {most}", self.key_names.join(", "));
        self.query(&query).await
    }

    /// The rows with these keys, in no order. More may be returned: MySQL compares texts by their
    /// collation.
    ///
    /// # Errors
    /// As [`Self::page`].
    pub(super) async fn by_keys(&mut self, keys: &RecordBatch) -> Result<Vec<RecordBatch>> {
        let mut found = Vec::new();
        for from in (0..keys.num_rows()).step_by(KEYS_AT_ONCE) {
            let some = from..(from + KEYS_AT_ONCE).min(keys.num_rows());
            let tuples: Vec<String> =
                some.filter_map(|row| self.sql_key(keys, row)).map(|key| tuple(&key)).collect();
            if tuples.is_empty() {
                continue;
            }
            let names = tuple(&self.key_names);
            let query = format!("{} WHERE {names} IN ({})", self.select, tuples.join(", "));
            found.push(self.query(&query).await?);
        }
        Ok(found)
    }

    /// A row's key in SQL; none if it cannot be written. Its columns come first in `rows`.
    pub(super) fn sql_key(&self, rows: &RecordBatch, row: usize) -> Option<SqlKey> {
        let keys = &self.columns.compared[..self.columns.keys];
        let pairs = keys.iter().zip(rows.columns());
        let values = pairs.map(|(key, column)| literal(column, row, key.spec.mysql_type));
        values.collect()
    }

    /// What decoding would refuse of all that was read: columns, and why.
    pub(super) fn unreadable(&self) -> &[(String, String)] {
        &self.unreadable
    }

    async fn query(&mut self, query: &str) -> Result<RecordBatch> {
        let Source { server, connection, .. } = &mut *self.source;
        let rows: Vec<Row> =
            connection.query(query).await.map_err(|error| server.unavailable(error))?;
        let fields = self.columns.schema.fields();
        let mut texts: Vec<SourceText> = Vec::with_capacity(fields.len());
        for (column, field) in self.columns.compared.iter().zip(fields) {
            texts.push(text_of(column, field.data_type(), rows.len())?);
        }
        for row in rows {
            let values = row.unwrap_raw();
            for (at, (value, text)) in values.into_iter().zip(&mut texts).enumerate() {
                let bytes = match &value {
                    Some(Value::Bytes(bytes)) => Some(bytes.as_slice()),
                    _ => None,
                };
                if let Err(because) = text.append(bytes) {
                    let column = &self.columns.compared[at].source;
                    if !self.unreadable.iter().any(|(name, _)| name == column) {
                        self.unreadable.push((column.clone(), because));
                    }
                }
            }
        }
        let columns = texts.iter_mut().map(SourceText::finish).collect();
        Ok(RecordBatch::try_new(Arc::clone(&self.columns.schema), columns)?)
    }
}

fn text_of(
    column: &ComparedColumn,
    data_type: &arrow::datatypes::DataType,
    rows: usize,
) -> Result<SourceText> {
    let lake = crate::schema::evolve::natural(data_type);
    let text = lake.and_then(|lake| SourceText::new(&column.spec, lake, rows).ok());
    text.ok_or_else(|| {
        Error::new(ErrorKind::Internal, "a column that is compared has no type")
            .with("column", &column.source)
    })
}

fn tuple(values: &[String]) -> String {
    match values {
        [one] => one.clone(),
        several => format!("({})", several.join(", ")),
    }
}
