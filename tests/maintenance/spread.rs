//! Maintenance by a job: rewrites in parts, each by a task.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use dmslake::config::MergeMode;
use dmslake::error::Result;
use dmslake::maintenance::{Action, MaintenanceReport, Outcome};
use dmslake::pipeline::job::{Job, JobSizes, Threads, Workers};
use dmslake::pipeline::{Limits, Pipeline, Silent, Status};
use tokio::sync::Mutex;

use super::site::{Site, mode_name};
use super::{actions, overlapping};

/// Threads that count their tasks, and before the first of which another writer may commit.
struct Counted {
    threads: Threads,
    tasks: AtomicU32,
    stages: AtomicU32,
    /// Where the other writer is.
    other: Option<Mutex<Site>>,
}

impl Counted {
    fn new(pipeline: &Pipeline, other: Option<Site>) -> Self {
        let threads = Threads::new(pipeline.clone(), NonZeroUsize::MIN);
        let (tasks, stages) = (AtomicU32::new(0), AtomicU32::new(0));
        Self { threads, tasks, stages, other: other.map(Mutex::new) }
    }

    fn count(&self) -> (u32, u32) {
        (self.stages.load(Ordering::SeqCst), self.tasks.load(Ordering::SeqCst))
    }
}

#[async_trait]
impl Workers for Counted {
    fn slots(&self) -> NonZeroUsize {
        NonZeroUsize::new(2).expect("not zero")
    }

    async fn run(&self, stage: &'static str, tasks: Vec<String>) -> Result<Vec<String>> {
        assert_eq!(stage, "rewrite");
        self.tasks.fetch_add(u32::try_from(tasks.len()).expect("few"), Ordering::SeqCst);
        let is_first = self.stages.fetch_add(1, Ordering::SeqCst) == 0;
        let results = self.threads.run(stage, tasks).await;
        if let (true, Some(other)) = (is_first, &self.other) {
            // One key of one file.
            other.lock().await.merge([0], &[]).await;
        }
        results
    }
}

/// A job that has nothing to apply, with parts of so many bytes.
async fn maintained(
    site: &Site,
    mode: MergeMode,
    part_bytes: u64,
    other: Option<Site>,
) -> (MaintenanceReport, (u32, u32)) {
    let keeper = site.keeper(mode_name(mode), "", None).await;
    let workers = Counted::new(&keeper, other);
    let sizes = JobSizes { sorted_bytes: part_bytes, ..JobSizes::default() };
    let job = Job { workers: &workers, sizes, task_memory: None, claim: None, run: None };
    let table = &keeper.settings().tables[0];
    let (applied, report) = keeper.run_job(table, &Limits::default(), &Silent, job).await;
    assert_eq!((applied.status, applied.objects), (Status::Ok, 0), "{applied:?}");
    let report = report.expect("nothing was to be applied");
    assert_eq!(report.status, Status::Ok, "{report:?}");
    (report, workers.count())
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_are_written_by_tasks_and_committed_together() {
    let site = overlapping(MergeMode::CopyOnWrite).await;
    let each = std::fs::metadata(site.root().join(&site.stored(".parquet")[0])).unwrap().len();
    let (report, count) = maintained(&site, MergeMode::CopyOnWrite, each * 7 / 2, None).await;
    assert_eq!(actions(&report), [Action::Compact, Action::Checkpoint]);
    assert_eq!(count, (1, 3), "three parts of three files, in one commit");
    assert_eq!((report.actions[0].files_removed, report.actions[0].files_added), (9, 3));
    assert_eq!(site.files().await, [(300, 0); 3]);
    site.check().await;
    let (again, count) = maintained(&site, MergeMode::CopyOnWrite, each * 7 / 2, None).await;
    assert_eq!((actions(&again), count), (vec![], (0, 0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn masked_rows_go_in_parts_too() {
    let mut site = Site::new(MergeMode::DeletionVectors).await;
    for file in 0..6 {
        site.append(file * 1000..(file + 1) * 1000).await;
    }
    let deletes: Vec<i64> = (0..6).flat_map(|file| file * 1000..file * 1000 + 400).collect();
    site.merge([], &deletes).await;
    let (report, count) = maintained(&site, MergeMode::DeletionVectors, 1, None).await;
    assert_eq!(count, (2, 6), "a part for each file, four of them in one commit");
    let purges = report.actions.iter().filter(|it| it.action == Action::Purge).count();
    assert_eq!(purges, 2, "{report:?}");
    assert_eq!(site.files().await, [(600, 0); 6]);
    site.check().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_writer_changes_meanwhile_is_left_out() {
    let mut site = Site::new(MergeMode::DeletionVectors).await;
    for file in 0..4 {
        site.append(file * 1000..(file + 1) * 1000).await;
    }
    let deletes: Vec<i64> = (0..4).flat_map(|file| file * 1000 + 1..file * 1000 + 400).collect();
    site.merge([], &deletes).await;
    let (report, count) =
        maintained(&site, MergeMode::DeletionVectors, 1, Some(site.beside())).await;
    site.rows.insert(0, site.content_at(report.version.unwrap()).await[&0].clone());
    let done: Vec<_> = report.actions.iter().map(|it| (it.action, it.outcome)).collect();
    assert_eq!(done[..2], [(Action::Purge, Outcome::Done); 2], "{report:?}");
    assert_eq!(report.actions[0].files_removed, 3, "but for the one that was changed");
    assert_eq!(report.actions[1].files_removed, 1, "which is due again");
    assert_eq!(count, (2, 5));
    assert!(site.files().await.iter().all(|(_, masked)| *masked == 0));
    site.check().await;
}

/// Looks at what others may do while its job is at work.
struct Beside<'a>(&'a Site, Counted);
#[async_trait]
impl Workers for Beside<'_> {
    fn slots(&self) -> NonZeroUsize {
        NonZeroUsize::MIN
    }

    async fn run(&self, stage: &'static str, tasks: Vec<String>) -> Result<Vec<String>> {
        let report = self.0.maintain().await;
        let compact = &report.actions[0];
        assert_eq!((compact.action, compact.outcome), (Action::Compact, Outcome::Skipped));
        assert!(compact.reason.ends_with("the table is left to a job"), "{report:?}");
        self.1.run(stage, tasks).await
    }
}

/// The function compacts nothing while a job is at work, which would have to look again.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_left_to_a_job_is_not_compacted_by_others() {
    let site = overlapping(MergeMode::CopyOnWrite).await;
    let keeper = site.keeper("copy-on-write", "", None).await;
    let table = &keeper.settings().tables[0];
    let workers = Beside(&site, Counted::new(&keeper, None));
    let sizes = JobSizes::default();
    let job = Job { workers: &workers, sizes, task_memory: None, claim: None, run: None };
    let (_, report) = keeper.run_job(table, &Limits::default(), &Silent, job).await;
    assert_eq!(actions(&report.expect("it was maintained"))[0], Action::Compact);
    site.check().await;
}
