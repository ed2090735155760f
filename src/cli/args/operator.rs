//! The arguments of the commands by which an operator tells what is to become of named tables.

use clap::{ArgGroup, Args};

use super::inspect::OneTableArguments;
use super::{AsOfArguments, NamedArguments};

/// Let tables wait: nothing is applied to them until `resume`.
///
/// Holds for every worker, the function included. `apply` reports a paused table as held and
/// says since when, and what is pending.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(in crate::cli) struct PauseArguments {
    #[command(flatten)]
    pub(in crate::cli) named: NamedArguments,

    /// Why, for whoever finds the table paused.
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) reason: Option<String>,
}

/// Let paused tables go on, let unusual objects pass, or give up changes that are lost.
///
/// If a table is held because an object has too many bad rows (max_bad_rows), or because its
/// changes would delete or update too much of the table (max_change_fraction), exactly the objects
/// that hold it may then pass, once.
///
/// Objects that vanish from staging before they are applied (a lifecycle rule, a TRUNCATE that
/// DMS handles, somebody who deletes them) hold their table, because it can no longer equal the
/// source. If they cannot be staged again and the table is not to be loaded again, --accept-loss
/// goes on without them.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(in crate::cli) struct ResumeArguments {
    #[command(flatten)]
    pub(in crate::cli) named: NamedArguments,

    /// Go on without the changes of objects that have vanished. They are named, and written down
    /// in the table's state object.
    #[arg(long)]
    pub(in crate::cli) accept_loss: bool,
}

/// Build tables anew from what is staged, and put them in place in one commit each.
///
/// First proves that everything is staged from which the table was made, and shows what will be
/// read. The new rows are built beside the table that readers see and replace it when they are
/// complete: history, time travel, properties and catalogue entry stay. May be interrupted: the
/// next `apply` or invocation of the function goes on with it.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(in crate::cli) struct RebuildArguments {
    #[command(flatten)]
    pub(in crate::cli) named: NamedArguments,

    /// Only show what would be done.
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,

    /// Give up a rebuild that is under way: the table goes on as it is.
    #[arg(long, conflicts_with_all = ["dry_run", "accept_loss"])]
    pub(in crate::cli) cancel: bool,

    /// Do not ask.
    #[arg(short, long)]
    pub(in crate::cli) yes: bool,

    /// Rebuild from what is staged even if that is not all. What is lost is named, and written
    /// down in the table's state object.
    #[arg(long)]
    pub(in crate::cli) accept_loss: bool,
}

/// Put tables back to an older version, with the progress that they had then.
///
/// The rows of the version come back in one commit on the same log, and so does the progress: what
/// was applied since is applied again from staging, by the next `apply` or invocation of the
/// function. What another writer has changed since is undone. Refused where files of the version
/// are deleted, or where objects that were applied since are no longer staged.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
#[command(group(ArgGroup::new("to").args(["version", "at"]).required(true)))]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(in crate::cli) struct RestoreArguments {
    #[command(flatten)]
    pub(in crate::cli) named: NamedArguments,

    #[command(flatten)]
    pub(in crate::cli) as_of: AsOfArguments,

    /// Put back the rows alone: what was applied since is not applied again.
    ///
    /// The table then differs from its source until DMS loads it again or it is rebuilt. That is
    /// written down in the table's state object.
    #[arg(long)]
    pub(in crate::cli) keep_progress: bool,

    /// Only show what would be done.
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,

    /// Pause the table first, so that nothing is applied again until `dmslake resume`.
    #[arg(long)]
    pub(in crate::cli) pause: bool,

    /// Do not ask.
    #[arg(short, long)]
    pub(in crate::cli) yes: bool,

    /// Go back even if objects that were applied since are no longer staged. They are named, and
    /// written down in the table's state object.
    #[arg(long)]
    pub(in crate::cli) accept_loss: bool,
}

/// Remove all rows of tables, in one commit each.
///
/// For a table that was truncated at the source: no change object shows that. What is staged and
/// not applied yet is applied onto the empty table, so apply first what was staged before the
/// TRUNCATE. Older versions stay readable. If in doubt, have DMS reload the table instead.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(in crate::cli) struct TruncateArguments {
    #[command(flatten)]
    pub(in crate::cli) named: NamedArguments,

    /// Do not ask.
    #[arg(short, long)]
    pub(in crate::cli) yes: bool,
}

/// Forget keys: their rows go from every version of a table that is kept, and from its quarantine.
///
/// Files that hold rows of the keys are written once more without them, and the commits and
/// checkpoints that name them are amended, so that time travel shows every other row as before. The
/// current rows go in a commit of their own. Then all files are opened and searched, and none has
/// the keys; with --yes also where nothing was found. Shows first what it finds, and what it does
/// not reach: staged objects, versions that a bucket keeps, copies. Delete the rows at the source
/// first: what it still has comes back with its next change.
///
/// May be interrupted at any time: run it again with the same keys, and it goes on; where it could
/// not say that it ended, an hour later.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
#[command(after_help = "Examples:\n  dmslake forget shop.customers 4711 --dry-run\n  \
dmslake forget shop.customers 4711 4712 --yes\n  \
dmslake forget shop.order_items order_id=4711,line=1 order_id=4711,line=2\n  \
dmslake forget shop.customers 4711 --yes --json | jq .proof\n\n\
Exit codes: 0 no file holds the keys, or only the plan was asked for; 1 left as it is, or\n\
refused; 2 bad usage.")]
pub(in crate::cli) struct ForgetArguments {
    #[command(flatten)]
    pub(in crate::cli) table: OneTableArguments,

    /// The keys: each the value of the key, or column=value,… of a key with several columns. Bytes are
    /// written in hexadecimal digits.
    #[arg(value_name = "KEY", required = true, allow_negative_numbers = true)]
    pub(in crate::cli) keys: Vec<String>,

    /// Only show what would be done.
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,

    /// Do not ask.
    #[arg(short, long)]
    pub(in crate::cli) yes: bool,

    /// Print one line of JSON: the report, or the plan if nothing is done.
    #[arg(long)]
    pub(in crate::cli) json: bool,
}
