//! What is known of endpoint and task: from AWS, or from files with what AWS's command line printed.

use std::path::Path;

use super::aws;
use crate::cli::args::InitArguments;
use crate::config::EndpointSettings;
use crate::dms::{S3Settings, TableMappings, Task};
use crate::error::{Error, ErrorKind, Result};

/// What is known of endpoint and task.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) endpoint: Option<EndpointSettings>,
    pub(super) mappings: Option<TableMappings>,
    /// The task itself, not only its rules.
    pub(super) task: Option<Task>,
}

impl Known {
    /// Asks AWS, or reads the files.
    ///
    /// # Errors
    /// `Config` for files that cannot be read or understood; else as [`aws::describe`].
    pub(super) async fn of(arguments: &InitArguments) -> Result<Self> {
        if let Some(arn) = &arguments.dms_task {
            let described = aws::describe(arn).await?;
            let of_task = |error: Error| error.with("--dms-task", arn);
            let (mappings, task) = rules_and_task(&described.task).map_err(of_task)?;
            return Ok(Self {
                endpoint: Some(EndpointSettings::parse(&described.endpoint).map_err(of_task)?),
                mappings: Some(mappings),
                task,
            });
        }
        let endpoint = match &arguments.endpoint_settings {
            Some(file) => Some(parsed("--endpoint-settings", file, EndpointSettings::parse)?),
            None => None,
        };
        let (mappings, task) = match &arguments.table_mappings {
            Some(file) => {
                let (mappings, task) = parsed("--table-mappings", file, rules_and_task)?;
                (Some(mappings), task)
            }
            None => (None, None),
        };
        Ok(Self { endpoint, mappings, task })
    }

    /// Where objects are staged: as asked for, or as the endpoint says.
    ///
    /// # Errors
    /// `Config` if neither tells.
    pub(super) fn staging(&self, asked: Option<&str>) -> Result<String> {
        let told = || self.endpoint.as_ref().and_then(EndpointSettings::staging);
        asked.map(str::to_owned).or_else(told).ok_or_else(|| {
            let message = "nothing tells where objects are staged: give --staging URI, or \
                           --dms-task or --endpoint-settings that name the bucket";
            Error::new(ErrorKind::Config, message)
        })
    }

    /// The settings for reading objects, from the endpoint and the rules of the task as far as they
    /// are known.
    pub(super) fn settings(&self) -> S3Settings {
        let endpoint = self.endpoint.as_ref();
        let mut settings =
            endpoint.map_or_else(S3Settings::default, |known| known.settings.clone());
        if let Some(mappings) = &self.mappings {
            settings.change_seq_column = mappings.change_seq_column().map(str::to_owned);
            if let Some(prefix) = mappings.before_image_prefix() {
                settings.before_image_prefix = Some(prefix.to_owned());
            }
        }
        settings
    }
}

/// The rules, and the task itself if more than its rules is described.
fn rules_and_task(json: &str) -> Result<(TableMappings, Option<Task>)> {
    Ok((TableMappings::parse(json)?, Task::parse(json)?))
}

/// Reads a file that AWS's command line wrote.
pub(in crate::cli) fn parsed<T>(
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
