//! `dmslake completions` and `dmslake man`: what shells and `man` read.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use clap_mangen::Man;

use super::args::{CompletionsArguments, ManArguments};
use super::exit::Exit;
use super::help::{command, unknown};
use super::output::Screen;
use crate::error::{Error, ErrorKind, Result};

const NAME: &str = "dmslake";

/// Prints the completions of a shell.
///
/// # Errors
/// `Unavailable` if standard output cannot be written.
pub(super) fn completions(arguments: &CompletionsArguments, screen: &Screen) -> Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command(), NAME, &mut script);
    print(&script, screen)
}

/// Prints a manual page, or writes all of them into a folder.
///
/// # Errors
/// `Config` if there is no such command or folder, `Unavailable` if standard output cannot be
/// written.
pub(super) fn man(arguments: &ManArguments, screen: &Screen) -> Result<Exit> {
    let mut program = command();
    program.build();
    if let Some(folder) = &arguments.all {
        return write_all(&program, folder, screen);
    }
    let page = match arguments.name.as_deref() {
        None => Man::new(program),
        Some(name) => match program.find_subcommand(name) {
            Some(found) => Man::new(found.clone()),
            None => return Err(unknown(name, &program)),
        },
    };
    print(&rendered(&page)?, screen)
}

fn write_all(program: &clap::Command, folder: &Path, screen: &Screen) -> Result<Exit> {
    let mut pages = vec![(NAME.to_owned(), Man::new(program.clone()))];
    for found in program.get_subcommands() {
        pages.push((format!("{NAME}-{}", found.get_name()), Man::new(found.clone())));
    }
    for (name, page) in &pages {
        let path = folder.join(format!("{name}.1"));
        fs::write(&path, rendered(page)?).map_err(|error| {
            Error::new(ErrorKind::Config, "a manual page cannot be written")
                .with("file", path.display())
                .because(error)
        })?;
    }
    screen.note(format_args!("{} pages are written", pages.len()));
    Ok(Exit::Done)
}

fn rendered(page: &Man) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    page.render(&mut text).map_err(|error| {
        Error::new(ErrorKind::Internal, "a manual page cannot be made").because(error)
    })?;
    Ok(text)
}

fn print(text: &[u8], screen: &Screen) -> Result<Exit> {
    let mut written = Ok(());
    screen.above_progress(|| written = io::stdout().write_all(text));
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let message = "standard output cannot be written";
            Err(Error::new(ErrorKind::Unavailable, message).because(error))
        }
        _ => Ok(Exit::Done),
    }
}
