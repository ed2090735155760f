//! The commit that takes the rows of the keys out of the newest version, masked ones too.

use std::sync::Arc;

use deltalake::kernel::{Action, Add};
use deltalake::protocol::DeltaOperation;
use serde_json::json;

use crate::error::Result;
use crate::files::{FileLayout, removal};
use crate::forget::OPERATION;
use crate::forget::replace::without;
use crate::forget::subject::Subject;
use crate::forget::survey::{HeldFile, Place, Survey};
use crate::progress::{CommitRecord, Counts};
use crate::table::features::{is_append_only, refuse_change};
use crate::table::{LakeTable, Transaction, refuse_foreign};

/// What the commit did.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Deleted {
    pub(super) rows: u64,
    pub(super) files_written: u64,
    pub(super) bytes_written: u64,
}

/// Refuses a table that takes no deletes, if its newest version has rows of the keys.
///
/// # Errors
/// `TableRefused`.
pub(super) fn refuse_append_only(table: &LakeTable, survey: &Survey) -> Result<()> {
    let holds = survey.at(Place::Current).next().is_some();
    if holds && is_append_only(table.delta().snapshot()?.metadata()) {
        return Err(refuse_change(table.delta().table_url()));
    }
    Ok(())
}

/// Replaces the files of the newest version that hold rows of the keys by others without them and
/// without masked rows. Where there are none, the commit only tells that the keys are forgotten: how
/// many, not which.
///
/// Where others hold the table, the commit is not one of ours: it would hide what they did.
///
/// # Errors
/// `TableRefused` if the table takes no deletes, `Conflict` if others commit first, what keeps files
/// from being read or written.
pub(super) async fn delete(
    subject: &Subject<'_>,
    table: &LakeTable,
    survey: &Survey,
) -> Result<(LakeTable, Deleted)> {
    let held: Vec<&HeldFile> = survey.at(Place::Current).collect();
    refuse_append_only(table, survey)?;
    let names = table.columns_among(subject.names.clone());
    let layout = Arc::new(FileLayout::of(table.files(), &names, subject.clock)?);
    let now = subject.clock.now();
    let (mut actions, mut deleted) = (Vec::new(), Deleted::default());
    let live = table.live_files()?;
    for file in &held {
        let Some(add) = live.iter().find(|add| add.path == file.add.path) else { continue };
        let masked = table.files().masked(add).await?;
        let shown: Vec<u64> = file.unmasked(&masked).collect();
        let file = HeldFile { add: add.clone(), ..(*file).clone() };
        let new = without(table.files(), &layout, &file, &shown, &masked).await?;
        let data_change = !shown.is_empty();
        deleted.rows += shown.len() as u64;
        actions.push(removal(Add { data_change, ..add.clone() }, now));
        if let Some(new) = new {
            deleted.files_written += 1;
            deleted.bytes_written += new.size.unsigned_abs();
            actions.push(Action::Add(Add { data_change, ..new }));
        }
    }
    let metrics = json!({
        "numKeys": subject.keys.num_rows().to_string(),
        "numDeletedRows": deleted.rows.to_string(),
        "numRemovedFiles": held.len().to_string(),
        "numAddedFiles": deleted.files_written.to_string(),
        "numAmendedFiles": (survey.held.len() - held.len()).to_string(),
    });
    let transaction = match subject.spec {
        Some(spec) if refuse_foreign(spec, table).is_ok() => {
            let counts = Counts { rows: deleted.rows, deleted: deleted.rows, ..Counts::default() };
            let (before, after) = (table.rows(), table.rows() - deleted.rows);
            let (attempt, ledger) = (subject.clock.attempt_id(), table.ledger().clone());
            let record = CommitRecord::replacing(attempt, counts, before, after, ledger)?;
            Transaction::on(table, record, subject.clock)
        }
        _ => Transaction::without_record(table, subject.clock),
    };
    let operation = DeltaOperation::Delete { predicate: None };
    let committed = transaction.named(OPERATION).commit(actions, operation, Some(metrics)).await?;
    Ok((committed.committed()?, deleted))
}
