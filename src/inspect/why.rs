//! The life of a row: each version that touched it, and the changes that did.
//!
//! The log is read forwards once: it tells which data files may have held the key, by their
//! statistics, and when each came and went (`log`). Then the row is followed backwards from the
//! newest version (`life`): a file is opened only where the row may have been in it at that time
//! (`search`). The staged objects that a touching commit took in are decoded, as far as they are still there
//! (`staged`).

mod image;
mod key;
mod life;
mod log;
mod search;
mod staged;

pub(crate) use key::AskedKey;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::config::TableSpec;
use crate::error::{Error, ErrorKind, Result};
use crate::inspect::diff::Change;

use crate::inspect::why::life::follow;
use crate::inspect::why::log::{Span, scan};
use crate::inspect::why::search::Search;
use crate::inspect::why::staged::Staged;
use crate::merge::KeyFinder;
use crate::pipeline::Pipeline;
use crate::storage::Requests;
use crate::table::{AsOf, load_as_of, open};

/// Values by column, as text; none is NULL.
pub type Values = BTreeMap<String, Option<String>>;

/// The life of one row.
#[derive(Clone, Debug, Serialize)]
pub struct RowLife {
    /// The name and the version of this schema: `why/1`.
    pub schema: &'static str,
    /// `schema.table`
    pub table: String,
    /// The key.
    pub key: Values,
    /// The first version that was looked at.
    pub from: u64,
    /// The last one.
    pub to: u64,
    /// The row as it is in the last version; none if it is not there.
    pub row: Option<Values>,
    /// What touched it, the oldest first.
    pub events: Vec<RowEvent>,
    /// What could not be told, and why.
    pub gaps: Vec<String>,
    /// What was read for it.
    pub read: ReadForLife,
}

/// What one version did to the row.
#[derive(Clone, Debug, Serialize)]
pub struct RowEvent {
    /// The version.
    pub version: u64,
    /// When it was committed, by its writer's clock.
    pub at: Option<DateTime<Utc>>,
    /// Who did.
    pub writer: String,
    /// What the commit did, such as `MERGE`.
    pub operation: Option<String>,
    /// What happened to the row; none if the row was there before the first version looked at.
    pub change: Option<&'static str>,
    /// The columns that have another value; of an updated row alone.
    pub columns: Vec<String>,
    /// The row before, if it was there.
    pub before: Option<Values>,
    /// The row after, if it is there.
    pub after: Option<Values>,
    /// The changes of the key in the objects that the commit took in, in order, as far as those are
    /// still staged. All but the one that won lost to a newer one of the same commit.
    pub changes: Vec<StagedChange>,
}

/// A change of the key in a staged object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StagedChange {
    /// The object: its path below the table's folder.
    pub object: String,
    /// The number of the row in it, from 1.
    pub row: u64,
    /// `I`, `U` or `D`.
    pub op: char,
    /// Its change sequence, if the source gives one.
    pub change_sequence: Option<String>,
    /// When it was committed at the source, if that is told; in a full load, when it was read.
    pub source_time: Option<String>,
    /// Whether it is the one that counts.
    pub won: bool,
}

/// What was read to tell a life.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct ReadForLife {
    /// Commits of the log.
    pub commits: u64,
    /// Data files that were searched.
    pub data_files: u64,
    /// Staged objects that were decoded.
    pub objects: u64,
    /// Requests to staging and lake.
    pub requests: Requests,
}

/// Tells the life of the row with that key, from the version or time `since` on or as far as the log
/// goes back; none if there is no table. `key` is the value of the one key column, or
/// `column=value,…` of several.
///
/// # Errors
/// `Config` if the table has no keys, or the key is none; `Unavailable` if the table cannot be read.
pub async fn why(
    pipeline: &Pipeline,
    spec: &TableSpec,
    key: &str,
    since: Option<AsOf>,
) -> Result<Option<RowLife>> {
    let before = pipeline.requests_so_far(&spec.source);
    let location = pipeline.lake_folder(&spec.source)?;
    let Some(table) = open(&location, None).await? else { return Ok(None) };
    let key = AskedKey::parse(key, &row_keys(spec)?, table.schema())?;
    let since = match since {
        Some(since) => load_as_of(&location, Some(since)).await?.and_then(|it| it.version()),
        None => None,
    };
    let files = table.files().with_small_whole();
    let finder = KeyFinder::new(&files, key.names(), key.columns())?;
    let (span, base) = Span::of(&location, &table, since).await?;
    let log = scan(&table, span, base, &finder).await?;
    let mut search = Search::of(&files, &finder);
    let life = Box::pin(follow(&mut search, &log, span)).await?;
    let mut staged = Staged::of(pipeline, spec, &table, &finder, key.names());
    let mut events = Vec::with_capacity(life.touched.len());
    for touched in life.touched {
        let changes = Box::pin(staged.changes(&touched)).await?;
        events.push(touched.into_event(changes));
    }
    let mut gaps = search.gaps();
    gaps.extend(staged.gaps());
    let read = ReadForLife {
        commits: log.commits,
        data_files: search.files_read(),
        objects: staged.objects_read(),
        requests: pipeline.requests_so_far(&spec.source).since(before),
    };
    Ok(Some(RowLife {
        schema: "why/1",
        table: spec.source.to_string(),
        key: key.values()?,
        from: span.from,
        to: span.to,
        row: life.row,
        events,
        gaps,
        read,
    }))
}

/// The key columns by which a row of a table is known, as the lake names them.
///
/// # Errors
/// `Config` if it has none.
pub(crate) fn row_keys(spec: &TableSpec) -> Result<Vec<String>> {
    let keys = spec.lake_keys();
    if keys.is_empty() {
        return Err(Error::new(ErrorKind::Config, "the table has no keys by which a row is known")
            .with("table", &spec.source));
    }
    Ok(keys)
}

/// As it is written.
fn written(change: Change) -> &'static str {
    change.as_str()
}
