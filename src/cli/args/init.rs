//! `dmslake init` and `dmslake discover`: the configuration and its lock file.

use std::path::PathBuf;

use clap::Args;

/// Write a first configuration from what is staged.
///
/// Looks at the table folders in staging, takes columns and types from Parquet where it can, and
/// writes a commented dmslake.toml. It reads objects only as far as needed for their column names
/// and counts. With --mysql, keys and exact column types come from the source itself; with
/// --table-mappings, also the columns that rules add. CSV without a header needs both, or columns
/// written by hand.
///
/// With --dms-task, or the two files that describe a task, it also says which settings of the task
/// lose changes, and prints the commands that set them.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(in crate::cli) struct InitArguments {
    /// The DMS bucket folder: s3://bucket/prefix, file:///folder or a path.
    ///
    /// By default that of the endpoint, if its settings are known.
    #[arg(long, value_name = "URI")]
    pub(in crate::cli) staging: Option<String>,

    /// Where the tables go, as <LAKE>/<schema>/<table>.
    #[arg(long, value_name = "URI")]
    pub(in crate::cli) lake: String,

    /// Where to write the configuration (- for standard output).
    #[arg(short, long, value_name = "FILE", default_value = "dmslake.toml")]
    pub(in crate::cli) output: PathBuf,

    /// Replace the output file if it exists.
    #[arg(short, long)]
    pub(in crate::cli) force: bool,

    /// The MySQL or MariaDB source, as mysql://user:password@host:3306/schema.
    ///
    /// Only information_schema is read. Without a password in the URL, MYSQL_PWD is used.
    /// TLS: add ?require_ssl=true, and verify_ca=false or verify_identity=false where the
    /// server's certificate is not publicly signed. If nothing is staged yet, all tables of the
    /// URL's schema (or of all schemas, if it has none) are written, limited to those that
    /// --table-mappings select. With --table-mappings, tables that are empty at the source are
    /// written beside staged ones too.
    #[arg(long, value_name = "URL", verbatim_doc_comment)]
    pub(in crate::cli) mysql: Option<String>,

    /// The DMS task, or the serverless replication, that runs already.
    ///
    /// Asks AWS for its rules, its settings and its target endpoint, and changes nothing there:
    /// instead of --endpoint-settings and --table-mappings. Needs dms:DescribeReplicationTasks
    /// (serverless: dms:DescribeReplicationConfigs) and dms:DescribeEndpoints.
    #[arg(
        long,
        value_name = "ARN",
        verbatim_doc_comment,
        conflicts_with_all = ["endpoint_settings", "table_mappings"]
    )]
    pub(in crate::cli) dms_task: Option<String>,

    /// Where to write the variables for infra/ and its module `writer` too, as terraform.tfvars.
    ///
    /// With --dms-task they are written beside the configuration by default.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) tfvars: Option<PathBuf>,

    /// The output of `aws dms describe-endpoints`, which becomes the [dms] section.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) endpoint_settings: Option<PathBuf>,

    /// The DMS task's table mappings: which tables, and the columns that rules add to them.
    ///
    /// Either the output of `aws dms describe-replication-tasks` (serverless:
    /// describe-replication-configs) for one task, or the JSON of its rules. Change sequence,
    /// before images and other added columns are written. Where the effect of a rule is not
    /// clear, it is marked with CHECK. For a task without full load (cdc), cdc_only = true is
    /// written.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) table_mappings: Option<PathBuf>,

    /// Write one pattern for each schema instead of each table, and the tables into a lock file.
    ///
    /// The lock file stands beside the configuration and ends in .lock. `dmslake discover` writes
    /// it anew. Tables of which something is still to be filled in are written as well.
    #[arg(long)]
    pub(in crate::cli) lock: bool,
}

/// Write the lock file: which tables the patterns of the configuration stand for.
///
/// Looks at the table folders in staging, and takes in the tables that a pattern such as
/// source = "shop.*" matches, with their keys and columns as far as they can be known. With --mysql
/// these come from the source itself. What is known already stays, unless the source says
/// otherwise; no table is left out unasked. A table is added only if the configuration is valid
/// with it; otherwise it is said what is missing. Prints what changes.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(in crate::cli) struct DiscoverArguments {
    /// The configuration; the lock file stands beside it and ends in .lock.
    #[arg(short, long, value_name = "FILE", default_value = "dmslake.toml")]
    pub(in crate::cli) config: PathBuf,

    /// The MySQL or MariaDB source, as for `dmslake init`.
    #[arg(long, value_name = "URL")]
    pub(in crate::cli) mysql: Option<String>,

    /// The DMS task's table mappings, as for `dmslake init`: columns that rules add, and tables
    /// that are empty at the source.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) table_mappings: Option<PathBuf>,

    /// Leave out tables that the source does not have any more and of which nothing is staged.
    #[arg(long, requires = "mysql")]
    pub(in crate::cli) prune: bool,

    /// Only show what would change; exit code 1 if something would.
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
}
