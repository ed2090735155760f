//! Follows a row backwards through the files that held it.

use crate::error::Result;
use crate::inspect::diff::Change;
use crate::inspect::why::image::{differing, values};
use crate::inspect::why::log::{KeyLog, Span, Step};
use crate::inspect::why::search::{Place, Search};
use crate::inspect::why::{RowEvent, StagedChange, Values, written};
use crate::inspect::writer::writer_of;
use crate::table::Commit;

/// A version that touched the row.
#[derive(Debug)]
pub(super) struct Touched {
    pub(super) commit: Commit,
    /// None of a row that was there before the first version looked at.
    pub(super) change: Option<Change>,
    columns: Vec<String>,
    before: Option<Values>,
    after: Option<Values>,
}

impl Touched {
    /// The same, with the staged changes that did it.
    pub(super) fn into_event(self, changes: Vec<StagedChange>) -> RowEvent {
        RowEvent {
            version: self.commit.version,
            at: self.commit.timestamp,
            writer: writer_of(&self.commit),
            operation: self.commit.operation,
            change: self.change.map(written),
            columns: self.columns,
            before: self.before,
            after: self.after,
            changes,
        }
    }
}

/// What became of a row.
#[derive(Debug)]
pub(super) struct Life {
    /// The row in the newest version.
    pub(super) row: Option<Values>,
    /// The versions that touched it, the oldest first.
    pub(super) touched: Vec<Touched>,
}

/// Follows a row from the newest version of a span to its first one.
///
/// # Errors
/// `Unavailable` if a file cannot be read; files that are gone are told as gaps.
pub(super) async fn follow(search: &mut Search<'_>, log: &KeyLog, span: Span) -> Result<Life> {
    let mut after = search.row_in(&log.live).await?;
    let row = after.as_ref().map(|place| values(&place.image, 0)).transpose()?;
    let mut touched = Vec::new();
    let mut left = log.steps.len();
    while left > 0 {
        let (before, step) = match &after {
            // Only where it stood last did a commit do something to it.
            None => match search.last_in(&log.steps[..left]).await? {
                Some((at, place)) => (Some(place), at),
                None => break,
            },
            Some(place) => {
                let Some(at) = log.steps[..left].iter().rposition(|step| step.brought(&place.add))
                else {
                    break;
                };
                let step = &log.steps[at];
                match unmoved(step, place) {
                    Some(place) => (Some(place), at),
                    None => (search.row_in(&step.ended).await?, at),
                }
            }
        };
        touched.extend(event(&log.steps[step], before.as_ref(), after.as_ref())?);
        (after, left) = (before, step);
    }
    if let (Some(place), 1..) = (&after, span.from) {
        let version = span.from;
        touched.push(Touched {
            commit: Commit::unread(version),
            change: None,
            columns: Vec::new(),
            before: None,
            after: Some(values(&place.image, 0)?),
        });
        search.gap(format!(
            "the row was there in version {version}; what came before is not in the versions looked at"
        ));
    }
    touched.reverse();
    Ok(Life { row, touched })
}

/// The row as it was before a merge of ours, where that masked other rows of its file: a merge masks
/// more, and never less. So nothing is read for it, however often it happens.
fn unmoved(step: &Step, after: &Place) -> Option<Place> {
    let path = &after.add.path;
    let before = step.ended.iter().find(|add| add.path == *path)?;
    if !step.masks_more(path) {
        return None;
    }
    Some(Place { add: before.clone(), image: after.image.clone() })
}

/// What a commit did to the row; none if it only moved it.
fn event(step: &Step, before: Option<&Place>, after: Option<&Place>) -> Result<Option<Touched>> {
    let (change, columns) = match (before, after) {
        (None, None) => return Ok(None),
        (None, Some(_)) => (Change::Inserted, Vec::new()),
        (Some(_), None) => (Change::Deleted, Vec::new()),
        (Some(before), Some(after)) => {
            let columns = differing(&before.image, &after.image)?;
            if columns.is_empty() {
                return Ok(None);
            }
            (Change::Updated, columns)
        }
    };
    let image = |place: Option<&Place>| place.map(|place| values(&place.image, 0)).transpose();
    Ok(Some(Touched {
        commit: step.commit.clone(),
        change: Some(change),
        columns,
        before: image(before)?,
        after: image(after)?,
    }))
}
