//! The arguments of `dmslake doctor`.

use clap::Args;

use super::ChosenArguments;
use super::inspect::SomeTablesArguments;
use crate::inspect::doctor::Reader;

/// Check whether it can work, and say what to do where it cannot. Nothing is changed.
///
/// Credentials and places; whether the store honours conditional writes (--write-probe); clocks;
/// what is staged against what is configured; the newest objects, decoded with the settings of
/// [dms]; keys that are there twice; which readers know the tables' protocol; entries in AWS Glue
/// and manifests; notifications and queues; what deletes objects by age; tables that have stopped
/// getting objects. The worst comes first, each with the command to type next. What could not be
/// checked is named and never counts as fine.
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[command(verbatim_doc_comment)]
#[command(after_help = "Examples:\n  dmslake doctor\n  dmslake doctor --write-probe\n  \
dmslake doctor \"shop.*\" --readers athena,redshift\n  \
dmslake doctor --json | jq 'select(.severity == \"problem\")'\n\n\
Exit codes: 0 no problem was found, 1 one was, 2 bad usage or configuration.")]
pub(in crate::cli) struct DoctorArguments {
    #[command(flatten)]
    named: SomeTablesArguments,

    /// Readers that must be able to read the tables, separated by commas.
    ///
    /// A table that one of them cannot read is a problem then; without this it is a note.
    #[arg(long, value_enum, value_name = "NAMES", value_delimiter = ',')]
    pub(in crate::cli) readers: Vec<Reader>,

    /// Look for keys that are there twice in tables of at most so many rows.
    ///
    /// Their key columns are read whole, in the memory of memory_budget; 0 reads none.
    #[arg(long, value_name = "N", default_value = "2000000")]
    pub(in crate::cli) key_rows: u64,

    /// Write one object into the lake, to see whether its store honours conditional writes.
    ///
    /// Eight writers create <lake>/_dmslake/doctor/<id> at once, of which one may succeed; then it
    /// is deleted. Asks before it does so.
    #[arg(long, verbatim_doc_comment)]
    pub(in crate::cli) write_probe: bool,

    /// Do not ask before --write-probe.
    #[arg(short, long, requires = "write_probe")]
    pub(in crate::cli) yes: bool,

    /// List every table also where all is well.
    #[arg(short, long)]
    pub(in crate::cli) all: bool,

    /// Print one line of JSON per finding.
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

impl DoctorArguments {
    /// The tables to look at.
    pub(in crate::cli) fn chosen(&self) -> ChosenArguments {
        self.named.chosen()
    }

    /// Whether all tables are looked at, and what is staged beside them.
    pub(in crate::cli) fn is_whole(&self) -> bool {
        self.named.are_all()
    }
}
