//! The arguments of the commands that only look.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};

use super::{ChosenArguments, ConfigurationArguments};
use crate::table::AsOf;

/// Show how tables stand, and what to do next. Nothing is changed.
///
/// For each table: its state (ok, behind, held, paused, reloading, handed-over), why and since
/// when, the command to type next, how late it is, what is pending, rows and files, and which
/// maintenance is due. The worst comes first, totals come last. One table alone is shown in full.
///
/// How late a table is has three parts: from the commit at the source until the object was staged,
/// from then until it was in the table, and how old the newest commit is that the table has. The
/// last one is 0 while nothing is pending: an idle source is not late. The first and the last need
/// timestamp_column_name in [dms].
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
#[command(after_help = "Examples:\n  dmslake status\n  dmslake status shop.orders\n  \
dmslake status \"shop.*\" --json | jq 'select(.state != \"ok\")'\n  dmslake status --watch 10\n  \
dmslake status --metrics-file /var/lib/node_exporter/dmslake.prom\n\n\
Exit codes: 0 every table is ok, 1 one is not, 2 bad usage or configuration.")]
pub(in crate::cli) struct StatusArguments {
    #[command(flatten)]
    named: SomeTablesArguments,

    /// Print one line of JSON per table.
    #[arg(long)]
    pub(in crate::cli) json: bool,

    /// Show a line for each table, also where all is well with many.
    #[arg(short, long)]
    pub(in crate::cli) all: bool,

    /// Show it again every so many seconds, until Ctrl-C.
    #[arg(short, long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "5",
        value_parser = clap::value_parser!(u64).range(1..))]
    pub(in crate::cli) watch: Option<u64>,

    /// Write how the tables stand to a file, in the text format of Prometheus.
    ///
    /// Counters of `dmslake apply --metrics-file` with the same file stay in it.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) metrics_file: Option<PathBuf>,
}

impl StatusArguments {
    /// The tables to look at.
    pub(in crate::cli) fn chosen(&self) -> ChosenArguments {
        self.named.chosen()
    }
}

// No doc comment: clap would use it as the help text of the command that flattens it.
#[derive(Args, Debug)]
pub(in crate::cli) struct SomeTablesArguments {
    /// Only these tables, by their names at the source; * stands for any text.
    #[arg(value_name = "SCHEMA.TABLE")]
    tables: Vec<String>,

    #[command(flatten)]
    configuration: ConfigurationArguments,
}

impl SomeTablesArguments {
    /// The same as a choice of tables.
    pub(in crate::cli) fn chosen(&self) -> ChosenArguments {
        ChosenArguments { configuration: self.configuration.clone(), tables: self.tables.clone() }
    }

    /// Whether all tables of the configuration are meant.
    pub(super) fn are_all(&self) -> bool {
        self.tables.is_empty()
    }
}

// No doc comment, as above.
#[derive(Args, Debug)]
pub(in crate::cli) struct OneTableArguments {
    /// The table, by its name at the source.
    #[arg(value_name = "SCHEMA.TABLE")]
    table: String,

    #[command(flatten)]
    configuration: ConfigurationArguments,
}

impl OneTableArguments {
    /// The same as a choice of tables.
    pub(in crate::cli) fn chosen(&self) -> ChosenArguments {
        ChosenArguments {
            configuration: self.configuration.clone(),
            tables: vec![self.table.clone()],
        }
    }
}

// No doc comment, as above.
#[derive(Args, Clone, Copy, Debug)]
#[group(multiple = false)]
pub(in crate::cli) struct AsOfArguments {
    /// The table as of this version, which `dmslake history` shows.
    #[arg(long, value_name = "N")]
    version: Option<u64>,

    /// The table as of a time in UTC such as 2026-03-01T12:00:00Z: its newest version by then.
    #[arg(long, value_name = "TIME", value_parser = time)]
    at: Option<DateTime<Utc>>,
}

impl AsOfArguments {
    /// Which version is meant; none is the newest.
    pub(in crate::cli) fn as_of(self) -> Option<AsOf> {
        self.version.map(AsOf::Version).or(self.at.map(AsOf::Time))
    }
}

