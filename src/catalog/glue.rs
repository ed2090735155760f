//! A table's entry in AWS Glue's Data Catalog, from which Athena, Spark and Lake Formation know it.

use std::collections::HashMap;
use std::fmt;

use aws_sdk_glue::Client;
use aws_sdk_glue::error::{DisplayErrorContext, SdkError};
use aws_sdk_glue::operation::create_table::CreateTableError;
use aws_sdk_glue::operation::get_table::GetTableError;
use aws_sdk_glue::operation::update_table::UpdateTableError;
use aws_sdk_glue::types::{Column, SerDeInfo, StorageDescriptor, Table, TableInput};
use url::Url;

use crate::catalog::CatalogName;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{ColumnType, TableSchema};

/// So often somebody else may change the entry first.
const MOST_ATTEMPTS: u32 = 5;
/// Parameters that make an entry a Delta table: for Athena and crawlers the first two, for Spark
/// the third.
const PARAMETERS: [(&str, &str); 4] = [
    ("table_type", "delta"),
    ("classification", "delta"),
    ("spark.sql.sources.provider", "delta"),
    ("EXTERNAL", "TRUE"),
];

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registered {
    /// There was none.
    Created,
    /// Its columns, its place or its kind were others.
    Updated,
    /// It said so already.
    Unchanged,
}

impl fmt::Display for Registered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
        })
    }
}

/// The Data Catalog of the account and region that AWS's ordinary chain names.
#[derive(Clone, Debug)]
pub struct Glue {
    client: Client,
}

impl Glue {
    /// With credentials, region and endpoint of the ordinary chain.
    pub async fn open() -> Self {
        let chain = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
        Self { client: Client::new(&chain) }
    }

    /// Makes or changes the entry of a table, so that it names these columns and this place.
    /// What else an entry says (description, owner, parameters of others) stays.
    ///
    /// # Errors
    /// `Config` if the database does not exist, `Conflict` if others changed the entry first
    /// each time, `Unavailable` for everything else that Glue refuses.
    pub async fn register(
        &self,
        name: &CatalogName,
        url: &Url,
        schema: &TableSchema,
    ) -> Result<Registered> {
        for _ in 0..MOST_ATTEMPTS {
            let found = self.entry(name).await?;
            if found.as_ref().is_some_and(|found| says(found, url, schema)) {
                return Ok(Registered::Unchanged);
            }
            let input = input(name, url, schema, found.as_ref())?;
            let (is_done, outcome) = match &found {
                Some(found) => {
                    (self.update(name, input, found.version_id()).await?, Registered::Updated)
                }
                None => (self.create(name, input).await?, Registered::Created),
            };
            if is_done {
                return Ok(outcome);
            }
        }
        Err(Error::new(ErrorKind::Conflict, "others changed the Glue entry first each time")
            .with("entry", name))
    }

    // The futures of the client are large, so they stand on the heap.

    async fn entry(&self, name: &CatalogName) -> Result<Option<Table>> {
        let asked = self.client.get_table().database_name(&name.database).name(&name.table);
        match Box::pin(asked.send()).await {
            Ok(found) => Ok(found.table),
            Err(SdkError::ServiceError(error))
                if matches!(error.err(), GetTableError::EntityNotFoundException(_)) =>
            {
                Ok(None)
            }
            Err(error) => Err(refused(name, &error)),
        }
    }

    /// Whether the entry is made; not if somebody else made one.
    async fn create(&self, name: &CatalogName, input: TableInput) -> Result<bool> {
        let asked = self.client.create_table().database_name(&name.database).table_input(input);
        match Box::pin(asked.send()).await {
            Ok(_) => Ok(true),
            Err(SdkError::ServiceError(error)) => match error.err() {
                CreateTableError::AlreadyExistsException(_) => Ok(false),
                CreateTableError::EntityNotFoundException(_) => {
                    Err(Error::new(ErrorKind::Config, "Glue has no database of that name")
                        .with("database", &name.database))
                }
                error => Err(refused(name, error)),
            },
            Err(error) => Err(refused(name, &error)),
        }
    }

