//! `dmslake init`: writes a first configuration from what is staged, from the source if it can be
//! asked, and from AWS's description of endpoint and task.

mod advice;
mod aws;
mod csv;
mod found;
mod known;
mod mysql;
mod parquet;
mod proposal;
mod propose;
mod render;
mod rules;
mod shown;
mod survey;
mod tfvars;
mod write;

use std::path::Path;

use super::args::InitArguments;
use super::configuration;
use super::exit::Exit;
use super::output::{Screen, plural};
use crate::config::{Lock, lock_file_of};
use crate::dms::TableMappings;
use crate::dms::table_mappings::Migration;
use crate::error::{Error, ErrorKind, Result};
use crate::storage::{Location, probe};
use advice::advise;
use found::locked;
pub(super) use found::{Found, FoundTable, look};
use known::Known;
pub(super) use known::parsed;
use proposal::Proposal;
use propose::Task;
use render::{Draft, LOAD_ONLY, render};
use survey::survey;
use tfvars::variables;
use write::{must_be_new, write};

/// For more tables than this, patterns are proposed.
const MANY: usize = 20;

/// Terraform's variables, which it reads by themselves under this name.
const VARIABLES: &str = "terraform.tfvars";

/// For more tables than this, a note is printed once.
const MOST_NAMED: usize = 3;

/// Writes the configuration and prints to standard error what is left to fill in.
///
/// # Errors
/// `Config` for locations, URLs or files that cannot be used; `Unavailable` if staging or the source
/// does not answer.
pub(super) async fn run(arguments: &InitArguments, screen: &Screen) -> Result<Exit> {
    let is_printed = arguments.output.as_os_str() == "-";
    let file = (!is_printed).then_some(arguments.output.as_path());
    let lock_file = configuration::lock_file(&arguments.output);
    if let Some(file) = file {
        must_be_new(file, arguments.force)?;
    }
    if arguments.lock {
        refuse_unwritable_lock(arguments, &lock_file)?;
    }
    let known = Known::of(arguments).await?;
    let staging_uri = known.staging(arguments.staging.as_deref())?;
    let dms = known.settings();

    let staging = Location::open_staging(&staging_uri).await?;
    probe(&staging_uri).await?;
    let staged = survey(&staging).await?;
    let rules = known.mappings.as_ref();
    let source = match &arguments.mysql {
        Some(url) => Some(mysql::read(url, &staged.tables, rules.is_some()).await?),
        None => None,
    };
    let has_endpoint = known.endpoint.is_some();
    let task = Task { mappings: rules, dms: &dms, has_endpoint };
    let proposals = propose::all(&staging, &staged.tables, source.as_ref(), &task).await?;

    let text = render(&Draft {
        staging: &configuration::as_named_in(&arguments.output, &staging_uri)?,
        lake: &configuration::as_named_in(&arguments.output, &arguments.lake)?,
        endpoint: known.endpoint.as_ref(),
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
    match file {
        None => screen.line(text.trim_end())?,
        Some(file) => {
            write(file, &text, arguments.force)?;
            let tables = plural(proposals.len() as u64, "table");
            screen.note(format_args!("wrote {}: {tables}", file.display()));
        }
    }
    write_variables(arguments, file, &text, &known, &proposals, screen)?;
    if let Some(endpoint) = &known.endpoint {
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
    advise(&known, file, arguments.force, screen)?;
    if !arguments.lock && proposals.len() > MANY {
        let tables = plural(proposals.len() as u64, "table");
        screen.note(format_args!("{tables}: --lock writes patterns and a lock file instead"));
    }
    tell_what_is_left(screen, &proposals, &arguments.output);
    Ok(Exit::Done)
}

/// Writes Terraform's variables where they are asked for, or beside what is known from a task.
fn write_variables(
    arguments: &InitArguments,
    configuration: Option<&Path>,
    text: &str,
    known: &Known,
    proposals: &[Proposal],
    screen: &Screen,
) -> Result<()> {
    let is_of_task = arguments.dms_task.is_some() && arguments.lake.starts_with("s3://");
    let beside = configuration.filter(|_| is_of_task).map(|it| it.with_file_name(VARIABLES));
    let Some(file) = arguments.tfvars.clone().or(beside) else {
        return Ok(());
    };
    if proposals.is_empty() || proposals.iter().any(|proposal| !proposal.gaps().is_empty()) {
        screen.note(format_args!(
            "{} is not written: the configuration is not complete",
            file.display()
        ));
        return Ok(());
    }
    let lock = arguments.lock.then(|| lock_file_of(&arguments.output.display().to_string()));
    let variables = variables(text, known, lock.as_deref())?;
    write(&file, &variables.text, arguments.force)?;
    screen.note(format_args!("wrote {}, for infra/ and its module writer", file.display()));
    for left_out in variables.left_out {
        screen.note(format_args!("to check: Terraform has no variable for {left_out}"));
    }
    Ok(())
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

fn refuse_unwritable_lock(arguments: &InitArguments, file: &Path) -> Result<()> {
    if arguments.output.as_os_str() == "-" {
        let message = "--lock writes a file beside the configuration; name that with --output FILE";
        return Err(Error::new(ErrorKind::Config, message));
    }
    must_be_new(file, arguments.force)
}
