//! `dmslake init`: writes a first configuration from what is staged, from the source if it can be
//! asked, and from AWS's description of endpoint and task.

mod csv;
mod found;
mod mysql;
mod parquet;
mod proposal;
mod propose;
mod render;
mod rules;
mod shown;
mod survey;

use std::io::{ErrorKind as IoErrorKind, Write};
use std::path::Path;

use super::args::InitArguments;
use super::configuration;
use super::exit::Exit;
use super::output::{Screen, plural};
use crate::config::{EndpointSettings, Lock};
use crate::dms::table_mappings::Migration;
use crate::dms::{S3Settings, TableMappings};
use crate::error::{Error, ErrorKind, Result};
use crate::storage::{Location, probe};
use found::locked;
pub(super) use found::{Found, FoundTable, look};
use proposal::Proposal;
use propose::Task;
use render::{Draft, LOAD_ONLY, render};
use survey::survey;

/// For more tables than this, patterns are proposed.
const MANY: usize = 20;

/// For more tables than this, a note is printed once.
const MOST_NAMED: usize = 3;

/// Writes the configuration and prints to standard error what is left to fill in.
///
/// # Errors
/// `Config` for locations, URLs or files that cannot be used; `Unavailable` if staging or the source
/// does not answer.
pub(super) async fn run(arguments: &InitArguments, screen: &Screen) -> Result<Exit> {
    let is_printed = arguments.output.as_os_str() == "-";
    let lock_file = configuration::lock_file(&arguments.output);
    if !is_printed {
        refuse_existing(arguments, &arguments.output)?;
    }
    if arguments.lock {
        refuse_unwritable_lock(arguments, &lock_file)?;
    }
    let endpoint = match &arguments.endpoint_settings {
        Some(file) => Some(parsed("--endpoint-settings", file, EndpointSettings::parse)?),
        None => None,
    };
    let mappings = match &arguments.table_mappings {
        Some(file) => Some(parsed("--table-mappings", file, TableMappings::parse)?),
        None => None,
    };
    let dms = settings(endpoint.as_ref(), mappings.as_ref());

    let staging = Location::open_staging(&arguments.staging).await?;
    probe(&arguments.staging).await?;
    let staged = survey(&staging).await?;
    let source = match &arguments.mysql {
        Some(url) => Some(mysql::read(url, &staged.tables, mappings.is_some()).await?),
        None => None,
    };
    let (source, rules) = (source.as_ref(), mappings.as_ref());
    let task = Task { mappings: rules, dms: &dms, has_endpoint: endpoint.is_some() };
    let proposals = propose::all(&staging, &staged.tables, source, &task).await?;

    let text = render(&Draft {
        staging: &configuration::as_named_in(&arguments.output, &arguments.staging)?,
        lake: &configuration::as_named_in(&arguments.output, &arguments.lake)?,
        endpoint: endpoint.as_ref(),
        mappings: rules,
        proposals: &proposals,
        is_locked: arguments.lock,
    });
    if arguments.lock {
        let tables = proposals.iter().map(|proposal| (proposal.name.clone(), locked(proposal)));
        let lock = Lock { tables: tables.collect() };
        configuration::write_lock(&lock_file, &lock)?;
        let tables = plural(lock.tables.len() as u64, "table");
        screen.note(format_args!("wrote {}: {tables}", lock_file.display()));
    }
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
    if let Some(endpoint) = &endpoint {
        for member in &endpoint.unknown {
            screen.note(format_args!(
                "to check: the endpoint has a setting that dmslake does not know: {member}"
            ));
        }
        let missing = endpoint.settings.what_never_arrives();
        for doubt in endpoint.doubts.iter().map(String::as_str).chain(missing) {
            screen.note(format_args!("to check: {doubt}"));
        }
    }
    if rules.and_then(TableMappings::migration) == Some(Migration::FullLoad) {
        screen.note(format_args!("to check: {LOAD_ONLY}"));
    }
    if staged.transaction_ordered > 0 {
        screen.note(format_args!(
            "to check: {} (CDC_TXN-…), which dmslake does not apply: turn preserve_transactions \
             off at the endpoint",
            plural(staged.transaction_ordered, "transaction-ordered object")
        ));
    }
    if !arguments.lock && proposals.len() > MANY {
        let tables = plural(proposals.len() as u64, "table");
        screen.note(format_args!("{tables}: --lock writes patterns and a lock file instead"));
    }
    tell_what_is_left(screen, &proposals, &arguments.output);
    Ok(Exit::Done)
}

