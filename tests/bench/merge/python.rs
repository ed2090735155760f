//! The contestants and the reader that run in Python.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::de::DeserializeOwned;
use serde_json::json;

use crate::child::{self, Run};
use crate::merge::changes::Batch;
use crate::merge::orders::Key;

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bench");

fn script(name: &str) -> Command {
    let mut command = Command::new("python3");
    command.arg(format!("{SCRIPTS}/{name}.py"));
    command
}

/// The version of a package; none if it cannot be imported.
pub(crate) fn version(package: &str) -> Option<String> {
    let output = Command::new("python3")
        .args(["-c", &format!("import {package}; print({package}.__version__)")])
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

/// Rewrites by hand the files of a table that a batch touches, with `duckdb` or `pyarrow`.
pub(crate) fn rewrite(way: &str, key: Key, table: &Path, batch: &Batch) -> Run {
    let mut command = script("merge_reference");
    command.arg(way).arg(table).arg(&batch.path).arg(key.names().join(","));
    command.args(&batch.touched);
    child::read(command)
}

/// What the rows of a table come to, as DuckDB reads them: from the Delta log, or from all
/// Parquet files of the folder.
pub(crate) fn digest(table: &Path, is_delta: bool) -> Vec<i64> {
    let output = script("table_digest")
        .arg(if is_delta { "delta" } else { "files" })
        .arg(table)
        .stderr(Stdio::inherit())
        .output()
        .expect("it starts");
    assert!(output.status.success(), "{} cannot be read", table.display());
    serde_json::from_slice(&output.stdout).expect("a list of numbers")
}

/// A script that keeps Spark's JVM warm, and answers a line of JSON with a line of JSON.
pub(crate) struct Warm {
    process: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Warm {
    pub(crate) fn start(name: &str) -> Self {
        let mut process =
            script(name).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
        let requests = process.stdin.take();
        let answers = BufReader::new(process.stdout.take().expect("a pipe"));
        Self { process, requests, answers }
    }

    pub(crate) fn ask<T: DeserializeOwned>(&mut self, request: &serde_json::Value) -> T {
        writeln!(self.requests.as_mut().expect("open until the end"), "{request}")
            .expect("Spark listens");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("Spark answers");
        serde_json::from_str(&answer).expect("an answer as JSON")
    }
}

impl Drop for Warm {
    fn drop(&mut self) {
        // The end of its input ends it.
        self.requests = None;
        self.process.wait().expect("it ends");
    }
}

/// Spark, which merges.
pub(crate) struct Spark(Warm);

impl Spark {
    pub(crate) fn start() -> Self {
        Self(Warm::start("merge_spark"))
    }

    /// Merges a batch into the table.
    pub(crate) fn merge(&mut self, key: Key, table: &Path, batch: &Batch) -> Run {
        self.0.ask(&json!({ "table": table, "batch": batch.path, "keys": key.names() }))
    }

    /// Makes the table equal to another one.
    pub(crate) fn reload(&mut self, key: Key, table: &Path, built: &Path) -> Run {
        self.0.ask(&json!({ "table": table, "built": built, "keys": key.names() }))
    }
}
