//! `dmslake help`: prints the help of the program or of a command, or a page of the guide.

use std::io;

use clap::CommandFactory;

use super::args::{Arguments, HelpArguments};
use super::exit::Exit;
use super::output::Screen;
use crate::error::{Error, ErrorKind, Result};
use crate::nearest::nearest;

/// The pages of the guide, in the order of `dmslake help`.
const TOPICS: [(&str, &str); 9] = [
    ("configuration", include_str!("../guide/configuration.md")),
    ("operations", include_str!("../guide/operations.md")),
    ("inspecting", include_str!("../guide/inspecting.md")),
    ("merging", include_str!("../guide/merging.md")),
    ("readers", include_str!("../guide/readers.md")),
    ("function", include_str!("../guide/function.md")),
    ("jobs", include_str!("../guide/jobs.md")),
    ("limits", include_str!("../guide/limits.md")),
    ("formats", include_str!("../guide/formats.md")),
];

/// The command line as clap knows it, for tools that complete or check commands.
#[must_use]
pub fn command() -> clap::Command {
    Arguments::command()
}

/// Prints the requested help.
///
/// # Errors
/// `Config` for a name that is neither a command nor a topic, `Unavailable` if standard output
/// cannot be written.
pub(super) fn run(arguments: &HelpArguments, screen: &Screen) -> Result<Exit> {
    let mut program = command();
    // This gives the commands their full names, such as `dmslake apply`.
    program.build();
    let Some(name) = arguments.name.as_deref() else {
        return print(&mut program);
    };
    if let Some((_, page)) = TOPICS.iter().find(|(topic, _)| *topic == name) {
        screen.line(page.trim_end())?;
        return Ok(Exit::Done);
    }
    match program.find_subcommand_mut(name) {
        Some(command) => print(command),
        None => Err(unknown(name, &program)),
    }
}

fn print(command: &mut clap::Command) -> Result<Exit> {
    match command.print_long_help() {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let message = "standard output cannot be written";
            Err(Error::new(ErrorKind::Unavailable, message).because(error))
        }
        _ => Ok(Exit::Done),
    }
}

/// The error for a name that is neither a command nor a topic.
pub(super) fn unknown(name: &str, program: &clap::Command) -> Error {
    let commands: Vec<&str> = program.get_subcommands().map(clap::Command::get_name).collect();
    let topics: Vec<&str> = TOPICS.iter().map(|(topic, _)| *topic).collect();
    let all = [commands.as_slice(), topics.as_slice()].concat();
    // An abbreviated name may be far from the full one, and still be meant.
    let begins = all.iter().find(|known| known.starts_with(name));
    let meant = begins.or_else(|| nearest(name, &all));
    let meant = meant.map(|known| format!("did you mean {known}? ")).unwrap_or_default();
    let message = format!(
        "there is no command or topic `{name}`; {meant}commands: {}; topics: {}",
        commands.join(", "),
        topics.join(", ")
    );
    Error::new(ErrorKind::Config, message)
}
