//! Who does the tasks of a job, and how large they are.

use std::num::NonZeroUsize;

use async_trait::async_trait;
use datafusion::common::runtime::SpawnedTask;
use futures::{StreamExt as _, TryStreamExt as _};
use uuid::Uuid;

use crate::error::Result;
use crate::pipeline::Pipeline;
use crate::pipeline::job::task::run_line;

/// Does the tasks of a job, wherever that is.
#[async_trait]
pub trait Workers: Send + Sync {
    /// How many tasks are done at once.
    fn slots(&self) -> NonZeroUsize;

    /// Does tasks, each of them at least once, and gives the result of each, in their order. Tasks
    /// and results are lines of JSON that nobody but this program needs to understand. Nothing refers
    /// to what a task writes until its result is taken in, so that it may be done several times, or
    /// be given up.
    ///
    /// # Errors
    /// `Unavailable` if they cannot be done now.
    async fn run(&self, stage: &'static str, tasks: Vec<String>) -> Result<Vec<String>>;
}

/// Threads of this process.
#[derive(Clone, Debug)]
pub struct Threads {
    pipeline: Pipeline,
    slots: NonZeroUsize,
}

impl Threads {
    /// So many tasks at once.
    #[must_use]
    pub fn new(pipeline: Pipeline, slots: NonZeroUsize) -> Self {
        Self { pipeline, slots }
    }
}

#[async_trait]
impl Workers for Threads {
    fn slots(&self) -> NonZeroUsize {
        self.slots
    }

    async fn run(&self, _: &'static str, tasks: Vec<String>) -> Result<Vec<String>> {
        let tasks = tasks.into_iter().map(|line| {
            let pipeline = self.pipeline.clone();
            async move {
                let task = SpawnedTask::spawn(async move { run_line(&pipeline, &line).await });
                Ok(task.join().await?)
            }
        });
        futures::stream::iter(tasks).buffered(self.slots.get()).try_collect().await
    }
}

/// A job: who does its tasks, and how large they are.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    /// Who does them.
    pub workers: &'a dyn Workers,
    /// How large they are.
    pub sizes: JobSizes,
    /// Bytes of decoded rows that one task may hold; none: a share of its machine's memory, by its
    /// cores.
    pub task_memory: Option<u64>,
    /// The hand-over that it was started for; none if a person has started it.
    pub claim: Option<Uuid>,
    /// The id of its run, where an engine has given it one.
    pub run: Option<&'a str>,
}

/// How much one commit and one task of a job take in. Each is a bound that a single object, or a
/// single data file, may exceed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobSizes {
    /// Staged bytes below which the driver applies by itself.
    pub least_bytes: u64,
    /// Staged bytes of changes that one commit takes in.
    pub round_bytes: u64,
    /// Staged bytes of a full load that one commit takes in.
    pub load_bytes: u64,
    /// Staged bytes that one task reads.
    pub chunk_bytes: u64,
    /// Net changes of one key range.
    pub range_rows: u64,
    /// Bytes of them; one task has all of a range in memory, several times over.
    pub range_bytes: u64,
    /// Bytes of data files that one task replaces or masks.
    pub files_bytes: u64,
    /// Bytes of data files that one task of maintenance writes again, sorted on its disk.
    pub sorted_bytes: u64,
}

impl Default for JobSizes {
    fn default() -> Self {
        Self {
            least_bytes: 8 << 20,
            round_bytes: 20 << 30,
            load_bytes: 1 << 40,
            chunk_bytes: 256 << 20,
            range_rows: 1 << 18,
            range_bytes: 64 << 20,
            files_bytes: 512 << 20,
            sorted_bytes: 4 << 30,
        }
    }
}

impl JobSizes {
    /// How many bytes one of the parts has into which so many are divided: a few parts for each slot,
    /// so that none waits for long for the last one, and none is smaller than is worth a task.
    pub(super) fn part(most: u64, all: u64, slots: NonZeroUsize) -> u64 {
        const PARTS_EACH: u64 = 3;
        const LEAST_SHARE: u64 = 32;
        let parts = PARTS_EACH * slots.get() as u64;
        (all / parts).clamp((most / LEAST_SHARE).min(most), most).max(1)
    }
}
