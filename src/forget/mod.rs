//! Forgetting keys: their rows go from every version of a table that is kept, and time travel stays.
//!
//! Files of a Delta table never change, and versions name them. So a file that holds a row of a key is
//! written once more without it, and every commit and checkpoint that names the old file is amended to
//! name the new one, with its size, its statistics and its deletion vector. No version comes or goes,
//! and none loses another row.
//!
//! | step | what | where |
//! |---|---|---|
//! | search | every file, named or not, for the keys | `survey`, `log`, `checkpoint` |
//! | commit | a version `FORGET` takes the rows out of the newest files, masked ones too | `current` |
//! | write | the files of older versions, without the rows | `replace` |
//! | amend | commits from the newest to the oldest, then checkpoints | `amend`, `edit`, `counts` |
//! | delete | the old files, which nothing names any more | `erase` |
//! | prove | the search again, which finds nothing | `erase` |
//!
//! Why not in place: a file with a row less has another size, other row numbers and other statistics,
//! and all of these are in the log. Readers trust them: a wrong size hides the footer, a wrong number
//! masks other rows, a wrong count answers `count(*)`. Statistics also hold values of the row itself,
//! so that the log must change anyway.
//!
//! A crash at any moment leaves every version readable, and the next run goes on: what is to be done
//! is found by searching, not by a plan that was stored.

mod amend;
mod beyond;
mod checkpoint;
mod claim;
mod counts;
mod current;
mod edit;
mod erase;
mod log;
mod quarantined;
mod replace;
mod report;
mod staged;
mod subject;
mod survey;
mod unfinished;
mod workings;

pub use report::{Beyond, Done, Forgotten, Found, Proof};
pub use staged::StagedRows;

use crate::config::TableSpec;
use crate::error::{Error, ErrorKind, Result};
use crate::forget::beyond::Known;
use crate::forget::claim::Claim;
use crate::forget::current::refuse_append_only;
use crate::forget::erase::{Erased, IDLE, erase, gone};
use crate::forget::quarantined::{Quarantined, discard, quarantined};
use crate::forget::staged::staged_rows;
use crate::forget::subject::Subject;
use crate::forget::survey::{Manner, Place, Survey};
use crate::forget::unfinished::Unfinished;
use crate::forget::workings::Workings;
use crate::inspect::{AskedKey, row_keys};
use crate::pipeline::Pipeline;
use crate::schema::TableSchema;
use crate::storage::with_whole_paths;
use crate::table::{self, LakeTable, refuse_other_keys, refuse_table};

/// What the commits call themselves.
const OPERATION: &str = "FORGET";

/// Is told what is being done.
pub type Teller<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// Finds all that holds rows of these keys, each the value of the one key column or `column=value,…`
/// of several; none if there is no table. Nothing is changed.
///
/// # Errors
/// `Config` if the table has no keys or a text is none; `TableRefused` if it is being rebuilt or
/// written again, a job is at work on it, its keys are not those configured, it takes no deletes, or
/// older versions cannot be searched by the keys or amended; `Unavailable` if lake or
/// staging cannot be read.
pub async fn plan_forget(
    pipeline: &Pipeline,
    spec: &TableSpec,
    keys: &[String],
    tell: Teller<'_>,
) -> Result<Option<Forgotten>> {
    let outcome = Box::pin(run(pipeline, spec, keys, tell, false)).await;
    named(pipeline, spec, outcome)
}

/// Forgets these keys: their rows go from every version of the table and of its quarantine that is
/// kept. To be run again after a failure, and goes on then.
///
/// # Errors
/// As [`plan_forget`]; `TableRefused` if somebody else forgets keys of it; `Conflict` if others put the
/// rows back every time.
pub async fn forget(
    pipeline: &Pipeline,
    spec: &TableSpec,
    keys: &[String],
    tell: Teller<'_>,
) -> Result<Option<Forgotten>> {
    let outcome = Box::pin(run(pipeline, spec, keys, tell, true)).await;
    named(pipeline, spec, outcome)
}

fn named<T>(pipeline: &Pipeline, spec: &TableSpec, outcome: Result<T>) -> Result<T> {
    let (staging, lake) =
        (pipeline.staging_folder(&spec.source)?, pipeline.lake_folder(&spec.source)?);
    outcome.map_err(|error| with_whole_paths(error, &staging, &lake))
}

async fn run(
    pipeline: &Pipeline,
    spec: &TableSpec,
    keys: &[String],
    tell: Teller<'_>,
    acts: bool,
) -> Result<Option<Forgotten>> {
    let location = pipeline.lake_folder(&spec.source)?;
    let Some(table) = table::open(&location, None).await? else { return Ok(None) };
    refuse_others(pipeline, spec, &table).await?;
    refuse_other_keys(spec, &table)?;
    let keys = parsed(keys, spec, table.schema())?;
    let mut claim = if acts { Some(Claim::take(pipeline, spec).await?) } else { None };
    let outcome = Box::pin(searched(pipeline, spec, (table, &keys), tell, claim.as_mut())).await;
    if let Some(claim) = claim {
        claim.release().await;
    }
    outcome.map(Some)
}

