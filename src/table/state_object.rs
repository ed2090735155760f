//! Where the state of a table is: a small JSON object beside the tables,
//! `<lake>/_dmslake/state/<schema>/<table>.json`, which a person can read.

use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{
    Error as StoreError, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload,
    UpdateVersion,
};
use serde::Deserialize;

use crate::error::{Error, ErrorKind, Result};
use crate::progress::newer;
use crate::table::state::TableState;

/// So often somebody else may write the object first.
const MOST_ATTEMPTS: u32 = 5;

/// What every format of the object has.
#[derive(Deserialize)]
struct Format {
    format: u64,
}

/// Where the state of one table is.
#[derive(Clone, Debug)]
pub struct StateObject {
    store: Arc<dyn ObjectStore>,
    path: Path,
    shown: String,
}

impl StateObject {
    /// At that path of a store; `shown` is how messages name it.
    pub(crate) fn new(store: Arc<dyn ObjectStore>, path: Path, shown: String) -> Self {
        Self { store, path, shown }
    }

    /// The object as messages name it.
    pub(crate) fn shown(&self) -> &str {
        &self.shown
    }

    /// The state; none if the table was never begun.
    ///
    /// # Errors
    /// `Unavailable` if the store does not answer, `TableCorrupt` if the object cannot be
    /// understood.
    pub async fn read(&self) -> Result<Option<TableState>> {
        Ok(self.found().await?.map(|(state, _)| state))
    }

    /// Changes the state by `change`, which begins with `new` where there is none, and returns it.
    /// Nothing is written where nothing changes.
    ///
    /// # Errors
    /// As [`Self::read`]; `Conflict` if others wrote it first each time.
    pub async fn update(
        &self,
        new: impl Fn() -> TableState,
        change: impl Fn(&mut TableState),
    ) -> Result<TableState> {
        for _ in 0..MOST_ATTEMPTS {
            let found = self.found().await?;
            let (mut state, mode) = match &found {
                Some((state, version)) => (state.clone(), PutMode::Update(version.clone())),
                None => (new(), PutMode::Create),
            };
            change(&mut state);
            if found.is_some_and(|(found, _)| found == state) || self.write(&state, mode).await? {
                return Ok(state);
            }
        }
        Err(Error::new(ErrorKind::Conflict, "others wrote the state object first each time")
            .with("state object", &self.shown))
    }

    async fn found(&self) -> Result<Option<(TableState, UpdateVersion)>> {
        let found = match self.store.get(&self.path).await {
            Ok(found) => found,
            Err(StoreError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let version =
            UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
        let bytes = found.bytes().await?;
        let format = serde_json::from_slice::<Format>(&bytes).map_or(0, |found| found.format);
        if format > u64::from(TableState::FORMAT) {
            return Err(newer("state object", format).with("object", &self.shown));
        }
        let state: TableState = serde_json::from_slice(&bytes).map_err(|error| {
            self.unreadable("the state object of the table cannot be read").because(error)
        })?;
        Ok(Some((state.in_this_format(), version)))
    }

    fn unreadable(&self, message: &str) -> Error {
        Error::new(ErrorKind::TableCorrupt, message).with("state object", &self.shown).with_remedy(
            "restore the object; or remove it, if what is staged is all that the table is to hold",
        )
    }

    /// Whether it is written; not if somebody else was first.
    async fn write(&self, state: &TableState, mode: PutMode) -> Result<bool> {
        let json = serde_json::to_vec_pretty(state).map_err(|error| {
            Error::new(ErrorKind::Internal, "the state of the table has no JSON form")
                .because(error)
        })?;
        let payload = || PutPayload::from(Bytes::from(json.clone()));
        let options = PutOptions { mode, ..PutOptions::default() };
        match self.store.put_opts(&self.path, payload(), options).await {
            Ok(_) => Ok(true),
            Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }) => Ok(false),
            // A disk replaces a file at once, but under no condition.
            Err(StoreError::NotImplemented { .. }) => {
                self.store.put(&self.path, payload()).await?;
                Ok(true)
            }
            Err(error) => Err(error.into()),
        }
    }
}
