//! Whether objects carry DMS's operation, and whether a column named `Op` is it. The configuration
//! decides; if it says nothing, the object's values do; if they do not either, the object is
//! refused.

use crate::decode::columns::{Expected, OP};
use crate::dms::{Operation, Phase, S3Settings};
use crate::error::{Error, Result};
use crate::staging::object_context::ObjectContext;

/// What the first values of a column named `Op` are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct OpValues {
    inserts: bool,
    changes: bool,
    others: bool,
}

impl OpValues {
    /// Takes in one value; `None` is NULL.
    pub(super) fn add(&mut self, value: Option<&[u8]>) {
        match value.map(Operation::parse) {
            None => {}
            Some(Some(Operation::Insert)) => self.inserts = true,
            Some(Some(Operation::Update | Operation::Delete)) => self.changes = true,
            Some(None) => self.others = true,
        }
    }
}

/// Whether DMS writes the operation into every object of a phase.
pub(super) fn is_always_there(phase: &Phase, dms: &S3Settings) -> bool {
    let is_change = matches!(phase, Phase::Cdc { .. });
    is_change && !dms.cdc_inserts_only && !dms.cdc_inserts_and_updates
}

/// Refuses an object of ongoing changes without operations, unless the endpoint leaves them out.
pub(super) fn check_there(
    has_operation: bool,
    phase: &Phase,
    dms: &S3Settings,
    context: &ObjectContext,
) -> Result<()> {
    if has_operation || !is_always_there(phase, dms) {
        return Ok(());
    }
    Err(context
        .refused(
            "the object holds ongoing changes without `Op`, which only \
             `cdc_inserts_only` or `cdc_inserts_and_updates` allow",
        )
        .with_remedy(
            "if the endpoint writes inserts only, set cdc_inserts_only = true in [dms]; if it \
             writes inserts and updates, set cdc_inserts_and_updates = true; otherwise DMS did not \
             write the object: move it out of staging, then dmslake resume TABLE --accept-loss",
        ))
}

/// Finds DMS's operation among the named columns of an object. `values` describes the first
/// column, if it can hold text.
///
/// # Errors
/// `SchemaRefused` if the first column is named `Op` and may be either the source's or DMS's.
pub(super) fn find(
    names: &[String],
    values: Option<OpValues>,
    expected: &Expected<'_>,
    phase: &Phase,
    context: &ObjectContext,
) -> Result<Option<usize>> {
    let (Some((first, rest)), Some(values)) = (names.split_first(), values) else {
        return Ok(None);
    };
    if first != OP {
        return Ok(None);
    }
    if rest.iter().any(|name| name == OP) {
        return Ok(Some(0));
    }
    let dms = expected.dms;
    let is_stored = expected.table.store.iter().any(|stored| stored == OP);
    let is_configured = !is_stored && expected.spec(OP).is_some();
    let is_in_lake = !is_stored && expected.lake_type(OP).is_some();
    if is_always_there(phase, dms) {
        return if is_configured { Err(one_for_two(true, context)) } else { Ok(Some(0)) };
    }
    match dms.include_op_for_full_load {
        Some(true) if is_configured => Err(one_for_two(false, context)),
        Some(true) => Ok(Some(0)),
        Some(false) => Ok(None),
        None if is_configured || is_in_lake || values.others => Ok(None),
        // A full load holds inserts only.
        None if values.changes && phase.is_full_load() => Ok(None),
        None if values.inserts || values.changes => Ok(Some(0)),
        None => Err(context
            .refused(
                "the first column is `Op` and holds only NULL: it is either a column of the source, \
                 or DMS's operation without its values",
            )
            .with_remedy(
                "if it is a column of the source, name it in `columns`; otherwise reload the table \
                 in DMS",
            )),
    }
}

fn one_for_two(is_change: bool, context: &ObjectContext) -> Error {
    let without = if is_change {
        "if the endpoint writes inserts (and updates) only, set cdc_inserts_only or \
         cdc_inserts_and_updates = true in [dms]"
    } else {
        "if DMS writes no operation into a full load, set include_op_for_full_load = false in [dms]"
    };
    context
        .refused(
            "the object has one column `Op` where two are configured, DMS's and the source's: \
             either it is DMS's operation and the source's column was dropped, or it is the \
             source's and the rows carry no operation",
        )
        .with_remedy(format!(
            "if the source's column was dropped, take `Op` out of `columns`; {without}"
        ))
}
