//! The arguments of `dmslake late`.

use clap::{Args, Subcommand};

use super::{ChosenArguments, ConfigurationArguments};

/// Show late objects, apply one out of its turn, or give it up.
///
/// A late object appeared below the table's progress: later changes are applied already. It holds
/// its table. A rebuild applies everything in order, if everything is still staged; `apply` and
/// `discard` are the two ways out if not.
#[derive(Args, Debug)]
#[command(verbatim_doc_comment, args_conflicts_with_subcommands = true)]
pub(in crate::cli) struct LateArguments {
    #[command(subcommand)]
    pub(in crate::cli) command: Option<LateCommand>,

    /// Only this table, spelled as `source` in the configuration.
    #[arg(value_name = "SCHEMA.TABLE")]
    table: Option<String>,

    #[command(flatten)]
    configuration: ConfigurationArguments,
}

impl LateArguments {
    /// The tables of which late objects are shown.
    pub(in crate::cli) fn chosen(&self) -> ChosenArguments {
        let tables = self.table.iter().cloned().collect();
        ChosenArguments { configuration: self.configuration.clone(), tables }
    }
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum LateCommand {
    /// Apply a late object now, over what is stored.
    ///
    /// Its changes replace rows that newer changes may have written: use it where you know that
    /// none has. The table's state object records it. What waits is applied afterwards.
    #[command(verbatim_doc_comment)]
    Apply(OneLateArguments),
    /// Give up the changes of a late object.
    ///
    /// The table lacks them until DMS loads it again. That is written down in the table's state
    /// object, and the object holds the table no more.
    #[command(verbatim_doc_comment)]
    Discard(OneLateArguments),
}

// No doc comment: clap would use it as the help text of the commands that have it.
#[derive(Args, Debug)]
pub(in crate::cli) struct OneLateArguments {
    /// The table, spelled as `source` in the configuration.
    #[arg(value_name = "SCHEMA.TABLE")]
    table: String,

    /// The object, spelled as `dmslake late` does: its path below the table's folder.
    #[arg(value_name = "OBJECT")]
    pub(in crate::cli) object: String,

    #[command(flatten)]
    configuration: ConfigurationArguments,

    /// Do not ask.
    #[arg(short, long)]
    pub(in crate::cli) yes: bool,
}

impl OneLateArguments {
    /// The table as a choice.
    pub(in crate::cli) fn chosen(&self) -> ChosenArguments {
        ChosenArguments {
            configuration: self.configuration.clone(),
            tables: vec![self.table.clone()],
        }
    }
}
