//! The arguments of `dmslake verify`.

use std::num::NonZeroU64;
use std::path::PathBuf;

use clap::Args;

use super::inspect::OneTableArguments;

/// Compare a table with its source, row by row: with MySQL itself, or with what is staged.
///
/// With --mysql, rows are counted and checksums compared by key range, the source's in one
/// consistent snapshot; ranges that differ are narrowed to their keys. The source may change
/// meanwhile: a key counts as different only if it is still different once all that was committed
/// before can have been applied. The user of the URL needs SELECT on the table; without a password
/// in it, MYSQL_PWD is used.
///
/// Without --mysql, everything that the table has taken in is read again from staging and replayed
/// into memory, object by object. What is no longer staged cannot be replayed: that is said.
///
/// Nothing is changed, at the source nor in the lake, unless --apply is given.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
#[command(after_help = "Examples:\n  dmslake verify shop.orders\n  \
dmslake verify shop.orders --mysql mysql://reader@db.example.com:3306\n  \
dmslake verify shop.orders --mysql mysql://reader@db.example.com:3306 \\\n    \
--rows-per-second 20000 --resume orders.verify\n  \
dmslake verify shop.orders --at-object 20260301-120000000.csv --json\n\n\
Exit codes: 0 all that was compared is equal, 1 something differs or could not be decided,\n\
2 bad usage or configuration.")]
pub(in crate::cli) struct VerifyArguments {
    #[command(flatten)]
    pub(in crate::cli) table: OneTableArguments,

    /// Compare with this server: mysql://USER:PASSWORD@HOST:3306
    #[arg(long, value_name = "URL")]
    pub(in crate::cli) mysql: Option<String>,

    /// Compare the newest version that took in this object, by its path below the table's folder.
    ///
    /// With --mysql, nothing that comes later is taken into account: whatever the source has changed
    /// since then counts as different.
    #[arg(long, value_name = "OBJECT")]
    pub(in crate::cli) at_object: Option<String>,

    /// Read at most so many rows a second from the source.
    #[arg(long, value_name = "N", requires = "mysql")]
    pub(in crate::cli) rows_per_second: Option<NonZeroU64>,

    /// How long a change may take from its commit at the source until it is staged.
    ///
    /// So long keys that differ are looked at again. Where commit times of changes tell that the
    /// lake is further than that (timestamp_column_name in [dms]), it takes less.
    #[arg(long, value_name = "SECONDS", default_value = "300", requires = "mysql")]
    pub(in crate::cli) wait: u64,

    /// Apply what is pending, instead of waiting until others do.
    #[arg(long, requires = "mysql", conflicts_with = "at_object")]
    pub(in crate::cli) apply: bool,

    /// Keep in this file how far the source was read, and go on there.
    ///
    /// It is removed at the end, and holds keys of the table.
    #[arg(long, value_name = "FILE", requires = "mysql")]
    pub(in crate::cli) resume: Option<PathBuf>,

    /// List at most so many keys that differ.
    #[arg(short = 'n', long, value_name = "N", default_value = "20")]
    pub(in crate::cli) limit: usize,

    /// Print one line of JSON.
    #[arg(long)]
    pub(in crate::cli) json: bool,
}
