//! `dmslake report`: a lake as one page of HTML.

mod chart;
mod cost;
mod page;

use std::fs;

use super::args::ReportArguments;
use super::chosen::{Chosen, Places};
use super::exit::Exit;
use super::output::{Screen, plural};
use super::progress_bar;
use crate::error::{Error, ErrorKind, Result};
use crate::inspect::{self, State};

/// Writes the page about the chosen tables.
///
/// # Errors
/// `Config` for a configuration, a table name or a file that cannot be used, `StoreRefused` if
/// staging or the lake cannot be used.
pub(super) async fn run(arguments: &ReportArguments, screen: &Screen) -> Result<Exit> {
    let chosen = Chosen::open(&arguments.chosen(), Places::LakeAndStaging, screen).await?;
    let bar = progress_bar::begin(screen, "{spinner} {msg}");
    bar.set_message(format!("looking at {}", plural(chosen.len() as u64, "table")));
    let commits = arguments.commits.get();
    let report = inspect::lake_report(&chosen.pipeline, chosen.tables(), commits).await;
    bar.finish_and_clear();
    let html = page::render(&report).into_string();
    fs::write(&arguments.html, html).map_err(|error| {
        Error::new(ErrorKind::Config, "the report cannot be written")
            .with("file", arguments.html.display())
            .because(error)
    })?;
    let wrong = report.tables.iter().filter(|page| page.status.state != State::Ok).count();
    screen.line(format_args!(
        "{}: {}, {} of them not ok",
        arguments.html.display(),
        plural(report.tables.len() as u64, "table"),
        wrong
    ))?;
    Ok(if wrong == 0 { Exit::Done } else { Exit::Attention })
}
