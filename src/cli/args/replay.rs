//! The arguments of the commands that apply again what is staged, away from the table.

use std::convert::Infallible;
use std::path::PathBuf;

use clap::Args;

use super::inspect::OneTableArguments;
use crate::inspect::Until;

/// Apply again what is staged for a table, into a local folder. The table is not touched.
///
/// By the same code that applies tables everywhere, from the first object of the full load on, up
/// to an object, a version of the table or a time. The result is a Delta table below the folder,
/// which any reader opens. It is compared with the table itself, row by row, where a version of
/// that has taken in the same: differences mean that somebody else has changed rows, or that the
/// configuration or this program has changed since.
///
/// Everything must still be staged that is to be applied. Objects that are not, or are others now,
/// are named. What an operator decided about losses and late objects is not staged, and is told.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
#[command(after_help = "Examples:\n  dmslake replay shop.orders --into ./again\n  \
dmslake replay shop.orders --into ./again --until 41\n  \
dmslake replay shop.orders --into ./again --until 2026-03-01T10:00:00Z\n  \
dmslake replay shop.orders --into ./again --until 20260301-082221049.parquet --rows 73\n\n\
Exit codes: 0 all is applied, and equals the table where it was compared, 1 otherwise, 2 bad usage\n\
or configuration.")]
pub(in crate::cli) struct ReplayArguments {
    #[command(flatten)]
    pub(in crate::cli) table: OneTableArguments,

    /// The folder to create the table in. It must be new or empty.
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) into: PathBuf,

    /// The last object to apply, by its path below the table's folder; or a version of the table;
    /// or a time in UTC such as 2026-03-01T12:00:00Z. By default all that is staged is applied.
    #[arg(long, value_name = "OBJECT, VERSION or TIME", value_parser = until)]
    pub(in crate::cli) until: Option<Until>,

    /// Of the last object, apply only so many first rows.
    #[arg(long, value_name = "N", requires = "until")]
    pub(in crate::cli) rows: Option<u64>,

    /// Replace an earlier replay in that folder. Nothing else is ever removed.
    #[arg(short, long)]
    pub(in crate::cli) force: bool,

    /// Print one line of JSON.
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

fn until(text: &str) -> Result<Until, Infallible> {
    text.parse()
}

/// Find the change after which a check of a table fails: version, object and row.
///
/// The check is a query over the table, by its name at the source; it fails where the query returns
/// any row, and holds where it returns none. Versions are searched by time travel; then the objects
/// that the first bad one took in are applied again, up to row after row, to the version before. If
/// older versions are gone, what is staged is replayed from the beginning and searched instead.
/// The table is not touched. What is written goes to the temporary folder, and away in the end.
///
/// A version that lacks a column of the query counts as one where the check holds. If the check
/// fails, holds and fails again, one of the changes is found after which it fails. Names with
/// capitals or spaces need double quotes in the query.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
#[command(after_help = "Examples:\n  \
dmslake bisect shop.orders --check \"SELECT id FROM orders WHERE total < 0\"\n  \
dmslake bisect shop.orders --check \"SELECT id FROM orders GROUP BY id HAVING count(*) > 1\"\n  \
dmslake bisect shop.orders --check \"SELECT 1 FROM orders HAVING count(*) < 1000\" --json\n\n\
Exit codes: 0 a change was found, 1 none, 2 bad usage or configuration.")]
pub(in crate::cli) struct BisectArguments {
    #[command(flatten)]
    pub(in crate::cli) table: OneTableArguments,

    /// The query that must not return a row.
    #[arg(long, value_name = "SQL")]
    pub(in crate::cli) check: String,

    /// Print one line of JSON.
    #[arg(long)]
    pub(in crate::cli) json: bool,
}
