//! The command line around the pipeline.
//!
//! Standard output carries results, standard error everything else. Exit codes: 0 when all is
//! done, 1 when a table is held, failed or not caught up, 2 for bad usage or configuration.

mod apply;
mod args;
mod chosen;
mod configuration;
mod ddl;
mod demo;
mod exit;
mod help;
mod init;
mod logs;
mod maintain;
mod output;
mod progress_bar;
mod register;
mod run;
mod signals;

pub use help::command;
pub use run::main;
