//! The configuration of a command, and another place for its tables.

use std::path::PathBuf;

use clap::Args;

// No doc comment: clap would use it as the help text of the command that flattens it.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct ConfigurationArguments {
    /// The configuration; paths without a scheme in it are relative to its folder.
    #[arg(short, long, value_name = "FILE", default_value = "dmslake.toml")]
    pub(in crate::cli) config: PathBuf,

    /// Tables in this place instead of the configuration's lake, to try it beside what is there.
    ///
    /// A whole lake of its own, with its own progress: nothing is written into the configuration's
    /// lake, into AWS Glue or to a job. Name the same place to look at it. To switch, make it the
    /// configuration's lake.
    #[arg(long, value_name = "URI", verbatim_doc_comment)]
    pub(in crate::cli) shadow: Option<String>,
}
