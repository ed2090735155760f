//! Whether a table equals its source: the MySQL table itself, or a replay of what is staged.
//!
//! Against MySQL, rows of both sides are counted and their digests added up by ranges of keys, the
//! source's in one consistent snapshot. Where a range differs, its keys are compared one by one
//! (`narrowing`). A key that differs is looked at again until it is certain that no pending change
//! explains it (`rechecks`), so that the source may change meanwhile.
//!
//! Against staging, all that the ledger counts as applied is replayed into a map, by the plain path
//! of decoding alone (`replay`).

mod against_mysql;
mod against_staging;
mod compare;
mod counting;
mod declared;
mod encode;
mod lake;
mod narrowing;
mod observer;
mod pages;
mod parts;
mod rechecks;
mod replay;
mod saved;
mod select;
mod source;
mod verification;

use futures::TryStreamExt as _;

pub use against_mysql::MySqlRequest;
pub use observer::{Observer, Step, Unobserved};
pub use verification::{
    Against, Differing, DifferingKey, Kind, NotCompared, Verdict, Verification,
};

use crate::config::TableSpec;
use crate::error::{Error, ErrorKind, Result};
use crate::limits::Limits;
use crate::pipeline::Pipeline;
use crate::table::{self, LakeTable};

/// What is to be verified, and how.
#[derive(Clone, Debug)]
pub struct Request {
    /// The newest version that took in rows of this object, by its path below the table's folder;
    /// none for the newest version.
    pub at_object: Option<String>,
    /// At most so many keys are listed.
    pub limit: usize,
    /// The source to compare with; none for what is staged.
    pub mysql: Option<MySqlRequest>,
}

/// Somebody who verifies a table.
struct Verifier<'a> {
    pipeline: &'a Pipeline,
    spec: &'a TableSpec,
    request: &'a Request,
    limits: &'a Limits,
    observer: &'a dyn Observer,
}

/// Compares a table with its source. Nothing is changed, unless the request has pending changes
/// applied.
///
/// # Errors
/// `Config` if what the request names cannot be used; `TableRefused` if there is no table, or it
/// cannot be compared; `Unavailable` if a store or the source does not answer, `TableCorrupt` if
/// data files do not match the log.
pub async fn verify(
    pipeline: &Pipeline,
    spec: &TableSpec,
    request: &Request,
    limits: &Limits,
    observer: &dyn Observer,
) -> Result<Verification> {
    let begun = pipeline.clock().instant();
    let verifier = Verifier { pipeline, spec, request, limits, observer };
    let table = verifier.open().await?;
    let mut verification = match &request.mysql {
        Some(mysql) => Box::pin(verifier.against_mysql(table, mysql)).await?,
        None => Box::pin(verifier.against_staging(table)).await?,
    };
    verification.seconds = (pipeline.clock().instant() - begun).as_secs_f64();
    Ok(verification)
}

impl Verifier<'_> {
    fn is_pinned(&self) -> bool {
        self.request.at_object.is_some()
    }

    /// The table at the version that is asked for.
    async fn open(&self) -> Result<LakeTable> {
        let location = self.pipeline.lake_folder(&self.spec.source)?;
        let newest = table::open(&location, None).await?.ok_or_else(|| {
            Error::new(ErrorKind::TableRefused, "there is no table yet")
                .with("table", &self.spec.source)
                .with_remedy(format!("dmslake apply --table {}", self.spec.source))
        })?;
        let Some(object) = &self.request.at_object else { return Ok(newest) };
        let log_store = newest.delta().log_store();
        let mut commits = Box::pin(table::history(&log_store, newest.version()));
        while let Some(commit) = commits.try_next().await? {
            let took_in =
                |it: &table::OurCommit| it.record.objects.iter().any(|it| it.key == *object);
            if commit.ours.as_ref().is_some_and(took_in) {
                return table::open_at(&location, commit.version).await;
            }
        }
        Err(Error::new(ErrorKind::Config, "no commit in the table's log took in that object")
            .with("table", &self.spec.source)
            .with("--at-object", object)
            .with_remedy(format!("choose one of: dmslake history {} --objects", self.spec.source)))
    }
}
