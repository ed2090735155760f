//! A table as it was: which version is meant.

use std::pin::pin;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use deltalake::DeltaTable;
use deltalake::kernel::Version;
use deltalake::logstore::LogStoreRef;
use futures::TryStreamExt as _;

use crate::error::{Error, ErrorKind, Result};
use crate::storage::Location;
#[cfg(feature = "cli")]
use crate::table::LakeTable;
use crate::table::history::{Commit, history};
#[cfg(feature = "cli")]
use crate::table::open::with_progress;
use crate::table::open::{load, load_version};

/// Which version of a table is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AsOf {
    /// This one.
    Version(Version),
    /// The newest one that was there at that time.
    Time(DateTime<Utc>),
}

impl FromStr for AsOf {
    type Err = String;

    /// A version, or a time as RFC 3339 has it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(version) = text.parse() {
            return Ok(Self::Version(version));
        }
        let time = DateTime::parse_from_rfc3339(text).map(|time| Self::Time(time.to_utc()));
        time.map_err(|_| "neither a version nor a time such as 2026-03-01T12:00:00Z".to_owned())
    }
}

/// The newest commit that was there at a time; none if the log does not go back to that time.
///
/// # Errors
/// As [`history()`].
pub async fn commit_as_of(
    log_store: &LogStoreRef,
    newest: Version,
    time: DateTime<Utc>,
) -> Result<Option<Commit>> {
    let mut commits = pin!(history(log_store, newest));
    while let Some(commit) = commits.try_next().await? {
        if commit.timestamp.is_some_and(|at| at <= time) {
            return Ok(Some(commit));
        }
    }
    Ok(None)
}

/// The Delta table at a location, whoever made it, at its newest version or as of another; none if
/// there is no table.
///
/// # Errors
/// `Config` if the version is none of its own, or there was none at that time; `Unavailable` if the
/// log cannot be read.
pub async fn load_as_of(location: &Location, as_of: Option<AsOf>) -> Result<Option<DeltaTable>> {
    match load(location).await? {
        Some(newest) => older(location, newest, as_of).await.map(Some),
        None => Ok(None),
    }
}

/// The table at a location as of these two versions, with the progress that it had then; none if
/// there is no table.
///
/// # Errors
/// As [`load_as_of`]; `TableCorrupt` if a version holds no record of ours.
#[cfg(feature = "cli")]
pub(crate) async fn open_both(
    location: &Location,
    (one, other): (AsOf, Option<AsOf>),
) -> Result<Option<(LakeTable, LakeTable)>> {
    let Some(newest) = load(location).await? else { return Ok(None) };
    let one = older(location, newest.clone(), Some(one)).await?;
    let other = older(location, newest, other).await?;
    tokio::try_join!(with_progress(one), with_progress(other)).map(Some)
}

/// The table as of a version, given its newest one.
async fn older(location: &Location, newest: DeltaTable, as_of: Option<AsOf>) -> Result<DeltaTable> {
    let last = newest.version().unwrap_or_default();
    let version = match as_of {
        None => return Ok(newest),
        Some(AsOf::Version(version)) if version > last => {
            return Err(not_there("the table has no such version", last).with("version", version));
        }
        Some(AsOf::Version(version)) => version,
        Some(AsOf::Time(time)) => {
            let commit = commit_as_of(&newest.log_store(), last, time).await?;
            let none = || not_there("the log does not go back to that time", last);
            commit.ok_or_else(|| none().with("time", time.to_rfc3339()))?.version
        }
    };
    if version == last {
        return Ok(newest);
    }
    let loaded = load_version(location, version).await;
    loaded.map_err(|error| {
        not_there("the version can no longer be read", last).with("version", version).because(error)
    })
}

fn not_there(message: &str, newest: Version) -> Error {
    Error::new(ErrorKind::Config, message)
        .with("newest", newest)
        .with_remedy("choose a version that dmslake history shows")
}
