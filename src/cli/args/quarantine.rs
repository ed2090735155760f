//! The arguments of `dmslake quarantine`.

use clap::{ArgGroup, Args, Subcommand};
use std::num::{NonZeroU64, NonZeroUsize};

use super::inspect::{OneTableArguments, SomeTablesArguments};
use super::{ChosenArguments, ConfigurationArguments};
use crate::pipeline::{ChosenRows, Release, Repair};

/// Show rows that could not be decoded, let them come back, or give them up.
///
/// With on_bad_row = "quarantine" a row that cannot be decoded is set aside, and its table goes on
/// without it. Such rows wait until they are released or discarded.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
#[command(after_help = "Examples:\n  dmslake quarantine list\n  \
dmslake quarantine show shop.orders --limit 5\n  \
dmslake quarantine release shop.orders --all\n  \
dmslake quarantine release shop.orders --object 20260301-082221049.csv --row 7 --set price=3.50\n  \
dmslake quarantine discard shop.orders --object 20260301-082221049.csv")]
pub(in crate::cli) struct QuarantineArguments {
    #[command(subcommand)]
    pub(in crate::cli) command: QuarantineCommand,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum QuarantineCommand {
    /// Show how many rows wait, and why.
    List(ListArguments),
    /// Show the rows themselves, as they were staged. This prints values of rows.
    #[command(verbatim_doc_comment)]
    Show(QuarantinedArguments),
    /// Let rows come back into their table, in order.
    ///
    /// Each is decoded again under the present configuration, with what --set repairs. It comes to
    /// its place among the changes of its row: where a newer change of the same key was applied, it
    /// changes nothing. What still cannot be decoded goes on waiting, and so does a row of which it
    /// cannot be told whether a newer change was applied, because objects are no longer staged.
    #[command(verbatim_doc_comment)]
    Release(ReleaseArguments),
    /// Give rows up.
    ///
    /// The table lacks them until their rows are changed again at the source, or DMS loads it
    /// again. That is written down in the table's state object.
    #[command(verbatim_doc_comment)]
    Discard(DiscardArguments),
}

// No doc comment: clap would use it as the help text of the command that has it.
#[derive(Args, Debug)]
pub(in crate::cli) struct ListArguments {
    #[command(flatten)]
    pub(in crate::cli) named: SomeTablesArguments,

    /// Print one line of JSON per table.
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

// No doc comment, as above.
#[derive(Args, Debug)]
pub(in crate::cli) struct QuarantinedArguments {
    #[command(flatten)]
    pub(in crate::cli) table: OneTableArguments,

    /// Only rows of this object, by its path below the table's folder.
    #[arg(long, value_name = "OBJECT")]
    object: Option<String>,

    /// Only the row of this number in the object, from 1.
    #[arg(long, value_name = "N", requires = "object")]
    row: Option<NonZeroU64>,

    /// Show at most so many rows.
    #[arg(short = 'n', long, value_name = "N", default_value = "20")]
    pub(in crate::cli) limit: NonZeroUsize,

    /// Print one line of JSON per row.
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

impl QuarantinedArguments {
    pub(in crate::cli) fn rows(&self) -> ChosenRows {
        chosen(self.object.as_ref(), self.row)
    }
}

// No doc comment, as above.
#[derive(Args, Debug)]
#[command(group(ArgGroup::new("which").args(["all", "object"]).required(true)))]
pub(in crate::cli) struct WhichArguments {
    /// The table, by its name at the source.
    #[arg(value_name = "SCHEMA.TABLE")]
    table: String,

    /// All rows in its quarantine.
    #[arg(long)]
    all: bool,

    /// The rows of this object, by its path below the table's folder.
    #[arg(long, value_name = "OBJECT")]
    object: Option<String>,

    /// Only the row of this number in the object, from 1.
    #[arg(long, value_name = "N", requires = "object")]
    row: Option<NonZeroU64>,

    #[command(flatten)]
    configuration: ConfigurationArguments,

    /// Do not ask.
    #[arg(short, long)]
    pub(in crate::cli) yes: bool,
}

impl WhichArguments {
    /// The table as a choice.
    pub(in crate::cli) fn chosen(&self) -> ChosenArguments {
        ChosenArguments {
            configuration: self.configuration.clone(),
            tables: vec![self.table.clone()],
        }
    }

    pub(in crate::cli) fn rows(&self) -> ChosenRows {
        chosen(self.object.as_ref(), self.row)
    }
}

// No doc comment, as above.
#[derive(Args, Debug)]
pub(in crate::cli) struct ReleaseArguments {
    #[command(flatten)]
    pub(in crate::cli) which: WhichArguments,

    /// Give a column of the source another value in each of the rows, spelled as in CSV. A rebuild
    /// does not know of it.
    #[arg(long = "set", value_name = "COLUMN=VALUE", value_parser = assignment)]
    set: Vec<Repair>,

    /// Make a column of the source NULL in each of the rows.
    #[arg(long = "set-null", value_name = "COLUMN")]
    set_null: Vec<String>,

    /// Apply also those rows of which it cannot be told whether a newer change of the same key was
    /// applied. They are applied over whatever is there: a newer change is then undone.
    #[arg(long)]
    pub(in crate::cli) over: bool,

    /// Only show what would be done.
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
}

impl ReleaseArguments {
    pub(in crate::cli) fn release(&self) -> Release {
        let nulls = self.set_null.iter().map(|column| (column.clone(), None));
        let repairs = self.set.iter().cloned().chain(nulls).collect();
        Release { rows: self.which.rows(), repairs, over: self.over }
    }
}

// No doc comment, as above.
#[derive(Args, Debug)]
pub(in crate::cli) struct DiscardArguments {
    #[command(flatten)]
    pub(in crate::cli) which: WhichArguments,
}

fn assignment(text: &str) -> Result<Repair, String> {
    match text.split_once('=') {
        Some((column, value)) if !column.is_empty() => {
            Ok((column.to_owned(), Some(value.to_owned())))
        }
        _ => Err("write it as column=value".to_owned()),
    }
}

fn chosen(object: Option<&String>, row: Option<NonZeroU64>) -> ChosenRows {
    match (object.cloned(), row) {
        (None, _) => ChosenRows::All,
        (Some(object), None) => ChosenRows::OfObject(object),
        (Some(object), Some(row)) => ChosenRows::Row(object, row.get()),
    }
}
