//! The program that schedules tasks, at the other end of standard input and output.

use std::io::{self, Write as _};
use std::num::NonZeroUsize;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::error::{Error, ErrorKind, Result};
use crate::maintenance::MaintenanceReport;
use crate::pipeline::job::Workers;
use crate::pipeline::{Stop, TableReport};

/// What is said to the engine, a line each.
#[derive(Serialize)]
#[serde(untagged)]
enum Said<'a> {
    Stage { stage: &'a str, tasks: &'a [String] },
    Maintenance { maintenance: &'a MaintenanceReport },
    Report { report: &'a TableReport },
}

/// What it answers.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Answer {
    /// The result of each task, in their order.
    Results(Vec<String>),
    /// Why there are none: tasks failed as often as the engine repeats them.
    Failed(String),
}

/// An engine that does tasks.
pub(super) struct Engine {
    slots: NonZeroUsize,
    /// Whoever speaks waits for the answer.
    turn: Mutex<()>,
    stop: Stop,
}

impl Engine {
    /// With so many tasks at once. When it goes away, the stop is requested.
    pub(super) fn new(slots: NonZeroUsize, stop: Stop) -> Self {
        Self { slots, turn: Mutex::new(()), stop }
    }

    /// Tells it what came of a table.
    pub(super) async fn report(&self, report: &TableReport) -> Result<()> {
        let _turn = self.turn.lock().await;
        say(&Said::Report { report }).await
    }

    /// Tells it how a table was maintained.
    pub(super) async fn maintained(&self, maintenance: &MaintenanceReport) -> Result<()> {
        let _turn = self.turn.lock().await;
        say(&Said::Maintenance { maintenance }).await
    }

    fn gone(&self) -> Error {
        self.stop.request();
        Error::new(ErrorKind::Unavailable, "the engine that does the tasks of the job is gone")
    }
}

#[async_trait]
impl Workers for Engine {
    fn slots(&self) -> NonZeroUsize {
        self.slots
    }

    async fn run(&self, stage: &'static str, tasks: Vec<String>) -> Result<Vec<String>> {
        let _turn = self.turn.lock().await;
        let said = say(&Said::Stage { stage, tasks: &tasks }).await;
        said.map_err(|error| self.gone().because(error))?;
        let answer = next_line().await.map_err(|error| self.gone().because(error))?;
        match serde_json::from_str(&answer.ok_or_else(|| self.gone())?) {
            Ok(Answer::Results(results)) => Ok(results),
            Ok(Answer::Failed(why)) => {
                Err(Error::new(ErrorKind::Unavailable, "tasks of the job failed")
                    .with("stage", stage)
                    .because(why))
            }
            Err(error) => Err(self.gone().because(error)),
        }
    }
}

/// Writes a line of JSON. Lines are long, and whoever reads them may be busy.
async fn say(said: &Said<'_>) -> Result<()> {
    let mut line = serde_json::to_vec(said).map_err(|error| {
        Error::new(ErrorKind::Internal, "what is said to the engine has no JSON form")
            .because(error)
    })?;
    line.push(b'\n');
    let written = tokio::task::spawn_blocking(move || {
        let mut output = io::stdout().lock();
        output.write_all(&line).and_then(|()| output.flush())
    });
    written.await?.map_err(|error| {
        Error::new(ErrorKind::Unavailable, "standard output cannot be written").because(error)
    })
}

/// The next line of standard input; none at its end.
async fn next_line() -> Result<Option<String>> {
    let read = tokio::task::spawn_blocking(|| io::stdin().lines().next().transpose());
    read.await?.map_err(|error| {
        Error::new(ErrorKind::Unavailable, "standard input cannot be read").because(error)
    })
}

/// The line of the one task that standard input has.
pub(super) async fn line_of_input() -> Result<String> {
    next_line().await?.ok_or_else(|| {
        Error::new(ErrorKind::Config, "standard input has no task of a job")
            .with_remedy("give it a line that dmslake job drive has written")
    })
}
