//! Which operations the rows of an object may carry, and what holds where there is none.

use crate::config::TableSpec;
use crate::dms::{Operation, Phase, S3Settings};
use crate::error::Result;
use crate::source::columns::OP;
use crate::source::subject::Subject;

/// Why a row cannot be decoded: the source column at fault, where one is, and the reason.
pub(super) type Flaw = (Option<String>, String);

/// What a table and an endpoint allow as operations.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowRules {
    /// There is no key by which a row could be updated or deleted.
    append_only: bool,
    /// The endpoint may write ongoing changes without operation: inserts and updates only.
    cdc_without_operation: bool,
}

impl RowRules {
    pub(super) fn new(table: &TableSpec, dms: &S3Settings) -> Self {
        Self {
            append_only: table.append_only,
            cdc_without_operation: dms.cdc_inserts_only || dms.cdc_inserts_and_updates,
        }
    }

    /// Refuses an object of ongoing changes that does not say which they are.
    pub(super) fn check(self, has_operation: bool, phase: &Phase, subject: &Subject) -> Result<()> {
        if has_operation || self.cdc_without_operation || matches!(phase, Phase::FullLoad { .. }) {
            return Ok(());
        }
        Err(subject.refused(
            "the object holds ongoing changes without `Op`, which only \
             `cdc_inserts_only` or `cdc_inserts_and_updates` allow",
        ))
    }

    /// The operation of a row whose `Op` is this text; without `Op`, every row is an insert.
    pub(super) fn operation(self, text: Option<&[u8]>) -> Result<Operation, Flaw> {
        let Some(text) = text else { return Ok(Operation::Insert) };
        let flaw = |reason: &str| Err((Some(OP.to_owned()), reason.to_owned()));
        match Operation::parse(text) {
            Some(Operation::Insert) => Ok(Operation::Insert),
            Some(_) if self.append_only => flaw("a table that is append_only takes inserts only"),
            Some(operation) => Ok(operation),
            None => flaw("the operation is none of I, U and D"),
        }
    }
}
