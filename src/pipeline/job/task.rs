//! One task: from its line of JSON to that of its result.

use std::num::NonZeroUsize;
use std::sync::Arc;

use crate::clock::Clock;
use crate::config::{
    CatalogSettings, HandOverSettings, LookBack, MaintainSettings, MetricsSettings, ReloadSettings,
    Settings,
};
use crate::error::{Error, ErrorKind, Result, ToldError};
use crate::maintenance::{RewritePart, rewrite_part};
use crate::pipeline::Pipeline;
use crate::pipeline::budget::task_budget;
use crate::pipeline::job::chunk::{self, Into};
use crate::pipeline::job::format::{
    Outcome, ResultLine, RewriteOutcome, RoundSpec, Task, TaskLine,
};
use crate::pipeline::job::scratch::Scratch;
use crate::pipeline::job::{files, insert, reduce};
use crate::pipeline::rebuild::{shadow, shadow_log};
use crate::schema::TableSchema;
use crate::storage::Location;
use crate::table::{self, LakeTable};

/// What a task works with.
pub(super) struct TaskContext<'a> {
    pub(super) round: &'a RoundSpec,
    pipeline: &'a Pipeline,
    pub(super) staging: Location,
    pub(super) scratch: Scratch,
    /// The table's columns.
    pub(super) columns: TableSchema,
    /// The table as the round is planned for; only where the task needs it.
    pub(super) table: Option<LakeTable>,
    /// Bytes of decoded rows that it may hold.
    pub(super) memory_budget: usize,
}

impl<'a> TaskContext<'a> {
    async fn open(pipeline: &'a Pipeline, line: &'a TaskLine) -> Result<Self> {
        let round = &line.round;
        let spec = &round.table;
        let needs_table = !matches!(line.task, Task::Net(_) | Task::Reduce(_));
        let table = if needs_table { Some(open_table(pipeline, round).await?) } else { None };
        Ok(Self {
            round,
            pipeline,
            staging: pipeline.staging_folder(&spec.source)?,
            scratch: Scratch::of(pipeline, spec, round.scratch)?,
            columns: TableSchema::new(round.columns.clone()),
            table,
            memory_budget: task_budget(round.memory_budget),
        })
    }

    pub(super) fn clock(&self) -> &'a Arc<dyn Clock> {
        self.pipeline.clock()
    }

    pub(super) fn table(&self) -> Result<&LakeTable> {
        self.table.as_ref().ok_or_else(|| Error::new(ErrorKind::Internal, "a task has no table"))
    }

    /// The name of a scratch object: another one for each attempt.
    pub(super) fn new_object(&self, what: &str) -> String {
        format!("{what}-{}", self.pipeline.clock().file_id())
    }
}

async fn open_table(pipeline: &Pipeline, round: &RoundSpec) -> Result<LakeTable> {
    let spec = &round.table;
    let folder = pipeline.lake_folder(&spec.source)?;
    let location = match round.shadow {
        Some(id) => shadow(&folder, &shadow_log(pipeline, spec, id)?),
        None => folder,
    };
    table::open_at(&location, round.version).await
}

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TaskEnd {
    /// It is done.
    Done,
    /// Another attempt may do better.
    MayBeRepeated,
    /// No attempt would.
    Final,
}

/// Does a task for the driver's own pipeline.
pub(super) async fn run_line(pipeline: &Pipeline, line: &str) -> String {
    let outcome = async {
        let line = TaskLine::parse(line)?;
        run(pipeline, &line).await
    };
    told(outcome.await).0
}

/// Does a task by itself: opens what it names.
pub(crate) async fn run_alone(line: &str, clock: Arc<dyn Clock>) -> (String, TaskEnd) {
    let outcome = async {
        let line = TaskLine::parse(line)?;
        let pipeline = Pipeline::open(settings(&line.round), clock).await?;
        run(&pipeline, &line).await
    };
    told(outcome.await)
}

fn told(outcome: Result<Outcome>) -> (String, TaskEnd) {
    let (result, end) = match outcome {
        Ok(outcome) => (ResultLine::Done(Box::new(outcome)), TaskEnd::Done),
        Err(error) if error.kind() == ErrorKind::Unavailable => {
            (ResultLine::Failed(ToldError::from(&error)), TaskEnd::MayBeRepeated)
        }
        Err(error) => (ResultLine::Failed(ToldError::from(&error)), TaskEnd::Final),
    };
    match serde_json::to_string(&result) {
        Ok(line) => (line, end),
        // The driver takes what it cannot read for a failure.
        Err(_) => (String::new(), TaskEnd::MayBeRepeated),
    }
}

async fn run(pipeline: &Pipeline, line: &TaskLine) -> Result<Outcome> {
    let context = TaskContext::open(pipeline, line).await?;
    Ok(match &line.task {
        Task::Load(chunk) => Outcome::Load(chunk::read(&context, chunk, Into::Files).await?),
        Task::Net(chunk) => Outcome::Net(chunk::read(&context, chunk, Into::Runs).await?),
        Task::Reduce(task) => Outcome::Reduce(reduce::reduce(&context, task).await?),
        Task::Files(task) => Outcome::Files(files::files(&context, task).await?),
        Task::Insert(task) => Outcome::Insert(insert::insert(&context, task).await?),
        Task::Rewrite(part) => Outcome::Rewrite(rewrite(&context, part).await?),
    })
}

async fn rewrite(context: &TaskContext<'_>, part: &RewritePart) -> Result<RewriteOutcome> {
    let table = context.table()?;
    let keys = table.columns_among(context.round.table.lake_keys());
    let (memory, clock) = (context.memory_budget, context.clock());
    Ok(RewriteOutcome { files: rewrite_part(table, &keys, part, memory, clock).await? })
}

/// So much of a configuration as a task needs.
fn settings(round: &RoundSpec) -> Settings {
    Settings {
        staging: round.staging.clone(),
        lake: round.lake.clone(),
        dms: round.dms.clone(),
        tables: vec![round.table.clone()],
        patterns: Vec::new(),
        memory_budget: round.memory_budget,
        look_every: None,
        staging_expiry_days: None,
        look_back: LookBack::default(),
        reload: ReloadSettings::default(),
        maintain: MaintainSettings::default(),
        hand_over: HandOverSettings::default(),
        metrics: MetricsSettings::default(),
        catalog: CatalogSettings::default(),
    }
}

/// How many tasks this machine does at once.
pub(crate) fn slots() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}
