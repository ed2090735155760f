//! From arguments to exit code.

use std::process::ExitCode;

use clap::Parser;

use super::args::{Arguments, Command};
use super::exit::Exit;
use super::output::Screen;
use super::{
    apply, ddl, demo, discover, help, history, init, job, late, logs, maintain, pause, rebuild,
    register, restore, status, truncate, verify,
};
use crate::error::{Error, ErrorKind, Result};

/// DataFusion plans recursively. Unoptimised builds need more than the default stack of a thread.
const STACK_BYTES: usize = 8 << 20;

/// Runs the command that this process was started with, and returns its exit code.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let screen = Screen::new();
    logs::start(arguments.verbose, &screen);
    let exit = run(arguments.command, &screen).unwrap_or_else(|error| {
        screen.complain(&error);
        if error.kind() == ErrorKind::Config { Exit::Usage } else { Exit::Attention }
    });
    exit.into()
}

fn run(command: Command, screen: &Screen) -> Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(STACK_BYTES)
        .build()
        .map_err(|error| {
            Error::new(ErrorKind::Unavailable, "the threads cannot be started").because(error)
        })?;
    runtime.block_on(async {
        match command {
            Command::Apply(arguments) => apply::run(&arguments, screen).await,
            Command::Status(arguments) => status::run(&arguments, screen).await,
            Command::History(arguments) => history::run(&arguments, screen).await,
            Command::Verify(arguments) => verify::run(&arguments, screen).await,
            Command::Job(arguments) => job::run(&arguments, screen).await,
            Command::Maintain(arguments) => maintain::run(&arguments, screen).await,
            Command::Pause(arguments) => pause::pause(&arguments, screen).await,
            Command::Resume(arguments) => pause::resume(&arguments, screen).await,
            Command::Rebuild(arguments) => rebuild::run(&arguments, screen).await,
            Command::Restore(arguments) => restore::run(&arguments, screen).await,
            Command::Truncate(arguments) => truncate::run(&arguments, screen).await,
            Command::Late(arguments) => late::run(&arguments, screen).await,
            Command::Init(arguments) => init::run(&arguments, screen).await,
            Command::Discover(arguments) => discover::run(&arguments, screen).await,
            Command::Demo(arguments) => demo::run(&arguments, screen).await,
            Command::Ddl(arguments) => ddl::run(&arguments, screen).await,
            Command::Register(arguments) => register::run(&arguments, screen).await,
            Command::Help(arguments) => help::run(&arguments, screen),
        }
    })
}
