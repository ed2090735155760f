//! Whether an existing table may be applied to: by its keys, and by what others did to it.

use std::collections::BTreeSet;

use deltalake::kernel::Version;

use crate::config::{OnForeignCommit, TableSpec};
use crate::dms::MySqlType;
use crate::error::{Error, ErrorKind, Result};
use crate::table::{ForeignCommit, LakeTable};

/// Refuses a table as [`refuse_other_keys`] and [`refuse_foreign`] do.
///
/// # Errors
/// `TableRefused`.
pub(crate) fn refuse_table(spec: &TableSpec, table: &LakeTable) -> Result<()> {
    refuse_other_keys(spec, table)?;
    refuse_foreign(spec, table)
}

/// Refuses a table whose keys are not those of the configuration, or not spelled as they are now.
///
/// # Errors
/// `TableRefused`.
pub(crate) fn refuse_other_keys(spec: &TableSpec, table: &LakeTable) -> Result<()> {
    refuse_keys(spec, table)?;
    refuse_spelling(spec, table)
}

/// Refuses a table that another writer restored to a state older than its progress and, if so
/// configured, one whose rows another writer changed.
///
/// # Errors
/// `TableRefused`.
pub(crate) fn refuse_foreign(spec: &TableSpec, table: &LakeTable) -> Result<()> {
    let Some(newest) = table.newest() else { return Ok(()) };
    let ours = newest.version;
    let foreign = table.foreign();
    let last_restore = foreign.iter().rev().find(|commit| commit.is_restore());
    if let Some(restore) = last_restore
        && rows_at(foreign, ours, table.version()) != Some(ours)
    {
        return Err(refused("another writer has put back older rows, which lack what is applied")
            .with("commit", restore)
            .with_remedy(format!(
                "dmslake restore TABLE --version {ours}; or, if files of that version are deleted, \
                 dmslake rebuild TABLE while everything since the load is staged"
            )));
    }
    let standing = standing(table.foreign(), ours);
    if spec.on_foreign_commit == OnForeignCommit::Report || standing.is_empty() {
        return Ok(());
    }
    Err(refused("another writer has changed rows of the table")
        .with("commits", named(standing))
        .with_remedy(format!(
            "dmslake restore TABLE --version {ours}; or, to keep what it did, set on_foreign_commit = \
             \"report\" until the next change has been applied"
        )))
}

/// The version whose rows are visible at `version`: itself, up to our newest commit; above that our
/// newest commit, unless a restore has replaced its rows. None where a restore does not say which
/// version it put back.
fn rows_at(foreign: &[ForeignCommit], ours: Version, version: Version) -> Option<Version> {
    if version <= ours {
        return Some(version);
    }
    let mut below = foreign.iter().rev().filter(|commit| commit.version <= version);
    match below.find(|commit| commit.is_restore()) {
        None => Some(ours),
        Some(restore) => rows_at(foreign, ours, put_back(restore)?),
    }
}

/// Those commits that are not undone: a restore of our own version leaves none before it.
fn standing(foreign: &[ForeignCommit], ours: Version) -> &[ForeignCommit] {
    let undone = foreign
        .iter()
        .rposition(|commit| commit.is_restore() && is_untouched_at(foreign, ours, commit.version));
    &foreign[undone.map_or(0, |last| last + 1)..]
}

/// Whether a version shows the rows of our newest commit, and nothing that others did to them.
fn is_untouched_at(foreign: &[ForeignCommit], ours: Version, version: Version) -> bool {
    match foreign.iter().rev().find(|commit| commit.version <= version) {
        None => version >= ours,
        Some(commit) => {
            commit.is_restore()
                && put_back(commit).is_some_and(|restored| is_untouched_at(foreign, ours, restored))
        }
    }
}

/// The version that a restore has put back, which is below its own.
fn put_back(restore: &ForeignCommit) -> Option<Version> {
    restore.restores.filter(|restored| *restored < restore.version)
}

fn refuse_keys(spec: &TableSpec, table: &LakeTable) -> Result<()> {
    let Some(keys) = &table.ledger().keys else { return Ok(()) };
    let configured = spec.lake_keys();
    // Columns that got other names are yet to move on.
    let moved = |key: &String| {
        let mut moved = spec.moved_names();
        let after = moved.find_map(|(before, after)| (before == key).then_some(after));
        after.map_or_else(|| key.clone(), str::to_owned)
    };
    let keys: &Vec<String> = &keys.iter().map(moved).collect();
    let as_set = |keys: &[String]| keys.iter().cloned().collect::<BTreeSet<_>>();
    if table.ledger().is_untouched() || as_set(keys) == as_set(&configured) {
        return Ok(());
    }
    let spelled = |keys: &[String]| if keys.is_empty() { "none".into() } else { keys.join(", ") };
    Err(refused("the table was built with other key columns than those configured")
        .with("keys of the table", spelled(keys))
        .with("keys configured", spelled(&configured))
        .with_remedy(
            "set keys back; or, if the new ones are right, dmslake rebuild TABLE while everything \
             since the load is staged",
        ))
}

/// A key that is spelled in two ways would make two rows of one.
fn refuse_spelling(spec: &TableSpec, table: &LakeTable) -> Result<()> {
    let is_time =
        |key: &&String| spec.column(key).is_some_and(|column| column.mysql_type == MySqlType::Time);
    let Some(key) = spec.keys.iter().find(is_time) else { return Ok(()) };
    if table.ledger().is_untouched() || table.ledger().one_time_spelling {
        return Ok(());
    }
    Err(refused("times of day in a key column are stored as they came, not in one spelling")
        .with("column", spec.lake_name(key))
        .with_remedy("dmslake rebuild TABLE while everything since the load is staged"))
}

/// Commits as messages name them.
fn named(commits: &[ForeignCommit]) -> String {
    commits.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn refused(message: &str) -> Error {
    Error::new(ErrorKind::TableRefused, message)
}
