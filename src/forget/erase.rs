//! Forgets the keys in one Delta table, step by step until a search of all files finds none.
//!
//! Every step leaves a table that can be read, in every version, and is chosen by what is found then:
//! so whoever begins anew after a crash goes on where it was.

use chrono::TimeDelta;
use object_store::path::Path;

use crate::error::{Error, ErrorKind, Result};
use crate::files::bytes::path_of;
use crate::forget::Teller;
use crate::forget::amend::{Amendment, delete};
use crate::forget::claim::Claim;
use crate::forget::current;
use crate::forget::replace::Replacer;
use crate::forget::subject::Subject;
use crate::forget::survey::{Manner, Place, Survey};
use crate::table::LakeTable;

/// So many steps are made although others put rows back meanwhile.
const MOST_STEPS: u32 = 16;
/// Whoever writes a file names it within this time.
pub(super) const IDLE: TimeDelta = TimeDelta::days(1);

/// What forgetting did to one table.
#[derive(Debug, Default)]
pub(super) struct Erased {
    /// The version that tells of it.
    pub(super) version: Option<u64>,
    /// Rows that the newest version no longer has.
    pub(super) rows: u64,
    pub(super) files_written: u64,
    pub(super) bytes_written: u64,
    pub(super) files_deleted: u64,
    pub(super) commits: u64,
    pub(super) checkpoints: u64,
}

/// Forgets the keys; returns what was done, the table, and the search that finds them no more.
///
/// # Errors
/// As [`Survey::of`], [`current::delete`] and [`Claim::renew`]; `Conflict` if others put rows
/// back every time.
pub(super) async fn erase(
    subject: &Subject<'_>,
    mut table: LakeTable,
    claim: &mut Claim,
    tell: Teller<'_>,
) -> Result<(Erased, LakeTable, Survey)> {
    let mut erased = Erased::default();
    let (mut last, mut manner) = (None, Manner::default());
    for _ in 0..MOST_STEPS {
        claim.renew().await?;
        tell("searching");
        let survey = Box::pin(Survey::of(subject, &table, &manner)).await?;
        let has_current = survey.at(Place::Current).next().is_some();
        if has_current || (survey.is_in_log() && erased.version.is_none()) {
            tell("deleting current rows");
            match Box::pin(current::delete(subject, &table, &survey)).await {
                Ok((after, deleted)) => {
                    erased.version = Some(after.version());
                    erased.rows += deleted.rows;
                    erased.files_written += deleted.files_written;
                    erased.bytes_written += deleted.bytes_written;
                    table = after;
                }
                Err(error) if error.kind() == ErrorKind::Conflict => {
                    last = Some(error);
                    table = subject.open().await?.ok_or_else(gone)?;
                }
                Err(error) => return Err(error),
            }
            continue;
        }
        let store = table.files().store();
        if survey.is_in_log() {
            tell("rewriting older files");
            let mut replacer = Replacer::of(subject, &table, &survey);
            let edits = Box::pin(replacer.write()).await?;
            erased.files_written += replacer.files_written;
            erased.bytes_written += replacer.bytes_written;
            tell("amending the log");
            table.must_be_there().await?;
            let amendment = Amendment {
                location: subject.location,
                store: &store,
                log: &survey.log,
                edits: &edits,
            };
            match Box::pin(amendment.make()).await {
                Ok(amended) => {
                    erased.commits += amended.commits;
                    erased.checkpoints += amended.checkpoints;
                    manner.replaced.extend(survey.held.iter().map(|file| path_of(&file.add)));
                }
                Err(error) if error.kind() == ErrorKind::Conflict => last = Some(error),
                Err(error) => return Err(error),
            }
            table = subject.open().await?.ok_or_else(gone)?;
            continue;
        }
        let cutoff = subject.clock.now() - IDLE;
        let old: Vec<Path> =
            survey.deletable(cutoff).map(|left| left.meta.location.clone()).collect();
        if old.is_empty() && !manner.opens_all {
            manner.opens_all = true;
            continue;
        }
        if old.is_empty() {
            return Ok((erased, table, survey));
        }
        tell("deleting old files");
        table.must_be_there().await?;
        table = subject.open().await?.ok_or_else(gone)?;
        if survey.log.newest() < Some(table.version()) {
            // A restore may have named them again.
            continue;
        }
        erased.files_deleted += old.len() as u64;
        // Nothing that readers go by may name a file that is gone.
        subject.follow(&table).await?;
        delete(&store, old).await?;
    }
    let error = Error::new(ErrorKind::Conflict, "others put rows of the keys back every time");
    Err(match last {
        Some(cause) => error.because(cause),
        None => error,
    })
}

/// That the table is no longer where it was.
pub(super) fn gone() -> Error {
    Error::new(ErrorKind::Conflict, "the table was moved away at the same time")
}
