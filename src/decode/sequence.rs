//! The change sequence within one object: it must not decrease.

use crate::error::Result;
use crate::staging::object_context::ObjectContext;

/// The remedy for a column that cannot be the change sequence.
pub(super) const OTHER_SEQUENCE: &str = "set change_seq_column in [dms] to the column that the \
    task's AR_H_CHANGE_SEQ rule adds, or take it out if there is no such rule; if it is the right \
    column, stage the object again as DMS wrote it";

/// The first and the last change sequence of the rows read from an object. Both compare as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeSequence {
    /// That of the earliest row that has one.
    pub first: String,
    /// That of the latest row that has one.
    pub last: String,
}

/// Follows the change sequence row by row.
#[derive(Clone, Debug, Default)]
pub(super) struct SequenceTrack {
    seen: Option<ChangeSequence>,
    last_row: u64,
}

impl SequenceTrack {
    /// What was seen so far; `None` if no row carries a sequence.
    pub(super) fn seen(&self) -> Option<&ChangeSequence> {
        self.seen.as_ref()
    }

    /// Takes in one row's sequence. Empty text, as in a full load, is ignored.
    ///
    /// # Errors
    /// `MalformedObject`, naming both rows, if it is lower than an earlier row's.
    pub(super) fn follow(&mut self, text: &[u8], row: u64, context: &ObjectContext) -> Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        match &mut self.seen {
            Some(seen) if seen.last.as_bytes() == text => {}
            Some(seen) if seen.last.as_bytes() > text => {
                return Err(context
                    .malformed("the change sequence decreases within the object")
                    .with("row", self.last_row)
                    .with("lower row", row)
                    .with_remedy(OTHER_SEQUENCE));
            }
            seen => {
                let Ok(text) = std::str::from_utf8(text) else {
                    return Err(context
                        .malformed("the change sequence is not valid UTF-8")
                        .with("row", row)
                        .with_remedy(OTHER_SEQUENCE));
                };
                let seen = seen.get_or_insert_with(|| ChangeSequence {
                    first: text.to_owned(),
                    last: String::new(),
                });
                seen.last.clear();
                seen.last.push_str(text);
            }
        }
        self.last_row = row;
        Ok(())
    }
}
