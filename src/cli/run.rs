//! From arguments to exit code.

use std::process::ExitCode;

use clap::Parser;

use super::args::{Arguments, Command};
use super::exit::Exit;
use super::output::Screen;
use super::{
    apply, bisect, ddl, demo, diff, discover, doctor, forget, help, history, init, job, late, logs,
    maintain, manual, mcp, pause, plan, quarantine, query, rebuild, register, replay, report,
    restore, show, status, truncate, verify, why,
};
use crate::error::{Error, ErrorKind, Result};

/// DataFusion plans recursively. Unoptimised builds need more than the default stack of a thread.
const STACK_BYTES: usize = 8 << 20;

/// Runs the command that this process was started with, and returns its exit code.
pub fn main() -> ExitCode {
    // Before the arguments are known: they may be what is wrong.
    let is_for_agent = std::env::var("DMSLAKE_AGENT").is_ok_and(|value| value == "1")
        || std::env::args_os().any(|argument| argument == "--agent");
    let screen = Screen::new(is_for_agent);
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        // Help and version are no errors.
        Err(told) if !told.use_stderr() || !is_for_agent => told.exit(),
        Err(misused) => {
            screen.complain(&Error::new(ErrorKind::Config, misused.to_string().trim_end()));
            return Exit::Usage.into();
        }
    };
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
            Command::Plan(arguments) => plan::run(&arguments, screen).await,
            Command::Status(arguments) => status::run(&arguments, screen).await,
            Command::Doctor(arguments) => doctor::run(&arguments, screen).await,
            Command::History(arguments) => history::run(&arguments, screen).await,
            Command::Verify(arguments) => verify::run(&arguments, screen).await,
            Command::Replay(arguments) => replay::run(&arguments, screen).await,
            Command::Bisect(arguments) => bisect::run(&arguments, screen).await,
            Command::Diff(arguments) => diff::run(&arguments, screen).await,
            Command::Why(arguments) => why::run(&arguments, screen).await,
            Command::Report(arguments) => report::run(&arguments, screen).await,
            Command::Show(arguments) => show::run(&arguments, screen).await,
            Command::Query(arguments) => query::run(&arguments, screen).await,
            Command::Job(arguments) => job::run(&arguments, screen).await,
            Command::Maintain(arguments) => maintain::run(&arguments, screen).await,
            Command::Pause(arguments) => pause::pause(&arguments, screen).await,
            Command::Resume(arguments) => pause::resume(&arguments, screen).await,
            Command::Rebuild(arguments) => rebuild::run(&arguments, screen).await,
            Command::Restore(arguments) => restore::run(&arguments, screen).await,
            Command::Forget(arguments) => forget::run(&arguments, screen).await,
            Command::Truncate(arguments) => truncate::run(&arguments, screen).await,
            Command::Late(arguments) => Box::pin(late::run(&arguments, screen)).await,
            Command::Quarantine(arguments) => quarantine::run(&arguments, screen).await,
            Command::Init(arguments) => init::run(&arguments, screen).await,
            Command::Discover(arguments) => discover::run(&arguments, screen).await,
            Command::Demo(arguments) => demo::run(&arguments, screen).await,
            Command::Ddl(arguments) => ddl::run(&arguments, screen).await,
            Command::Register(arguments) => register::run(&arguments, screen).await,
            Command::Mcp(arguments) => mcp::run(&arguments, screen).await,
            Command::Completions(arguments) => manual::completions(&arguments, screen),
            Command::Man(arguments) => manual::man(&arguments, screen),
            Command::Help(arguments) => help::run(&arguments, screen),
        }
    })
}
