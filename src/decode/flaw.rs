//! What is wrong with one row, and the remedy.

use std::borrow::Cow;

use crate::decode::columns::Output;
use crate::decode::values::reading::Domain;
use crate::decode::values::text::Fault;

const NULL_IN_KEY: &str = "NULL in a key column";
const NULL_IN_REQUIRED: &str = "NULL in a column that is configured as not nullable";

const NOT_BOOLEAN: &str = "remove boolean = true from the column in `columns`, and apply again: \
    the table follows";

const EMPTY: &str = "if the endpoint writes NULL as empty text, set csv_null_value = \"\" in [dms]; \
    otherwise set on_bad_row = \"quarantine\", or fix the row at the source and stage the object \
    again";

const KEYLESS: &str = "if the source allows NULL there, the column is no key: name the columns of its \
    primary key in `keys`, and apply again, or dmslake rebuild TABLE if it is there already, while \
    everything since the load is staged; otherwise set on_bad_row = \"quarantine\", or fix the row \
    at the source and stage the object again";

const NULLABLE: &str = "if the source allows NULL there, remove nullable = false from the column in \
    `columns`; otherwise set on_bad_row = \"quarantine\", or fix the row at the source and stage the \
    object again";

/// What is wrong with one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Flaw {
    /// The source column at fault, if it is one column.
    pub(super) column: Option<String>,
    /// Why the row cannot be decoded, without its values.
    pub(super) reason: String,
    /// The remedy, if there is a better one than fixing the row.
    pub(super) remedy: Option<Cow<'static, str>>,
}

impl Flaw {
    /// A flaw of the row as a whole.
    pub(super) fn of_row(reason: impl Into<String>) -> Self {
        Self { column: None, reason: reason.into(), remedy: None }
    }

    /// A flaw in a source column.
    pub(super) fn of(column: &str, reason: impl Into<String>) -> Self {
        Self { column: Some(column.to_owned()), ..Self::of_row(reason) }
    }

    /// NULL in a key column.
    pub(super) fn null_in_key(column: &str) -> Self {
        Self { remedy: Some(KEYLESS.into()), ..Self::of(column, NULL_IN_KEY) }
    }

    /// NULL in a source column that is configured as not nullable.
    pub(super) fn null_in_required(column: &str) -> Self {
        Self { remedy: Some(NULLABLE.into()), ..Self::of(column, NULL_IN_REQUIRED) }
    }

    /// A CSV value that does not fit its column.
    pub(super) fn of_csv_value(output: &Output, fault: Fault) -> Self {
        let flaw = Self::of_value(output, fault);
        if fault == Fault::Empty { Self { remedy: Some(EMPTY.into()), ..flaw } } else { flaw }
    }

    /// A value that does not fit its column.
    pub(super) fn of_value(output: &Output, fault: Fault) -> Self {
        let reading = &output.reading;
        let may_be_retyped =
            !matches!(reading.domain, Domain::Date | Domain::Timestamp | Domain::Text { .. });
        let reason = || fault.reason(&reading.label);
        let (reason, remedy) = match fault {
            Fault::Unreadable | Fault::OutOfRange if reading.switched => {
                ("boolean = true takes 0 and 1 only".to_owned(), Some(NOT_BOOLEAN.into()))
            }
            Fault::Unreadable | Fault::Fraction | Fault::OutOfRange if may_be_retyped => {
                (reason(), Some(retyped(output, fault).into()))
            }
            _ => (reason(), None),
        };
        Self { remedy, ..Self::of(&output.source, reason) }
    }
}

/// The remedy for a value that another type may hold: which line tells the type.
fn retyped(output: &Output, fault: Fault) -> String {
    let (name, label) = (&output.source, &output.reading.label);
    let changed = if fault == Fault::OutOfRange { "widened" } else { "given another type" };
    let example = match output.reading.domain {
        Domain::Integer { .. } => " (say \"bigint\")",
        _ => "",
    };
    let remedy = if output.reading.is_locked {
        format!("run dmslake discover --mysql, which writes its new type for `{name}`")
    } else {
        format!("give its new type{example} in place of type = {label:?} of `{name}` in `columns`")
    };
    format!(
        "if the column was {changed} at the source, {remedy}, and apply again: the table follows if \
         no value can be lost; otherwise set on_bad_row = \"quarantine\", or fix the row at the \
         source and stage the object again"
    )
}