    /// Whether the entry is changed; not if somebody else changed it meanwhile.
    async fn update(
        &self,
        name: &CatalogName,
        input: TableInput,
        version: Option<&str>,
    ) -> Result<bool> {
        let asked = self.client.update_table().database_name(&name.database).table_input(input);
        let asked = asked.set_version_id(version.map(str::to_owned));
        match Box::pin(asked.send()).await {
            Ok(_) => Ok(true),
            Err(SdkError::ServiceError(error))
                if matches!(
                    error.err(),
                    UpdateTableError::ConcurrentModificationException(_)
                        | UpdateTableError::EntityNotFoundException(_)
                ) =>
            {
                Ok(false)
            }
            Err(error) => Err(refused(name, &error)),
        }
    }
}

fn refused<E>(name: &CatalogName, error: &E) -> Error
where
    E: std::error::Error,
{
    Error::new(ErrorKind::Unavailable, "Glue did not take the table's entry")
        .with("entry", name)
        .with("answer", DisplayErrorContext(error))
}

/// Whether an entry says all that ours would.
fn says(found: &Table, url: &Url, schema: &TableSchema) -> bool {
    let Some(storage) = found.storage_descriptor() else { return false };
    let is_ours = |(name, value): (&str, &str)| {
        found.parameters().and_then(|all| all.get(name)).is_some_and(|found| found == value)
    };
    let theirs = storage.columns().iter();
    let theirs =
        theirs.map(|column| (column.name().to_owned(), column.r#type().map(str::to_owned)));
    let ours = schema.columns().iter();
    let ours = ours.map(|column| (column.name.to_lowercase(), Some(hive_type(column.column_type))));
    let is_same_place = storage
        .location()
        .is_some_and(|place| place.trim_end_matches('/') == url.as_str().trim_end_matches('/'));
    is_same_place && PARAMETERS.into_iter().all(is_ours) && theirs.eq(ours)
}

/// The entry, over what stands there.
fn input(
    name: &CatalogName,
    url: &Url,
    schema: &TableSchema,
    found: Option<&Table>,
) -> Result<TableInput> {
    let invalid = |error: aws_sdk_glue::error::BuildError| {
        Error::new(ErrorKind::Internal, "a Glue entry is not complete").because(error)
    };
    let mut columns = Vec::new();
    for column in schema.columns() {
        // Glue keeps names in small letters, whatever it is given.
        let named = Column::builder().name(column.name.to_lowercase());
        columns.push(named.r#type(hive_type(column.column_type)).build().map_err(invalid)?);
    }
    let place = url.as_str().trim_end_matches('/');
    let serde = SerDeInfo::builder()
        .serialization_library("org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe")
        .parameters("serialization.format", "1")
        .parameters("path", place)
        .build();
    // These formats are those of crawlers for Delta tables; no reader uses them.
    let storage = StorageDescriptor::builder()
        .set_columns(Some(columns))
        .location(place)
        .input_format("org.apache.hadoop.mapred.SequenceFileInputFormat")
        .output_format("org.apache.hadoop.hive.ql.io.HiveSequenceFileOutputFormat")
        .serde_info(serde)
        .build();
    let mut parameters: HashMap<String, String> =
        found.and_then(Table::parameters).cloned().unwrap_or_default();
    parameters.extend(PARAMETERS.map(|(name, value)| (name.to_owned(), value.to_owned())));
    TableInput::builder()
        .name(&name.table)
        .set_description(found.and_then(Table::description).map(str::to_owned))
        .set_owner(found.and_then(Table::owner).map(str::to_owned))
        .table_type("EXTERNAL_TABLE")
        .set_parameters(Some(parameters))
        .storage_descriptor(storage)
        .build()
        .map_err(invalid)
}

fn hive_type(column_type: ColumnType) -> String {
    match column_type {
        ColumnType::Byte => "tinyint".to_owned(),
        ColumnType::Short => "smallint".to_owned(),
        ColumnType::Int => "int".to_owned(),
        ColumnType::Long => "bigint".to_owned(),
        // As Delta spells them too.
        other => other.to_string(),
    }
}
