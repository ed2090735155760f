//! Jobs in which everything goes through tasks, however small it is.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use dmslake::config::TableSpec;
use dmslake::error::{Error, ErrorKind, Result};
use dmslake::pipeline::job::{Job, JobSizes, Threads, Workers};
use dmslake::pipeline::{Limits, Observer, Pipeline, TableReport};
use futures::future::BoxFuture;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// So small that a few rows are many tasks.
pub(crate) fn tiny_sizes() -> JobSizes {
    JobSizes {
        least_bytes: 0,
        chunk_bytes: 300,
        range_rows: 8,
        files_bytes: 2000,
        ..JobSizes::default()
    }
}

/// Applies a table by tasks of this process, one after another.
pub(crate) fn apply_spread<'a>(
    pipeline: &'a Pipeline,
    spec: &'a TableSpec,
    limits: &'a Limits,
    observer: &'a dyn Observer,
) -> BoxFuture<'a, TableReport> {
    // Boxed here, because the compiler gives up on what would be nested in other futures.
    Box::pin(async move {
        let threads = Threads::new(pipeline.clone(), NonZeroUsize::MIN);
        let task_memory = pipeline.settings().memory_budget;
        let sizes = tiny_sizes();
        let job = Job { workers: &threads, sizes, task_memory, claim: None, run: None };
        pipeline.apply_spread(spec, limits, observer, job).await
    })
}

/// Ends what a job has claimed that crashed; else its claim would end by itself, after minutes.
pub(crate) async fn end_claims(pipeline: &Pipeline, spec: &TableSpec) {
    // Where it cannot be ended, whoever applies next waits and says so.
    drop(pipeline.cancel_job(spec, None).await);
}

/// An engine as engines are: it does some tasks twice and takes either result, loses others after
/// they are done, and sometimes gives a stage up.
pub(crate) struct Careless {
    threads: Threads,
    rng: Mutex<StdRng>,
}

impl Careless {
    pub(crate) fn new(pipeline: &Pipeline, rng: &mut StdRng) -> Self {
        let slots = NonZeroUsize::new(rng.random_range(1..4)).expect("not zero");
        let threads = Threads::new(pipeline.clone(), slots);
        Self { threads, rng: Mutex::new(StdRng::seed_from_u64(rng.random())) }
    }

    fn happens(&self, chance: f64) -> bool {
        self.rng.lock().unwrap_or_else(PoisonError::into_inner).random_bool(chance)
    }
}

#[async_trait]
impl Workers for Careless {
    fn slots(&self) -> NonZeroUsize {
        self.threads.slots()
    }

    async fn run(&self, stage: &'static str, tasks: Vec<String>) -> Result<Vec<String>> {
        if self.happens(0.05) {
            return Err(Error::new(ErrorKind::Unavailable, "no executor is left"));
        }
        // Speculation: all of it once more, at the same time.
        let (first, second) =
            tokio::join!(self.threads.run(stage, tasks.clone()), self.threads.run(stage, tasks));
        if self.happens(0.05) {
            return Err(Error::new(ErrorKind::Unavailable, "the executors were lost"));
        }
        let either = |(first, second)| if self.happens(0.5) { first } else { second };
        Ok(first?.into_iter().zip(second?).map(either).collect())
    }
}
