//! The command line around the pipeline.
//!
//! Results go to standard output, everything else to standard error. Exit codes: 0 when everything
//! is done, 1 when a table is held, failed or not caught up, 2 for bad usage or configuration.
//!
//! To add a command: declare its arguments in `args`, write a module for it, and call that in
//! `run`. A command that works on tables says only what it does for one of them; the loop is
//! `chosen::Chosen::each`.

mod apply;
mod args;
mod bisect;
mod chosen;
mod configuration;
mod ddl;
mod demo;
mod diff;
mod discover;
mod doctor;
mod exit;
mod forget;
mod help;
mod history;
mod init;
mod job;
mod late;
mod logs;
mod maintain;
mod manual;
mod mcp;
mod metrics;
mod output;
mod pause;
mod plan;
mod progress_bar;
mod quarantine;
mod query;
mod rebuild;
mod register;
mod replay;
mod report;
mod restore;
mod rows;
mod run;
mod show;
mod signals;
mod status;
mod truncate;
mod verify;
mod why;

pub use help::command;
pub use run::main;
