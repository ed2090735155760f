//! The arguments of the commands about the command line itself, and for agents.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

/// Serve the commands that look to an agent, over the Model Context Protocol.
///
/// A client starts this command and talks to it over standard input and output. Its tools are
/// status, doctor, plan, history, show, query, diff, why, verify (against what is staged), bisect,
/// quarantine list, quarantine show and help. None of them changes a table.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
#[command(after_help = "Example of a client's configuration:\n  \
{\"mcpServers\": {\"lake\": {\"command\": \"dmslake\", \"args\": [\"mcp\", \"--config\", \
\"/etc/dmslake.toml\"]}}}")]
pub(in crate::cli) struct McpArguments {
    /// The configuration; paths without a scheme in it are relative to its folder.
    #[arg(short, long, value_name = "FILE", default_value = "dmslake.toml")]
    pub(in crate::cli) config: PathBuf,
}

/// Print the completions of a shell.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
#[command(
    after_help = "Examples:\n  dmslake completions bash > /etc/bash_completion.d/dmslake\n  \
dmslake completions zsh > ~/.zfunc/_dmslake\n  \
dmslake completions fish > ~/.config/fish/completions/dmslake.fish"
)]
pub(in crate::cli) struct CompletionsArguments {
    /// The shell.
    #[arg(value_enum)]
    pub(in crate::cli) shell: Shell,
}

/// Print the manual page of the program, or of one of its commands.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
#[command(after_help = "Examples:\n  dmslake man | man -l -\n  dmslake man status | man -l -\n  \
dmslake man --all /usr/local/share/man/man1")]
pub(in crate::cli) struct ManArguments {
    /// A command such as `status`.
    #[arg(value_name = "COMMAND")]
    pub(in crate::cli) name: Option<String>,

    /// Write the pages of the program and of all its commands into this folder.
    #[arg(long, value_name = "DIR", conflicts_with = "name")]
    pub(in crate::cli) all: Option<PathBuf>,
}

/// Print this message, the help of a command, or a topic of the guide.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(in crate::cli) struct HelpArguments {
    /// A command such as `apply`, or a topic such as `operations`.
    #[arg(value_name = "COMMAND or TOPIC")]
    pub(in crate::cli) name: Option<String>,
}
