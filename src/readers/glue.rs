//! A table's entry in the AWS Glue Data Catalog, through which Athena, Spark and Lake Formation
//! find it.

use std::error::Error as StdError;
use std::fmt;

use aws_sdk_glue::Client;
use aws_sdk_glue::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_glue::operation::create_table::CreateTableError;
use aws_sdk_glue::operation::get_table::GetTableError;
use aws_sdk_glue::operation::update_table::UpdateTableError;
use aws_sdk_glue::types::{Table, TableInput};

use crate::config::CatalogName;
use crate::error::{Error, ErrorKind, Result};
use crate::glue::{self, SERVICE, unanswered};
use crate::readers::entry::{input, is_of_others, says};
use crate::storage::Location;
use crate::table::LakeTable;

/// Attempts, in case somebody else changes the entry first.
const MOST_ATTEMPTS: u32 = 5;

const REJECTED: &str = "Glue rejected the table's entry";
const PERMIT: &str = "grant glue:GetTable, glue:CreateTable and glue:UpdateTable to the role or \
                      user that runs dmslake, and run again";

/// What happened to an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registered {
    /// There was no entry.
    Created,
    /// Its columns or type differed, or its location was incomplete.
    Updated,
    /// It was already up to date.
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

/// How an entry stands to its table.
#[cfg(feature = "cli")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryState {
    /// It says all that dmslake would write.
    InStep,
    /// There is none.
    Missing,
    /// Its columns or type differ, or its location is incomplete.
    Behind,
    /// It belongs to something else: a view, or a table at this place.
    OfOthers(String),
}

/// The Data Catalog of the account and region in the standard AWS chain.
#[derive(Clone, Debug)]
pub struct Glue {
    client: Client,
}

impl Glue {
    /// Opens it with credentials, region and endpoint of the standard chain.
    pub async fn open() -> Self {
        Self::new(glue::client().await)
    }

    /// Uses an existing client.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Checks whether Glue can be reached at all. Permissions may differ between entries and are
    /// not checked.
    ///
    /// # Errors
    /// `StoreRefused` if nothing answers at the address, or there are no credentials.
    pub async fn probe(&self) -> Result<()> {
        match Box::pin(self.client.get_databases().max_results(1).send()).await {
            Err(error) if error.as_service_error().is_none() => match unanswered(&error, SERVICE) {
                refused if refused.kind() == ErrorKind::StoreRefused => {
                    Err(refused.with("service", "Glue"))
                }
                _ => Ok(()),
            },
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Creates or updates the entry of a table, so that it has the columns and the location of the
    /// newest version. Everything else in an entry (description, owner, comments, other parameters)
    /// is kept.
    ///
    /// An older version never replaces a newer one. The existing entry is read first, then the
    /// newest version, and the entry is changed only if it is still the one that was read.
    ///
    /// # Errors
    /// `Config` if the database does not exist or the entry belongs to something else and is left
    /// as it is, `Conflict` if others changed the entry during every attempt, `StoreRefused` if
    /// Glue denies access, `Unavailable` if the table cannot be read or Glue fails otherwise.
    pub async fn register(
        &self,
        name: &CatalogName,
        location: &Location,
        table: &LakeTable,
    ) -> Result<Registered> {
        let uri = location.uri();
        let mut newest = table.clone();
        for _ in 0..MOST_ATTEMPTS {
            let found = self.entry(name).await?;
            if let Some(theirs) = found.as_ref().and_then(|found| is_of_others(found, &uri)) {
                return Err(taken(name, &theirs, &uri));
            }
            newest = newest.at_newest(location).await?;
            if found.as_ref().is_some_and(|found| says(found, &uri, newest.schema())) {
                return Ok(Registered::Unchanged);
            }
            let input = input(name, &uri, newest.schema(), found.as_ref())?;
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
        Err(Error::new(
            ErrorKind::Conflict,
            "the Glue entry was changed by others during every attempt",
        )
        .with("entry", name))
    }

    /// How the entry of a table stands to this version of it. Nothing is changed.
    ///
    /// # Errors
    /// `StoreRefused` if Glue denies access, `Unavailable` if it fails otherwise.
    #[cfg(feature = "cli")]
    pub async fn compare(
        &self,
        name: &CatalogName,
        location: &Location,
        table: &LakeTable,
    ) -> Result<EntryState> {
        let uri = location.uri();
        let Some(found) = self.entry(name).await? else { return Ok(EntryState::Missing) };
        Ok(match is_of_others(&found, &uri) {
            Some(theirs) => EntryState::OfOthers(theirs),
            None if says(&found, &uri, table.schema()) => EntryState::InStep,
            None => EntryState::Behind,
        })
    }

    // The futures of the client are large, so they are boxed.

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

    /// Creates the entry. False if somebody else created one first.
    async fn create(&self, name: &CatalogName, input: TableInput) -> Result<bool> {
        let asked = self.client.create_table().database_name(&name.database).table_input(input);
        match Box::pin(asked.send()).await {
            Ok(_) => Ok(true),
            Err(SdkError::ServiceError(error)) => match error.err() {
                CreateTableError::AlreadyExistsException(_) => Ok(false),
                CreateTableError::EntityNotFoundException(_) => {
                    let database = &name.database;
                    let create = format!(
                        "create it: aws glue create-database --database-input Name={database}"
                    );
                    Err(Error::new(ErrorKind::Config, "the Glue database does not exist")
                        .with("database", database)
                        .with_remedy(create))
                }
                error => Err(glue::refused(error, REJECTED, PERMIT).with("entry", name)),
            },
            Err(error) => Err(refused(name, &error)),
        }
    }

    /// Updates the entry. False if somebody else changed it in the meantime.
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

/// The error for an entry that belongs to something else.
fn taken(name: &CatalogName, theirs: &str, ours: &str) -> Error {
    Error::new(ErrorKind::Config, "the Glue entry belongs to something else")
        .with("entry", name)
        .with("belongs to", theirs)
        .with("table", ours)
        .with_remedy(
            "give the table another catalog name (name = \"…\" in its [[table]]), or delete the \
             entry in Glue if nobody needs it",
        )
}

/// The error for a failed request to Glue.
fn refused<E>(name: &CatalogName, error: &SdkError<E>) -> Error
where
    E: ProvideErrorMetadata + StdError + 'static,
{
    let error = match error.as_service_error() {
        Some(answer) => glue::refused(answer, REJECTED, PERMIT),
        None => unanswered(error, SERVICE),
    };
    error.with("entry", name)
}
