//! A table's entry in AWS Glue's Data Catalog, from which Athena, Spark and Lake Formation know it.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_glue::Client;
use aws_sdk_glue::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_glue::operation::create_table::CreateTableError;
use aws_sdk_glue::operation::get_table::GetTableError;
use aws_sdk_glue::operation::update_table::UpdateTableError;
use aws_sdk_glue::types::{Table, TableInput};

use crate::config::CatalogName;
use crate::error::{Error, ErrorKind, Result, refusal_of_code, refusal_without_answer};
use crate::readers::entry::{input, is_of_others, says};
use crate::storage::Location;
use crate::table::LakeTable;

/// So often somebody else may change the entry first.
const MOST_ATTEMPTS: u32 = 5;
/// An answer takes a few hundred milliseconds; the client by itself would wait for ever.
const LONGEST_ATTEMPT: Duration = Duration::from_secs(3);
const LONGEST_REQUEST: Duration = Duration::from_secs(8);

const PERMIT: &str = "permit glue:GetTable, glue:CreateTable and glue:UpdateTable to the role or \
                      user that runs dmslake, and run again";

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registered {
    /// There was none.
    Created,
    /// Its columns or its kind were others, or it did not say its place in every way.
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
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(LONGEST_ATTEMPT)
            .operation_timeout(LONGEST_REQUEST)
            .build();
        let chain = aws_config::defaults(aws_config::BehaviorVersion::latest());
        Self::new(Client::new(&chain.timeout_config(timeouts).load().await))
    }

    /// Through a client that is made already.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Whether Glue can be reached at all. What it permits differs from entry to entry.
    ///
    /// # Errors
    /// `StoreRefused` if it cannot: nobody listens, or there are no credentials.
    pub async fn probe(&self) -> Result<()> {
        match Box::pin(self.client.get_databases().max_results(1).send()).await {
            Err(error) if error.as_service_error().is_none() => match unanswered(&error) {
                refused if refused.kind() == ErrorKind::StoreRefused => {
                    Err(refused.with("service", "Glue"))
                }
                _ => Ok(()),
            },
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Makes or changes the entry of a table, so that it names the columns and the place of its
    /// newest version. What else an entry says (description, owner, comments, parameters of
    /// others) stays.
    ///
    /// An older version never replaces a newer one: what stands there is looked at first, then
    /// which version is the newest, and the entry is changed only if it is still what was looked
    /// at.
    ///
    /// # Errors
    /// `Config` if the database does not exist or the entry is that of something else, which is
    /// left as it is, `Conflict` if others changed the entry first
    /// each time, `Unavailable` if the table cannot be read, and for everything else that Glue
    /// refuses.
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
                    let database = &name.database;
                    let make = format!(
                        "make it: aws glue create-database --database-input Name={database}"
                    );
                    Err(Error::new(ErrorKind::Config, "Glue has no database of that name")
                        .with("database", database)
                        .with_remedy(make))
                }
                error => Err(refused_by_service(name, error)),
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

/// The entry of that name belongs to something else.
fn taken(name: &CatalogName, theirs: &str, ours: &str) -> Error {
    Error::new(ErrorKind::Config, "the Glue entry of that name is not this table's")
        .with("entry", name)
        .with("which is of", theirs)
        .with("table", ours)
        .with_remedy(
            "give the table another name in catalogues (name = \"…\" in its [[table]]), or delete \
             the entry in Glue if nobody needs it",
        )
}

/// What keeps Glue from taking an entry. Its client's own errors show whole structures.
fn refused<E>(name: &CatalogName, error: &SdkError<E>) -> Error
where
    E: ProvideErrorMetadata + StdError + 'static,
{
    match error {
        SdkError::ServiceError(answer) => refused_by_service(name, answer.err()),
        error => unanswered(error).with("entry", name),
    }
}

fn refused_by_service(name: &CatalogName, answer: &dyn ProvideErrorMetadata) -> Error {
    let code = answer.code().unwrap_or_default();
    let error = match refusal_of_code(code) {
        Some(refused) if code == "AccessDeniedException" => refused.with_remedy(PERMIT),
        Some(refused) => refused,
        None => Error::new(ErrorKind::Unavailable, "Glue did not take the table's entry")
            .with("answer", code),
    };
    let error = error.with("entry", name);
    match answer.message() {
        Some(message) => error.with("message", message),
        None => error,
    }
}

/// No answer came: because nobody was reached, which stays, or for another reason, which passes.
fn unanswered<E>(error: &SdkError<E>) -> Error {
    let unsent = match error {
        SdkError::DispatchFailure(unsent) => unsent.as_connector_error(),
        _ => None,
    };
    match unsent {
        Some(unsent) if lacks_credentials(unsent) => refusal_without_answer(false),
        Some(unsent) if unsent.is_io() => refusal_without_answer(true),
        _ => Error::new(ErrorKind::Unavailable, "Glue did not answer"),
    }
}

fn lacks_credentials(error: &(dyn StdError + 'static)) -> bool {
    let is_it = matches!(error.downcast_ref(), Some(CredentialsError::CredentialsNotLoaded(_)));
    is_it || error.source().is_some_and(lacks_credentials)
}