fn tell_what_is_left(screen: &Screen, proposals: &[Proposal], output: &Path) {
    if proposals.is_empty() {
        screen.note(
            "no table is staged there yet; run init again once DMS has written, or give a source \
             with --mysql that has tables which the task includes",
        );
        return;
    }
    let gaps = proposals.iter().flat_map(|proposal| {
        proposal.gaps().into_iter().map(move |gap| ("to fill in", gap, &proposal.name))
    });
    let remarks = proposals.iter().flat_map(|proposal| {
        proposal.remarks.iter().map(move |remark| ("to check", &**remark, &proposal.name))
    });
    let mut said: Vec<(&str, &str, Vec<String>)> = Vec::new();
    for (what, sentence, table) in gaps.chain(remarks) {
        let table = table.to_string();
        match said.iter_mut().find(|said| (said.0, said.1) == (what, sentence)) {
            Some((.., tables)) => tables.push(table),
            None => said.push((what, sentence, vec![table])),
        }
    }
    let is_complete = said.iter().all(|(what, ..)| *what != "to fill in");
    for (what, sentence, tables) in said {
        for tables in named(&tables) {
            screen.note(format_args!("{what}: {tables}: {sentence}"));
        }
    }
    if is_complete {
        screen.note(format_args!("next: dmslake apply --config {}", output.display()));
    } else {
        screen.note("the configuration is not valid until that is filled in");
    }
}

/// The tables one by one, or one summary of many.
fn named(tables: &[String]) -> Vec<String> {
    if tables.len() <= MOST_NAMED {
        return tables.to_vec();
    }
    let count = plural(u64::try_from(tables.len()).unwrap_or(u64::MAX), "table");
    vec![format!("{count} ({}, …)", tables[..MOST_NAMED].join(", "))]
}

/// The settings for reading objects, from the endpoint and the rules of the task if they are known.
fn settings(endpoint: Option<&EndpointSettings>, mappings: Option<&TableMappings>) -> S3Settings {
    let mut settings = endpoint.map_or_else(S3Settings::default, |known| known.settings.clone());
    if let Some(mappings) = mappings {
        settings.change_seq_column = mappings.change_seq_column().map(str::to_owned);
        if let Some(prefix) = mappings.before_image_prefix() {
            settings.before_image_prefix = Some(prefix.to_owned());
        }
    }
    settings
}

/// Reads a file that AWS's command line wrote.
pub(super) fn parsed<T>(
    option: &'static str,
    file: &Path,
    parse: fn(&str) -> Result<T>,
) -> Result<T> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        Error::new(ErrorKind::Config, "the file cannot be read")
            .with(option, file.display())
            .because(error)
    })?;
    parse(&text).map_err(|error| error.with(option, file.display()))
}

fn refuse_existing(arguments: &InitArguments, file: &Path) -> Result<()> {
    if arguments.force || !file.exists() { Ok(()) } else { Err(existing(file)) }
}

fn refuse_unwritable_lock(arguments: &InitArguments, file: &Path) -> Result<()> {
    if arguments.output.as_os_str() == "-" {
        let message = "--lock writes a file beside the configuration; name that with --output FILE";
        return Err(Error::new(ErrorKind::Config, message));
    }
    refuse_existing(arguments, file)
}

fn existing(file: &Path) -> Error {
    Error::new(
        ErrorKind::Config,
        "the file exists; --force replaces it, --output - prints to standard output",
    )
    .with("file", file.display())
}

fn write(arguments: &InitArguments, text: &str) -> Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true);
    if arguments.force {
        options.create(true).truncate(true);
    } else {
        // Fails too if somebody created the file while staging was being read.
        options.create_new(true);
    }
    let written =
        options.open(&arguments.output).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| match error.kind() {
        IoErrorKind::AlreadyExists => existing(&arguments.output),
        _ => Error::new(ErrorKind::Config, "the configuration cannot be written")
            .with("--output", arguments.output.display())
            .because(error),
    })
}
