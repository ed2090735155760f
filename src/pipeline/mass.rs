//! Whether a slice would delete or update more of its table than is usual.

use crate::config::MaxChangeFraction;
use crate::dms::Phase;
use crate::error::{Error, ErrorKind, Result};
use crate::pipeline::holds::named;
use crate::pipeline::ready::Target;
use crate::pipeline::rebuild::Build;
use crate::pipeline::slice::Slice;
use crate::progress::{Counts, Recent};
use crate::table::LakeTable;

/// What is judged of one slice.
pub(super) struct Mass {
    limit: MaxChangeFraction,
    /// The stamp of its first change object.
    stamp: String,
    objects: Vec<String>,
}

impl Mass {
    /// What there is to judge of a slice: nothing of a full load, of a table that is rebuilt beside
    /// the one that readers see, nor of what an operator lets pass.
    pub(super) fn of(target: &Target<'_>, slice: &Slice) -> Option<Self> {
        let limit = target.spec.max_change_fraction;
        let first = slice.portions.iter().find_map(|portion| match &portion.object.name.phase {
            Phase::Cdc { stamp } => Some(stamp.clone()),
            Phase::FullLoad { .. } => None,
        });
        let stamp = first.filter(|_| limit.is_set() && target.built == Build::InPlace)?;
        let objects = slice.portions.iter().map(|portion| portion.object.relative.clone());
        let objects: Vec<String> = objects.collect();
        let is_let_pass = objects.iter().all(|object| target.let_pass.contains(object));
        (!is_let_pass).then_some(Self { limit, stamp, objects })
    }

    /// Judges what the slice would do to the table, together with what the last hour's changes have
    /// done; gives both for the ledger.
    ///
    /// # Errors
    /// `TableRefused` if it is too much.
    pub(super) fn judge(&self, table: &LakeTable, counts: &Counts) -> Result<Recent> {
        let before = table.ledger().recent.as_ref();
        let recent = Recent::with(before, &self.stamp, table.rows(), counts);
        let Recent { before, deleted, updated, .. } = recent;
        if !self.limit.is_exceeded_by(deleted, updated, before) {
            return Ok(recent);
        }
        let error = Error::new(
            ErrorKind::TableRefused,
            format!(
                "changes of an hour would delete {deleted} and update {updated} of {before} rows, \
                 more than max_change_fraction allows"
            ),
        )
        .with("first change", &recent.since);
        let error = if deleted + updated > counts.deleted + counts.updated {
            let rest = (deleted - counts.deleted, updated - counts.updated);
            error.with("deleted and updated already", format!("{} and {}", rest.0, rest.1))
        } else {
            error
        };
        Err(error
            .with("inserted", counts.inserted)
            .with("objects", named(self.objects.iter().map(String::as_str)))
            .with_passable(self.objects.clone())
            .with_remedy(
                "if the changes are meant, dmslake resume TABLE lets these objects pass once; \
                 if not, undo them at the source before you do",
            ))
    }
}
