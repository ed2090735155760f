//! Which operations the rows of an object may carry; without one, a row is an insert.

use crate::config::TableSpec;
use crate::decode::columns::OP;
use crate::decode::flaw::Flaw;
use crate::dms::{Operation, Phase};

const KEYS_NEEDED: &str = "rows of the table are updated or deleted, so it needs keys: set `keys` \
    instead of append_only, and apply again, or dmslake rebuild TABLE if it is there already, while \
    everything since the load is staged";

const OP_IS_DATA: &str = "if `Op` is a column of the source, name it in `columns`, and apply again, \
    or dmslake rebuild TABLE if it is there already";

/// The operations that a table and a phase allow.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowRules {
    /// The table has no key by which a row could be updated or deleted.
    append_only: bool,
    /// The object is part of the full load, in which every row is an insert.
    full_load: bool,
}

impl RowRules {
    pub(super) fn new(table: &TableSpec, phase: &Phase) -> Self {
        Self { append_only: table.append_only, full_load: phase.is_full_load() }
    }

    /// The operation of a row, from the text of its `Op`; without `Op`, every row is an insert.
    pub(super) fn operation(self, text: Option<&[u8]>) -> Result<Operation, Flaw> {
        let Some(text) = text else { return Ok(Operation::Insert) };
        match Operation::parse(text) {
            Some(Operation::Insert) => Ok(Operation::Insert),
            Some(_) if self.full_load => Err(Flaw {
                remedy: Some(OP_IS_DATA.into()),
                ..Flaw::of(OP, "a full load holds inserts only")
            }),
            Some(_) if self.append_only => Err(Flaw {
                remedy: Some(KEYS_NEEDED.into()),
                ..Flaw::of(OP, "an append_only table takes inserts only")
            }),
            Some(operation) => Ok(operation),
            None => Err(Flaw::of(OP, "the operation is not I, U or D")),
        }
    }
}
