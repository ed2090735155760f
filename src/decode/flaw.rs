//! What is wrong with one row, and what helps.

use crate::decode::columns::Output;
use crate::decode::values::reading::Domain;
use crate::decode::values::text::Fault;

const NOT_BOOLEAN: &str = "remove boolean = true from the column in `columns`; if the table is \
    there already, move its folder away too; then apply again, while everything since the load is \
    staged";

const RETYPED: &str = "if the column's type was changed at the source, give its new type in \
    `columns`, move the table folder away if there is one and apply again, while everything since \
    the load is staged; else set on_bad_row = \"quarantine\", or mend the row at the source and \
    stage the object again";

/// What is wrong with one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Flaw {
    /// The source column at fault, where one is.
    pub(super) column: Option<String>,
    /// Why the row cannot be decoded, without its values.
    pub(super) reason: String,
    /// What helps, where that is more than to mend the row.
    pub(super) remedy: Option<&'static str>,
}

impl Flaw {
    /// Of the row as a whole.
    pub(super) fn of_row(reason: impl Into<String>) -> Self {
        Self { column: None, reason: reason.into(), remedy: None }
    }

    /// Of a source column.
    pub(super) fn of(column: &str, reason: impl Into<String>) -> Self {
        Self { column: Some(column.to_owned()), ..Self::of_row(reason) }
    }

    /// Of a value that its column does not take.
    pub(super) fn of_value(output: &Output, fault: Fault) -> Self {
        let reading = &output.reading;
        let may_be_retyped =
            !matches!(reading.domain, Domain::Date | Domain::Timestamp | Domain::Text { .. });
        let (reason, remedy) = match fault {
            Fault::Unreadable | Fault::OutOfRange if reading.switched => {
                ("boolean = true takes 0 and 1 only".to_owned(), Some(NOT_BOOLEAN))
            }
            Fault::Unreadable | Fault::OutOfRange | Fault::Fraction if may_be_retyped => {
                (fault.reason(&reading.label), Some(RETYPED))
            }
            _ => (fault.reason(&reading.label), None),
        };
        Self { remedy, ..Self::of(&output.source, reason) }
    }
}
