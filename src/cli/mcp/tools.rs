//! The tools: commands of this program with the arguments that they have there.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use clap::{Arg, ArgAction, Command};
use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde_json::{Value, json};

/// The commands that become tools. None of them changes a table, or anything else of a lake.
const COMMANDS: [&[&str]; 13] = [
    &["status"],
    &["doctor"],
    &["plan"],
    &["history"],
    &["show"],
    &["query"],
    &["diff"],
    &["why"],
    &["verify"],
    &["bisect"],
    &["quarantine", "list"],
    &["quarantine", "show"],
    &["help"],
];

/// Arguments that tools lack: those that write, that never end, that hold passwords, and those for
/// terminals; and the configuration, which is the server's.
const LEFT_OUT: [&str; 14] = [
    "agent",
    "all",
    "apply",
    "config",
    "help",
    "metrics_file",
    "mysql",
    "resume",
    "rows_per_second",
    "verbose",
    "wait",
    "watch",
    "write_probe",
    "yes",
];

/// A value of an argument that tools lack: bytes that are no text.
const PARQUET: &str = "parquet";

/// All tools.
pub(super) struct Tools(Vec<OneTool>);

struct OneTool {
    /// The words of the command.
    words: &'static [&'static str],
    description: String,
    arguments: Vec<Arg>,
    /// Whether the command reads the configuration.
    has_config: bool,
}

impl Tools {
    /// Those of this command line.
    pub(super) fn of(program: &Command) -> Self {
        Self(COMMANDS.iter().filter_map(|words| OneTool::of(program, words)).collect())
    }

    /// As the protocol lists them.
    pub(super) fn listed(&self) -> Vec<Tool> {
        self.0.iter().map(OneTool::listed).collect()
    }

    /// The arguments of the program for a call.
    ///
    /// # Errors
    /// Why there is no such call, for the client.
    pub(super) fn invocation(
        &self,
        name: &str,
        given: &JsonObject,
        config: &Path,
    ) -> Result<Vec<OsString>, String> {
        let tool = self.0.iter().find(|tool| tool.name() == name);
        tool.ok_or_else(|| format!("there is no tool {name}"))?.invocation(given, config)
    }
}

impl OneTool {
    fn of(program: &Command, words: &'static [&'static str]) -> Option<Self> {
        let command =
            words.iter().try_fold(program, |command, word| command.find_subcommand(word))?;
        let has_config = command.get_arguments().any(|argument| argument.get_id() == "config");
        let is_kept = |argument: &&Arg| !LEFT_OUT.contains(&argument.get_id().as_str());
        let about = command.get_long_about().or_else(|| command.get_about());
        Some(Self {
            words,
            description: about.map(ToString::to_string).unwrap_or_default(),
            arguments: command.get_arguments().filter(is_kept).cloned().collect(),
            has_config,
        })
    }

    fn name(&self) -> String {
        self.words.join("_")
    }

    fn listed(&self) -> Tool {
        let properties: JsonObject =
            self.arguments.iter().map(|argument| (name_of(argument), schema(argument))).collect();
        let required = self.arguments.iter().filter(|argument| argument.is_required_set());
        let required: Vec<String> = required.map(name_of).collect();
        let mut schema = JsonObject::new();
        schema.insert("type".to_owned(), json!("object"));
        schema.insert("properties".to_owned(), Value::Object(properties));
        schema.insert("required".to_owned(), json!(required));
        schema.insert("additionalProperties".to_owned(), json!(false));
        let hints = ToolAnnotations::new().read_only(true).destructive(false).idempotent(true);
        Tool::new(self.name(), self.description.clone(), Arc::new(schema)).with_annotations(hints)
    }

    fn invocation(&self, given: &JsonObject, config: &Path) -> Result<Vec<OsString>, String> {
        let is_known = |name: &String| self.arguments.iter().any(|it| name_of(it) == *name);
        if let Some(unknown) = given.keys().find(|name| !is_known(name)) {
            return Err(format!("{} has no argument {unknown}", self.name()));
        }
        let mut invocation: Vec<OsString> = self.words.iter().map(OsString::from).collect();
        if self.has_config {
            invocation.push("--config".into());
            invocation.push(config.into());
        }
        let mut positional: Vec<OsString> = Vec::new();
        for argument in &self.arguments {
            let Some(value) = given.get(&name_of(argument)) else { continue };
            let texts = texts(argument, value)?;
            match argument.get_long() {
                None => positional.extend(texts.into_iter().map(OsString::from)),
                Some(long) if is_flag(argument) => {
                    invocation.extend(texts.iter().map(|_| format!("--{long}").into()));
                }
                Some(long) => {
                    invocation.extend(texts.iter().map(|it| format!("--{long}={it}").into()));
                }
            }
        }
        if !positional.is_empty() {
            // What follows is never taken for an option.
            invocation.push("--".into());
            invocation.append(&mut positional);
        }
        Ok(invocation)
    }
}

/// The name of an argument: as it is typed, with underscores.
fn name_of(argument: &Arg) -> String {
    let name = argument.get_long().unwrap_or(argument.get_id().as_str());
    name.replace('-', "_")
}

fn is_flag(argument: &Arg) -> bool {
    matches!(argument.get_action(), ArgAction::SetTrue)
}

fn is_list(argument: &Arg) -> bool {
    matches!(argument.get_action(), ArgAction::Append)
}

/// The JSON schema of an argument.
fn schema(argument: &Arg) -> Value {
    let help = argument.get_long_help().or_else(|| argument.get_help());
    let description = help.map(ToString::to_string).unwrap_or_default();
    if is_flag(argument) {
        return json!({ "type": "boolean", "description": description });
    }
    let values: Vec<String> = argument
        .get_possible_values()
        .iter()
        .map(|value| value.get_name().to_owned())
        .filter(|value| value != PARQUET)
        .collect();
    let mut one = json!({ "type": ["string", "number"] });
    if !values.is_empty() {
        one = json!({ "type": "string", "enum": values });
    }
    let mut schema = if is_list(argument) { json!({ "type": "array", "items": one }) } else { one };
    schema["description"] = Value::String(description);
    schema
}

/// The texts of a value: one, or each of a list; none of a flag that is not set.
fn texts(argument: &Arg, value: &Value) -> Result<Vec<String>, String> {
    let name = name_of(argument);
    let refused = |wanted: &str| Err(format!("{name}: {wanted} is wanted"));
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Bool(is_set) if is_flag(argument) => {
            Ok(if *is_set { vec![String::new()] } else { Vec::new() })
        }
        _ if is_flag(argument) => refused("true or false"),
        Value::Array(items) if is_list(argument) => {
            let each = items.iter().map(|item| text(item).ok_or(()));
            each.collect::<Result<_, ()>>().or_else(|()| refused("a list of texts"))
        }
        _ if is_list(argument) => refused("a list of texts"),
        value => match text(value) {
            Some(text) if text == PARQUET && name == "format" => refused("a format of text"),
            Some(text) => Ok(vec![text]),
            None => refused("a text or a number"),
        },
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
