//! The change sequence inside one object: it must not fall.

use crate::error::Result;
use crate::staging::object_context::ObjectContext;

/// The first and the last change sequence among the rows of an object that were read; both
/// compare as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeSequence {
    /// Of the earliest row that has one.
    pub first: String,
    /// Of the latest row that has one.
    pub last: String,
}

/// Follows the change sequence row by row.
#[derive(Clone, Debug, Default)]
pub(super) struct SequenceTrack {
    seen: Option<ChangeSequence>,
    last_row: u64,
}

impl SequenceTrack {
    /// What was seen so far; none where no row carries a sequence.
    pub(super) fn seen(&self) -> Option<&ChangeSequence> {
        self.seen.as_ref()
    }

    /// Takes in one row's sequence; empty text, as a full load has it, says nothing.
    ///
    /// # Errors
    /// `MalformedObject`, naming both rows, if it is lower than an earlier row's.
    pub(super) fn follow(&mut self, text: &[u8], row: u64, subject: &ObjectContext) -> Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        match &mut self.seen {
            Some(seen) if seen.last.as_bytes() == text => {}
            Some(seen) if seen.last.as_bytes() > text => {
                return Err(subject
                    .malformed("the change sequence falls inside the object")
                    .with("row", self.last_row)
                    .with("lower row", row));
            }
            seen => {
                let Ok(text) = std::str::from_utf8(text) else {
                    return Err(subject
                        .malformed("the change sequence is not valid UTF-8")
                        .with("row", row));
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