fn time(text: &str) -> Result<DateTime<Utc>, String> {
    let time = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc());
    time.map_err(|_| "not a time such as 2026-03-01T12:00:00Z".to_owned())
}

/// Show the commits of a table, the newest first: who, when, what, how much.
///
/// Reads the Delta log alone. Commits of other writers are shown with what they say of themselves.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
#[command(after_help = "Examples:\n  dmslake history shop.orders\n  \
dmslake history shop.orders --objects --limit 5\n  \
dmslake history shop.orders --limit 1000 --json | jq -r '[.version, .at, .inserted] | @tsv'")]
pub(in crate::cli) struct HistoryArguments {
    #[command(flatten)]
    pub(in crate::cli) table: OneTableArguments,

    /// Name the objects that each commit took in.
    #[arg(long)]
    pub(in crate::cli) objects: bool,

    /// Show at most so many commits.
    #[arg(short = 'n', long, value_name = "N", default_value = "20")]
    pub(in crate::cli) limit: NonZeroUsize,

    /// Print one line of JSON per commit.
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

/// Print rows of a table, now or as of an earlier version.
///
/// Rows come in no particular order. For joins, sums and sorting, see `dmslake query`.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
#[command(after_help = "Examples:\n  dmslake show shop.orders --limit 5\n  \
dmslake show shop.orders --where \"status = 'paid' AND total > 100\" --columns id,total\n  \
dmslake show shop.orders --at 2026-03-01T12:00:00Z --format csv > orders.csv\n  \
dmslake show shop.orders --version 41 --limit 0 --format parquet > orders.parquet")]
pub(in crate::cli) struct ShowArguments {
    #[command(flatten)]
    pub(in crate::cli) table: OneTableArguments,

    #[command(flatten)]
    pub(in crate::cli) as_of: AsOfArguments,

    /// Only rows for which this SQL condition is true.
    #[arg(long = "where", value_name = "SQL")]
    pub(in crate::cli) condition: Option<String>,

    /// Only these columns, separated by commas.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(in crate::cli) columns: Vec<String>,

    /// At most so many rows; 0 is all of them.
    #[arg(short = 'n', long, value_name = "N", default_value = "100")]
    pub(in crate::cli) limit: usize,

    #[command(flatten)]
    pub(in crate::cli) format: FormatArguments,
}

/// Run a SQL query over all tables, with time travel.
///
/// Tables go by their names at the source: shop.orders, or orders where no other schema has one.
/// An earlier version is shop."orders@v12" or orders@v12, orders VERSION AS OF 12, or orders
/// TIMESTAMP AS OF '2026-03-01T12:00:00Z' (also FOR VERSION, FOR TIMESTAMP, FOR SYSTEM_TIME AS OF).
/// The dialect is that of DataFusion: https://datafusion.apache.org/user-guide/sql/. Nothing can be
/// written.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
#[command(after_help = "Examples:\n  \
dmslake query \"SELECT status, count(*) FROM shop.orders GROUP BY status\"\n  \
dmslake query \"SELECT id FROM orders EXCEPT SELECT id FROM orders@v12\"\n  \
dmslake query \"SELECT * FROM orders FOR TIMESTAMP AS OF '2026-03-01T12:00:00Z' LIMIT 5\"\n  \
dmslake query --format csv - < report.sql")]
pub(in crate::cli) struct QueryArguments {
    /// The query; - reads it from standard input.
    #[arg(value_name = "SQL")]
    pub(in crate::cli) sql: String,

    #[command(flatten)]
    pub(in crate::cli) configuration: ConfigurationArguments,

    #[command(flatten)]
    pub(in crate::cli) format: FormatArguments,
}

// No doc comment, as above.
#[derive(Args, Clone, Copy, Debug)]
pub(in crate::cli) struct FormatArguments {
    /// How rows are printed.
    #[arg(short, long, value_enum, default_value = "table")]
    pub(in crate::cli) format: RowFormat,

