//! Which operations the rows of an object may carry, and what holds where there is none.

use crate::config::TableSpec;
use crate::decode::columns::OP;
use crate::decode::flaw::Flaw;
use crate::dms::{Operation, Phase};

const KEYS_NEEDED: &str = "rows of the table are updated or deleted, so that it needs keys: give \
    `keys` in place of append_only, move the table folder away if there is one, and apply again, \
    while everything since the load is staged";

const OP_IS_DATA: &str = "if `Op` is a column of the source, name it in `columns`, move the table \
    folder away if there is one, and apply again";

/// What a table and a phase allow as operations.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowRules {
    /// There is no key by which a row could be updated or deleted.
    append_only: bool,
    /// The object is one of the full load, in which every row is an insert.
    full_load: bool,
}

impl RowRules {
    pub(super) fn new(table: &TableSpec, phase: &Phase) -> Self {
        Self { append_only: table.append_only, full_load: matches!(phase, Phase::FullLoad { .. }) }
    }

    /// The operation of a row whose `Op` is this text; without `Op`, every row is an insert.
    pub(super) fn operation(self, text: Option<&[u8]>) -> Result<Operation, Flaw> {
        let Some(text) = text else { return Ok(Operation::Insert) };
        match Operation::parse(text) {
            Some(Operation::Insert) => Ok(Operation::Insert),
            Some(_) if self.full_load => Err(Flaw {
                remedy: Some(OP_IS_DATA),
                ..Flaw::of(OP, "a full load holds inserts only")
            }),
            Some(_) if self.append_only => Err(Flaw {
                remedy: Some(KEYS_NEEDED),
                ..Flaw::of(OP, "a table that is append_only takes inserts only")
            }),
            Some(operation) => Ok(operation),
            None => Err(Flaw::of(OP, "the operation is none of I, U and D")),
        }
    }
}
