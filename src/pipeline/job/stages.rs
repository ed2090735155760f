//! Runs stages: specs of tasks out, outcomes of tasks in.

use crate::error::{Error, ErrorKind, Result};
use crate::maintenance::RewritePart;
use crate::pipeline::job::format::{
    Chunk, ChunkOutcome, FORMAT, FilesOutcome, FilesTask, InsertOutcome, InsertTask, Outcome,
    ReduceOutcome, ReduceTask, ResultLine, RewriteOutcome, RoundSpec, Task, TaskLine,
};
use crate::pipeline::job::workers::Workers;

/// Takes the outcome of one stage, and of no other.
macro_rules! only {
    ($stage:ident) => {
        |outcome| match outcome {
            Outcome::$stage(outcome) => Some(outcome),
            _ => None,
        }
    };
}

/// The stages of one round, each done by the workers.
pub(super) struct Stages<'a> {
    workers: &'a dyn Workers,
    pub(super) round: RoundSpec,
}

impl<'a> Stages<'a> {
    pub(super) fn of(workers: &'a dyn Workers, round: RoundSpec) -> Self {
        Self { workers, round }
    }

    pub(super) async fn load(&self, chunks: Vec<Chunk>) -> Result<Vec<ChunkOutcome>> {
        let tasks = chunks.into_iter().map(Task::Load);
        self.run("load", tasks, only!(Load)).await
    }

    pub(super) async fn net(&self, chunks: Vec<Chunk>) -> Result<Vec<ChunkOutcome>> {
        let tasks = chunks.into_iter().map(Task::Net);
        self.run("net", tasks, only!(Net)).await
    }

    pub(super) async fn reduce(&self, tasks: Vec<ReduceTask>) -> Result<Vec<ReduceOutcome>> {
        let tasks = tasks.into_iter().map(Task::Reduce);
        self.run("reduce", tasks, only!(Reduce)).await
    }

    pub(super) async fn files(&self, tasks: Vec<FilesTask>) -> Result<Vec<FilesOutcome>> {
        let tasks = tasks.into_iter().map(Task::Files);
        self.run("files", tasks, only!(Files)).await
    }

    pub(super) async fn insert(&self, tasks: Vec<InsertTask>) -> Result<Vec<InsertOutcome>> {
        let tasks = tasks.into_iter().map(Task::Insert);
        self.run("insert", tasks, only!(Insert)).await
    }

    pub(super) async fn rewrite(&self, parts: Vec<RewritePart>) -> Result<Vec<RewriteOutcome>> {
        let tasks = parts.into_iter().map(Task::Rewrite);
        self.run("rewrite", tasks, only!(Rewrite)).await
    }

    async fn run<T>(
        &self,
        stage: &'static str,
        tasks: impl Iterator<Item = Task>,
        of_stage: impl Fn(Outcome) -> Option<T>,
    ) -> Result<Vec<T>> {
        let line = |task| {
            let line = TaskLine { format: FORMAT, round: self.round.clone(), task };
            serde_json::to_string(&line).map_err(|error| {
                Error::new(ErrorKind::Internal, "a task cannot be written").because(error)
            })
        };
        let tasks: Vec<String> = tasks.map(line).collect::<Result<_>>()?;
        if tasks.is_empty() {
            return Ok(Vec::new());
        }
        let count = tasks.len();
        let results = self.workers.run(stage, tasks).await?;
        if results.len() != count {
            return Err(misread(stage));
        }
        let outcome = |result: String| match serde_json::from_str(&result) {
            Ok(ResultLine::Done(outcome)) => of_stage(*outcome).ok_or_else(|| misread(stage)),
            Ok(ResultLine::Failed(told)) => Err(Error::from(told)),
            Err(error) => Err(misread(stage).because(error)),
        };
        results.into_iter().map(outcome).collect()
    }
}

/// The same line may be read when the task is done again.
fn misread(stage: &str) -> Error {
    Error::new(ErrorKind::Unavailable, "the result of a task of a job cannot be read")
        .with("stage", stage)
}
