//! `dmslake init`: a first configuration from what is staged, and from the source if it may be
//! asked.

mod csv;
mod mysql;
mod parquet;
mod propose;
mod render;
mod survey;

use std::io::{ErrorKind as IoErrorKind, Write};
use std::path::Path;

use super::args::InitArguments;
use super::configuration;
use super::output::{Screen, plural};
use super::run::Exit;
use crate::config::EndpointSettings;
use crate::dms::S3Settings;
use crate::error::{Error, ErrorKind, Result};
use crate::storage::Location;
use propose::Proposal;
use render::{Draft, render};
use survey::survey;

/// Writes the configuration and says on standard error what is left to fill in.
///
/// # Errors
/// `Config` for places, URLs or files that cannot be used, `Unavailable` if staging or the source
/// does not answer.
pub(super) async fn run(arguments: &InitArguments, screen: &Screen) -> Result<Exit> {
    let is_printed = arguments.output.as_os_str() == "-";
    if !is_printed {
        refuse_existing(arguments)?;
    }
    let endpoint = match &arguments.endpoint_settings {
        Some(file) => Some(endpoint(file)?),
        None => None,
    };
    let dms = match &endpoint {
        Some(endpoint) => endpoint.settings.clone(),
        None => S3Settings::default(),
    };

    let staging = Location::open(&arguments.staging).await?;
    let staged = survey(&staging).await?;
    let source = match &arguments.mysql {
        Some(url) => Some(mysql::read(url, &staged.tables).await?),
        None => None,
    };
    let proposals = propose::all(&staging, &staged.tables, source.as_ref(), &dms).await?;

    let text = render(&Draft {
        staging: &configuration::as_named_in(&arguments.output, &arguments.staging)?,
        lake: &configuration::as_named_in(&arguments.output, &arguments.lake)?,
        dms: endpoint.as_ref().map(|endpoint| &endpoint.section),
        proposals: &proposals,
    });
    if is_printed {
        screen.line(text.trim_end())?;
    } else {
        write(arguments, &text)?;
        let shown = arguments.output.display();
        screen.note(format_args!(
            "wrote {shown}: {}",
            plural(u64::try_from(proposals.len()).unwrap_or(u64::MAX), "table")
        ));
    }
    for member in endpoint.iter().flat_map(|endpoint| &endpoint.unknown) {
        screen.note(format_args!(
            "to check: the endpoint has a setting that dmslake does not know: {member}"
        ));
    }
    if staged.transaction_ordered > 0 {
        screen.note(format_args!(
            "to check: {} (CDC_TXN-…), which dmslake does not apply: turn preserve_transactions \
             off at the endpoint",
            plural(staged.transaction_ordered, "transaction-ordered object")
        ));
    }
    tell_what_is_left(screen, &proposals, &arguments.output);
    Ok(Exit::Done)
}

fn tell_what_is_left(screen: &Screen, proposals: &[Proposal], output: &Path) {
    if proposals.is_empty() {
        screen.note(
            "no table is staged there yet; run init again once DMS has written, or name a source \
             with --mysql",
        );
        return;
    }
    let mut is_complete = true;
    for proposal in proposals {
        for gap in proposal.gaps() {
            is_complete = false;
            screen.note(format_args!("to fill in: {}: {gap}", proposal.name));
        }
        for remark in &proposal.remarks {
            screen.note(format_args!("to check: {}: {remark}", proposal.name));
        }
    }
    if is_complete {
        screen.note(format_args!("next: dmslake apply --config {}", output.display()));
    } else {
        screen.note("it is not a valid configuration until that is filled in");
    }
}

fn endpoint(file: &Path) -> Result<EndpointSettings> {
    let unreadable = || {
        Error::new(ErrorKind::Config, "the endpoint's settings cannot be read")
            .with("--endpoint-settings", file.display())
    };
    let text = std::fs::read_to_string(file).map_err(|error| unreadable().because(error))?;
    EndpointSettings::parse(&text)
        .map_err(|error| error.with("--endpoint-settings", file.display()))
}

fn refuse_existing(arguments: &InitArguments) -> Result<()> {
    if arguments.force || !arguments.output.exists() { Ok(()) } else { Err(existing(arguments)) }
}

fn existing(arguments: &InitArguments) -> Error {
    Error::new(ErrorKind::Config, "the file exists; --force replaces it, --output - prints")
        .with("--output", arguments.output.display())
}

fn write(arguments: &InitArguments, text: &str) -> Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true);
    if arguments.force {
        options.create(true).truncate(true);
    } else {
        // Also if somebody made it while staging was being looked at.
        options.create_new(true);
    }
    let written =
        options.open(&arguments.output).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| match error.kind() {
        IoErrorKind::AlreadyExists => existing(arguments),
        _ => Error::new(ErrorKind::Config, "the configuration cannot be written")
            .with("--output", arguments.output.display())
            .because(error),
    })
}