    /// The same as --format json: one line of JSON per row.
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

impl FormatArguments {
    /// How rows are printed.
    pub(in crate::cli) fn chosen(self) -> RowFormat {
        if self.json { RowFormat::Json } else { self.format }
    }
}

/// How rows are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum RowFormat {
    /// For people: aligned columns, or one block a row where these are too wide.
    Table,
    /// With a header; NULL is empty, and empty text is quoted.
    Csv,
    /// One object a line; columns that are NULL are left out.
    Json,
    /// A Parquet file.
    Parquet,
}

/// Show what two versions of a table differ in: keys inserted, updated, deleted.
///
/// For an updated key: which columns have another value, before and after. Only data files that the
/// two versions do not share are read, so the cost follows what changed. Times are taken as well as
/// versions: the newest version by then.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
#[command(after_help = "Examples:\n  dmslake diff shop.orders --from 41 --to 42\n  \
dmslake diff shop.orders --from 2026-03-01T00:00:00Z --where \"status = 'paid'\"\n  \
dmslake diff shop.orders --from 41 --limit 0 --json | jq -r '.change' | sort | uniq -c")]
pub(in crate::cli) struct DiffArguments {
    #[command(flatten)]
    pub(in crate::cli) table: OneTableArguments,

    /// The version before.
    #[arg(long, value_name = "VERSION or TIME")]
    pub(in crate::cli) from: AsOf,

    /// The version after; by default the newest.
    #[arg(long, value_name = "VERSION or TIME")]
    pub(in crate::cli) to: Option<AsOf>,

    /// Only rows for which this SQL condition is true, before or after.
    #[arg(long = "where", value_name = "SQL")]
    pub(in crate::cli) condition: Option<String>,

    /// Show at most so many keys; all are counted. 0 shows all.
    #[arg(short = 'n', long, value_name = "N", default_value = "100")]
    pub(in crate::cli) limit: usize,

    /// Print one line of JSON per key.
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

/// Tell the life of a row: each version that touched it, and the changes that did.
///
/// For each version: who, when, which columns changed, and the rows of staged objects that did it,
/// as long as these are staged, with the changes that lost to a newer one of the same commit. Says
/// what can no longer be told, and what was read for it. Only data files that may have held the row
/// at that time are opened.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
#[command(after_help = "Examples:\n  dmslake why shop.orders 4711\n  \
dmslake why shop.order_items order_id=4711,line=2\n  \
dmslake why shop.orders 4711 --since 2026-03-01T00:00:00Z --json | jq '.events[].version'")]
pub(in crate::cli) struct WhyArguments {
    #[command(flatten)]
    pub(in crate::cli) table: OneTableArguments,

    /// The value of the key, or column=value,… of a key with several columns. Bytes are written in
    /// hexadecimal digits.
    #[arg(value_name = "KEY", allow_negative_numbers = true)]
    pub(in crate::cli) key: String,

    /// Look at no version before this one.
    #[arg(long, value_name = "VERSION or TIME")]
    pub(in crate::cli) since: Option<AsOf>,

    /// Print one line of JSON.
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

/// Write a report about the lake as one page of HTML that needs no network.
///
/// Tables with state, reason and the next command, lag, rows by operation over commits, sizes and
/// clustering of files, what waits, what is quarantined, and what the commits cost. It is readable
/// in light and dark, with the keyboard and by a screen reader.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
#[command(after_help = "Examples:\n  dmslake report --html lake.html\n  \
dmslake report --html orders.html shop.orders --commits 1000\n\n\
Exit codes: 0 every table is ok, 1 one is not (the report is written), 2 bad usage.")]
pub(in crate::cli) struct ReportArguments {
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) html: PathBuf,

    #[command(flatten)]
    named: SomeTablesArguments,

    /// Show so many of the newest commits of each table.
    #[arg(long, value_name = "N", default_value = "200")]
    pub(in crate::cli) commits: NonZeroUsize,
}

impl ReportArguments {
    /// The tables to look at.
    pub(in crate::cli) fn chosen(&self) -> ChosenArguments {
        self.named.chosen()
    }
}
