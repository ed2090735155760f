//! Which settings of a task lose changes, and the commands that set them.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::known::Known;
use super::write::write;
use crate::cli::output::Screen;
use crate::dms::{Flaw, MissingRule, TableMappings, Task};
use crate::error::Result;

const SETTINGS_FILE: &str = "task-settings.json";
const MAPPINGS_FILE: &str = "table-mappings.json";
const NO_TRANSACTIONS: &str = "--s3-settings '{\"PreserveTransactions\": false}'";

/// Says which settings lose changes. What they should be is written beside the configuration, for
/// the commands that set it; without a configuration in a file, nothing is written.
///
/// # Errors
/// As [`write`].
pub(super) fn advise(
    known: &Known,
    output: Option<&Path>,
    replaces: bool,
    screen: &Screen,
) -> Result<()> {
    let Known { endpoint, mappings: Some(mappings), task: Some(task) } = known else {
        return Ok(());
    };
    let endpoint = endpoint.as_ref().filter(|it| it.settings.preserve_transactions);
    let mixes = endpoint.map(|_| Flaw {
        setting: "PreserveTransactions = true".to_owned(),
        harm: "its objects mix tables, and no table is applied from them",
    });
    let missing = MissingRule::of(mappings).map(MissingRule::flaw);
    let flaws: Vec<Flaw> = task.flaws().chain(missing).chain(mixes).collect();
    for Flaw { setting, harm } in &flaws {
        screen.note(format_args!("the task loses changes: {setting}: {harm}"));
    }
    if let Some(kilobytes) = task.longest_large_object() {
        screen.note(format_args!(
            "to check: TargetMetadata.LobMaxSize = {kilobytes}: of text, blob and json values only \
             so many KB arrive, and no object shows that they were cut off"
        ));
    }
    let (Some(output), false) = (output, flaws.is_empty()) else { return Ok(()) };
    let changes = Changes::write(task, mappings, output, replaces)?;
    let endpoint = endpoint.map(|it| it.arn.as_deref().unwrap_or("ENDPOINT_ARN"));
    screen.note(
        "what the task should be set to is beside the configuration; look at it, and run these \
         commands, then init again, as objects have other columns where rules were added:",
    );
    for command in changes.commands(task, endpoint) {
        screen.note(format_args!("  {command}"));
    }
    Ok(())
}

/// Files with what is to change.
struct Changes {
    settings: Option<PathBuf>,
    mappings: Option<PathBuf>,
}

impl Changes {
    fn write(task: &Task, mappings: &TableMappings, output: &Path, replaces: bool) -> Result<Self> {
        let file = |name: &str, json: Option<Json>| -> Result<Option<PathBuf>> {
            let Some(json) = json else { return Ok(None) };
            let file = output.with_file_name(name);
            write(&file, &format!("{json:#}\n"), replaces)?;
            Ok(Some(file))
        };
        Ok(Self {
            settings: file(SETTINGS_FILE, task.mended_settings())?,
            mappings: file(MAPPINGS_FILE, task.mended_mappings(mappings))?,
        })
    }

    fn commands(&self, task: &Task, endpoint: Option<&str>) -> Vec<String> {
        let arn = task.arn.as_deref().unwrap_or("TASK_ARN");
        let of = |settings, mappings| {
            let option = |name: &str, file: &Option<PathBuf>| {
                let file = file.as_ref().map(|file| format!(" {name} file://{}", file.display()));
                file.unwrap_or_default()
            };
            option(settings, &self.settings) + &option(mappings, &self.mappings)
        };
        let changes_task = self.settings.is_some() || self.mappings.is_some();
        let mut commands = Vec::new();
        let mut add = |command: String| commands.push(format!("aws dms {command}"));
        let of_endpoint =
            endpoint.map(|arn| format!("modify-endpoint --endpoint-arn {arn} {NO_TRANSACTIONS}"));
        if task.is_serverless {
            let more = of("--replication-settings", "--table-mappings");
            add(format!("stop-replication --replication-config-arn {arn}"));
            of_endpoint.into_iter().for_each(&mut add);
            if changes_task {
                add(format!("modify-replication-config --replication-config-arn {arn}{more}"));
            }
            add(format!(
                "start-replication --start-replication-type resume-processing \
                 --replication-config-arn {arn}"
            ));
            return commands;
        }
        let more = of("--replication-task-settings", "--table-mappings");
        let is_stopped = format!(
            "wait replication-task-stopped --filters Name=replication-task-arn,Values={arn}"
        );
        add(format!("stop-replication-task --replication-task-arn {arn}"));
        add(is_stopped.clone());
        of_endpoint.into_iter().for_each(&mut add);
        if changes_task {
            add(format!("modify-replication-task --replication-task-arn {arn}{more}"));
            add(is_stopped);
        }
        add(format!(
            "start-replication-task --start-replication-task-type resume-processing \
             --replication-task-arn {arn}"
        ));
        commands
    }
}