/// Searches, and acts where the table is claimed.
async fn searched(
    pipeline: &Pipeline,
    spec: &TableSpec,
    (mut table, keys): (LakeTable, &[AskedKey]),
    tell: Teller<'_>,
    claim: Option<&mut Claim>,
) -> Result<Forgotten> {
    let location = pipeline.lake_folder(&spec.source)?;
    let subject = Subject::of(&location, spec, keys, pipeline)?;
    tell("searching");
    let mut survey = Box::pin(Survey::of(&subject, &table, &Manner::default())).await?;
    refuse_append_only(&table, &survey)?;
    let shown = rows_now(&table, &survey).await?;
    let mut found = Found::of(&survey, shown);
    tell("searching the quarantine");
    let Quarantined { rows, untold } = Box::pin(quarantined(pipeline, spec, &table, keys)).await?;
    found.quarantined_rows = rows.len() as u64;
    let cutoff = pipeline.clock().now() - IDLE;
    let mut workings = Workings::of(pipeline, spec, cutoff).await?;
    let mut unfinished = Unfinished::of(&location, &survey.log, cutoff)?;
    found.left_objects = workings.old.len() as u64 + unfinished.old();
    let amends = survey.is_in_log();
    // A commit of ours about its quarantine would hide what holds the table.
    let is_held = refuse_table(spec, &table).is_err();
    let (mut done, mut proof) = (None, None);
    if let Some(claim) = claim {
        let (mut made, mut proven) = (Done::default(), Proof::default());
        if is_held {
            proven.quarantined_rows = rows.len() as u64;
        } else if !rows.is_empty() {
            tell("forgetting in the quarantine");
            discard(pipeline, spec, &rows).await?;
            let folder = pipeline.quarantine_folder(&spec.source)?;
            let quarantine = quarantined::subject(pipeline, &folder, &rows)?;
            if let Some(open) = quarantine.open().await? {
                let (erased, _, after) = Box::pin(erase(&quarantine, open, claim, tell)).await?;
                made.take(&erased);
                proven.take(&after);
            }
            made.quarantined_rows = rows.len() as u64;
            table = table::open(&location, None).await?.ok_or_else(gone)?;
        }
        let (erased, after, last) = Box::pin(erase(&subject, table, claim, tell)).await?;
        let Erased { version, rows: deleted, .. } = erased;
        made.take(&erased);
        (made.version, made.rows_deleted) = (version, deleted);
        made.files_deleted += workings.delete(pipeline).await?;
        made.files_deleted += unfinished.delete(&after).await?;
        proven.take(&last);
        (table, survey) = (after, last);
        if version.is_some() {
            subject.follow(&table).await?;
            tracing::warn!(table = %spec.source, keys = keys.len(), "keys are forgotten");
        }
        (done, proof) = (Some(made), Some(proven));
    }
    tell("searching staged objects");
    let finder = subject.finder(&table)?;
    let staged = staged_rows(pipeline, spec, (&table, &finder), &subject.names).await?;
    let known = Known {
        pipeline,
        spec,
        subject: &subject,
        table: &table,
        finder: &finder,
        survey: &survey,
        staged: &staged,
        workings: &workings,
        unfinished: &unfinished,
        untold,
        unreached: if is_held { rows.len() as u64 } else { 0 },
        had_rows: found.rows > 0,
        amends,
    };
    let beyond = known.beyond().await?;
    Ok(Forgotten {
        schema: "forget/1",
        table: spec.source.to_string(),
        keys: keys.len() as u64,
        version: table.version(),
        found,
        done,
        proof,
        staged,
        beyond,
    })
}

/// The keys, each once.
fn parsed(texts: &[String], spec: &TableSpec, schema: &TableSchema) -> Result<Vec<AskedKey>> {
    let names = row_keys(spec)?;
    let mut keys: Vec<AskedKey> = Vec::with_capacity(texts.len());
    for text in texts {
        let key = AskedKey::parse(text, &names, schema)?;
        if !keys.iter().any(|known| known.columns() == key.columns()) {
            keys.push(key);
        }
    }
    Ok(keys)
}

/// Rows of the keys in the newest version.
async fn rows_now(table: &LakeTable, survey: &Survey) -> Result<u64> {
    let live = table.live_files()?;
    let mut rows = 0;
    for file in survey.at(Place::Current) {
        for add in live.iter().filter(|add| add.path == file.add.path) {
            let masked = table.files().masked(add).await?;
            rows += file.unmasked(&masked).count() as u64;
        }
    }
    Ok(rows)
}

/// Refuses a table on which others are at work with rows that are in no version yet.
async fn refuse_others(pipeline: &Pipeline, spec: &TableSpec, table: &LakeTable) -> Result<()> {
    let Some(state) = pipeline.state_object(&spec.source)?.read().await? else { return Ok(()) };
    let refused = |message: &str, remedy: &str| {
        Err(Error::new(ErrorKind::TableRefused, message).with_remedy(remedy.to_owned()))
    };
    if state.rebuild_of(table.ledger()).is_some() {
        return refused(
            "the table is being rebuilt, from rows that may be of the keys",
            "dmslake rebuild TABLE to its end, or with --cancel",
        );
    }
    if state.reshape.is_some() {
        return refused(
            "the table is being written again with other columns, from rows that may be of the keys",
            "dmslake apply --table TABLE",
        );
    }
    let now = pipeline.clock().now();
    if state.hand_over.is_some_and(|hand_over| hand_over.is_live(now)) {
        return refused(
            "a job is at work on the table, with rows that may be of the keys",
            "wait until dmslake status TABLE shows that it is done, or dmslake job cancel TABLE",
        );
    }
    Ok(())
}
