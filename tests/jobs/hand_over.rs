//! What is too much for the function is left to a job, once; whatever becomes of the job, of its start
//! and of its claim, the table comes to equal its source, or waits and says so.

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use dmslake::config::TableName;
use dmslake::error::{Error, ErrorKind, Result};
use dmslake::glue::{JobRuns, RunState, Start};
use dmslake::pipeline::job::{Job, Threads, Workers};
use dmslake::pipeline::{HandsOver, Limits, Losses, Pipeline, Scope, Silent, Status, TableReport};
use dmslake::table::{Claim, HandOver};
use futures::FutureExt as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng, SeedableRng};
use uuid::Uuid;

use crate::jobs::shop::{Keys, Shop};
use crate::jobs::{MODES, spec_of};
use crate::support::clock::MovedClock;
use crate::support::property;
use crate::support::spread::{Careless, tiny_sizes};

/// What becomes of a request to start a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Begun,
    Refused,
    /// Its answer is lost, and it is started.
    LostAndBegun,
    /// Its answer is lost, and it is not started.
    Lost,
}

/// A stand-in for the job in Glue.
#[derive(Debug, Default)]
struct Runs {
    /// The next ones; then they begin.
    answers: Mutex<VecDeque<Answer>>,
    /// The hand-overs that runs were started for, by the runs' places.
    started: Mutex<Vec<Uuid>>,
    ended: Mutex<BTreeMap<String, String>>,
    stopped: Mutex<Vec<String>>,
    asked: Mutex<u32>,
}

impl Runs {
    fn will(&self, answers: &[Answer]) {
        self.answers.lock().unwrap().extend(answers);
    }

    fn started(&self) -> Vec<Uuid> {
        self.started.lock().unwrap().clone()
    }

    fn end(&self, run: usize, how: &str) {
        self.ended.lock().unwrap().insert(format!("jr_{run}"), how.to_owned());
    }
}

#[async_trait]
impl JobRuns for Runs {
    async fn start(&self, table: &TableName, hand_over: Uuid) -> Result<Start> {
        assert_eq!(table.to_string(), "shop.t");
        let answer = self.answers.lock().unwrap().pop_front().unwrap_or(Answer::Begun);
        let mut started = self.started.lock().unwrap();
        if [Answer::Begun, Answer::LostAndBegun].contains(&answer) {
            started.push(hand_over);
        }
        match answer {
            Answer::Begun => Ok(Start::Begun(format!("jr_{}", started.len()))),
            Answer::Refused => Ok(Start::Refused("too many runs at once".to_owned())),
            Answer::LostAndBegun | Answer::Lost => {
                Err(Error::new(ErrorKind::Unavailable, "Glue did not answer"))
            }
        }
    }

    async fn state(&self, run: &str) -> Result<RunState> {
        *self.asked.lock().unwrap() += 1;
        let ended = self.ended.lock().unwrap();
        Ok(ended.get(run).cloned().map_or(RunState::Alive, RunState::Ended))
    }

    async fn stop(&self, run: &str) -> Result<()> {
        self.stopped.lock().unwrap().push(run.to_owned());
        Ok(())
    }
}

/// A table, the function that applies it, and the job to which it leaves what is too much.
struct Site {
    shop: Shop,
    clock: Arc<MovedClock>,
    runs: Arc<Runs>,
}

impl Site {
    /// Of which slices are slow: each takes minutes by the clock.
    async fn with_slow_slices(mode: &'static str) -> Self {
        Self::new(mode, false).await
    }

    async fn new(mode: &'static str, is_guarded: bool) -> Self {
        let mut rng = StdRng::seed_from_u64(3);
        let mut shop = Shop::new(Keys::Integer, mode);
        shop.sections = "[hand_over]\nafter_minutes = 1\nattempts = 2";
        shop.budget = Some(1 << 10);
        shop.is_guarded = is_guarded;
        shop.load(&mut rng, 200).await;
        let clock = MovedClock::ticking(Duration::from_secs(10));
        Self { shop, clock, runs: Arc::default() }
    }

    /// The same behind its first slices, with changes pending that are left to a job.
    async fn handed_over(mode: &'static str, answers: &[Answer]) -> Self {
        let mut site = Self::with_slow_slices(mode).await;
        site.by_hand().await;
        let mut rng = StdRng::seed_from_u64(4);
        for _ in 0..20 {
            site.shop.change(&mut rng, 30).await;
        }
        site.runs.will(answers);
        let report = site.invoke().await;
        assert_eq!(report.status, Status::Held, "{report:?}");
        assert!(report.pending > 0 && report.pending < 20, "slices come first: {report:?}");
        site
    }

    fn function(&self) -> Pipeline {
        let pipeline = self.shop.pipeline_at(self.clock.clone());
        pipeline.handing_over(HandsOver::To(self.runs.clone()))
    }

    async fn invoke(&self) -> TableReport {
        self.invoke_for(&Scope::Everything).await
    }

    async fn invoke_for(&self, scope: &Scope) -> TableReport {
        let function = self.function();
        let limits = Limits { whole: Some(Duration::from_mins(15)), ..Limits::default() };
        function.apply(spec_of(&function), scope, &limits, &Silent).await
    }

    /// `dmslake apply`
    async fn by_hand(&self) -> TableReport {
        let pipeline = self.shop.pipeline_at(self.clock.clone());
        pipeline.apply(spec_of(&pipeline), &Scope::Everything, &Limits::default(), &Silent).await
    }

    async fn job(&self, claim: Option<Uuid>) -> TableReport {
        let pipeline = self.shop.pipeline_at(self.clock.clone());
        let threads = Threads::new(pipeline.clone(), NonZeroUsize::MIN);
        self.job_by(&pipeline, &threads, claim).await
    }

    async fn job_by(
        &self,
        pipeline: &Pipeline,
        workers: &dyn Workers,
        claim: Option<Uuid>,
    ) -> TableReport {
        let task_memory = self.shop.budget;
        let job = Job { workers, sizes: tiny_sizes(), task_memory, claim, run: None };
        pipeline.apply_spread(spec_of(pipeline), &Limits::default(), &Silent, job).await
    }

    async fn hand_over(&self) -> Option<HandOver> {
        let pipeline = self.shop.pipeline();
        pipeline.job_status(spec_of(&pipeline), None).await.expect("a state").hand_over
    }

    async fn equals_its_source(&self) {
        assert_eq!(self.shop.rows().await, self.shop.expected());
    }

    /// All is applied, and nothing is left to a job.
    async fn is_settled(&self) {
        self.equals_its_source().await;
        assert_eq!(self.hand_over().await, None);
        let report = self.by_hand().await;
        assert_eq!((report.status, report.objects, report.pending), (Status::Ok, 0, 0));
    }
}

#[tokio::test]
async fn what_takes_too_long_is_left_to_one_job_and_others_wait_for_it() {
    for mode in MODES {
        let site = Site::handed_over(mode, &[]).await;
        assert_eq!(site.runs.started().len(), 1);
        let version = site.by_hand().await.version;
        let doorbell = Scope::Named(vec!["dms/shop/t/20240101-000000001.csv".to_owned()]);
        for report in [
            site.invoke().await,
            site.invoke_for(&doorbell).await,
            site.by_hand().await,
            site.job(None).await,
        ] {
            let end = (report.status, report.error_kind, report.objects);
            assert_eq!(end, (Status::Held, Some(ErrorKind::HandedOver), 0), "{report:?}");
            assert!(report.version.is_none_or(|it| Some(it) == version), "{report:?}");
        }
        assert_eq!(site.runs.started().len(), 1, "once");
        let report = site.job(Some(site.runs.started()[0])).await;
        assert_eq!((report.status, report.pending), (Status::Ok, 0), "{report:?}");
        site.is_settled().await;
        assert_eq!(site.invoke().await.status, Status::Ok);
    }
}

#[tokio::test]
async fn a_run_whose_offer_is_gone_or_taken_ends_at_once() {
    let site = Site::handed_over("copy-on-write", &[]).await;
    let id = site.runs.started()[0];
    let version = site.by_hand().await.version;
    let stranger = site.job(Some(Uuid::from_u128(5))).await;
    assert_eq!(stranger.error_kind, Some(ErrorKind::HandedOver), "{stranger:?}");
    let pipeline = site.shop.pipeline_at(site.clock.clone());
    let cancelled = pipeline.cancel_job(spec_of(&pipeline), Some(&*site.runs)).await.unwrap();
    assert!(!cancelled.is_live, "{cancelled:?}");
    assert_eq!(*site.runs.stopped.lock().unwrap(), ["jr_1"]);
    let late = site.job(Some(id)).await;
    assert_eq!((late.error_kind, late.objects), (Some(ErrorKind::HandedOver), 0), "{late:?}");
    // Nothing is begun by itself again, and the message tells how it is.
    site.clock.pass(Duration::from_hours(48));
    let held = site.invoke().await;
    assert_eq!((held.error_kind, held.version), (Some(ErrorKind::JobFailed), version));
    assert!(held.error.unwrap().contains("dmslake job start shop.t"));
    // One of the remedies.
    assert_eq!(site.by_hand().await.status, Status::Ok);
    site.is_settled().await;
}

#[tokio::test]
async fn a_start_that_is_refused_is_tried_again_later_and_holds_the_table_in_the_end() {
    let site = Site::handed_over("deletion-vectors", &[Answer::Refused, Answer::Refused]).await;
    let waits = site.invoke().await;
    assert_eq!(waits.error_kind, Some(ErrorKind::HandedOver), "{waits:?}");
    assert!(waits.error.unwrap().contains("too many runs at once"), "it says why");
    let refused = site.hand_over().await.expect("it stands");
    assert!(matches!(refused.claim, Claim::Failed { again: Some(_), .. }), "{refused:?}");
    site.clock.pass(Duration::from_mins(3));
    let held = site.invoke().await;
    assert_eq!(held.error_kind, Some(ErrorKind::JobFailed), "{held:?}");
    site.clock.pass(Duration::from_hours(3));
    assert_eq!(site.invoke().await.error_kind, Some(ErrorKind::JobFailed));
    assert!(site.runs.started().is_empty());
    // The other remedy.
    let pipeline = site.shop.pipeline_at(site.clock.clone());
    let started = pipeline.start_job(spec_of(&pipeline), &*site.runs).await.unwrap();
    assert!(started.is_live && started.hand_over.unwrap().failures == 0);
    assert_eq!(site.job(Some(site.runs.started()[0])).await.status, Status::Ok);
    site.is_settled().await;
}

#[tokio::test]
async fn a_lost_answer_starts_nothing_twice() {
    let site = Site::handed_over("copy-on-write", &[Answer::LostAndBegun]).await;
    assert_eq!(site.invoke().await.error_kind, Some(ErrorKind::HandedOver));
    assert_eq!(site.runs.started().len(), 1);
    assert_eq!(site.job(Some(site.runs.started()[0])).await.status, Status::Ok);
    site.is_settled().await;

    let site = Site::handed_over("copy-on-write", &[Answer::Lost]).await;
    site.clock.pass(Duration::from_mins(19));
    assert_eq!(site.invoke().await.error_kind, Some(ErrorKind::HandedOver));
    assert!(site.runs.started().is_empty(), "it may still begin");
    site.clock.pass(Duration::from_mins(5));
    let waits = site.invoke().await;
    assert!(waits.error.unwrap().contains("no job has begun in time"));
    site.clock.pass(Duration::from_mins(3));
    site.invoke().await;
    assert_eq!(site.runs.started().len(), 1);
    assert_eq!(site.job(Some(site.runs.started()[0])).await.status, Status::Ok);
    site.is_settled().await;
}

#[tokio::test]
async fn a_run_that_waits_for_workers_is_waited_for() {
    let site = Site::handed_over("copy-on-write", &[]).await;
    for _ in 0..5 {
        site.clock.pass(Duration::from_mins(30));
        let waits = site.invoke().await;
        assert_eq!(waits.error_kind, Some(ErrorKind::HandedOver), "{waits:?}");
        assert!(!waits.error.unwrap().contains("failed"), "it is in a queue");
    }
    assert_eq!(site.runs.started().len(), 1);
    assert_eq!(site.job(Some(site.runs.started()[0])).await.status, Status::Ok);
    site.is_settled().await;
}

/// Workers whose driver is killed at a stage, or for which time passes there.
struct AtStage<'a> {
    threads: Threads,
    stage: &'static str,
    is_met: AtomicBool,
    then: Box<dyn Fn() -> futures::future::BoxFuture<'a, ()> + Send + Sync + 'a>,
}

#[async_trait]
impl Workers for AtStage<'_> {
    fn slots(&self) -> NonZeroUsize {
        NonZeroUsize::MIN
    }

    async fn run(&self, stage: &'static str, tasks: Vec<String>) -> Result<Vec<String>> {
        if stage == self.stage && !self.is_met.swap(true, Ordering::SeqCst) {
            (self.then)().await;
        }
        self.threads.run(stage, tasks).await
    }
}

impl Site {
    /// A driver that is killed when it comes to a stage.
    async fn killed_at(&self, stage: &'static str, claim: Option<Uuid>) {
        let pipeline = self.shop.pipeline_at(self.clock.clone());
        let (killed, kill) = tokio::sync::oneshot::channel::<()>();
        let killed = Mutex::new(Some(killed));
        let then = Box::new(|| {
            drop(killed.lock().unwrap().take());
            futures::future::pending().boxed()
        });
        let threads = Threads::new(pipeline.clone(), NonZeroUsize::MIN);
        let workers = AtStage { threads, stage, is_met: AtomicBool::new(false), then };
        let work = std::pin::pin!(self.job_by(&pipeline, &workers, claim));
        let ended = futures::future::select(work, kill).await;
        assert!(matches!(ended, futures::future::Either::Right(_)), "{stage} is a stage");
    }
}

#[tokio::test]
async fn a_job_that_died_is_seen_by_the_next_sweep_and_started_again() {
    for (stage, is_told) in [("net", true), ("files", false)] {
        let site = Site::handed_over("copy-on-write", &[]).await;
        site.killed_at(stage, Some(site.runs.started()[0])).await;
        assert_eq!(site.invoke().await.error_kind, Some(ErrorKind::HandedOver));
        if is_told {
            site.runs.end(1, "its run in Glue ended: FAILED");
            let doorbell = Scope::Named(vec!["dms/shop/t/20240101-000000001.csv".to_owned()]);
            let asked = *site.runs.asked.lock().unwrap();
            site.invoke_for(&doorbell).await;
            assert_eq!(*site.runs.asked.lock().unwrap(), asked, "only sweeps ask");
        } else {
            site.clock.pass(Duration::from_mins(11));
        }
        let waits = site.invoke().await;
        assert_eq!(waits.error_kind, Some(ErrorKind::HandedOver), "{waits:?}");
        let why = if is_told { "ended: FAILED" } else { "has not renewed its claim" };
        assert!(waits.error.as_ref().unwrap().contains(why), "{waits:?}");
        site.clock.pass(Duration::from_mins(3));
        site.invoke().await;
        assert_eq!(site.runs.started().len(), 2);
        assert_eq!(site.job(Some(site.runs.started()[1])).await.status, Status::Ok);
        site.is_settled().await;
    }
}

#[tokio::test]
async fn a_job_whose_claim_has_ended_under_it_takes_nothing_twice() {
    for stage in ["net", "reduce", "files", "insert"] {
        let site = &Site::handed_over("copy-on-write", &[]).await;
        let pipeline = site.shop.pipeline_at(site.clock.clone());
        let then = Box::new(|| {
            async {
                site.clock.pass(Duration::from_mins(11));
                site.invoke().await;
                site.clock.pass(Duration::from_mins(3));
                site.invoke().await;
                assert_eq!(site.runs.started().len(), 2);
                let report = site.job(Some(site.runs.started()[1])).await;
                assert_eq!((report.status, report.pending), (Status::Ok, 0), "{report:?}");
            }
            .boxed()
        });
        let threads = Threads::new(pipeline.clone(), NonZeroUsize::MIN);
        let zombie = AtStage { threads, stage, is_met: AtomicBool::new(false), then };
        let report = site.job_by(&pipeline, &zombie, Some(site.runs.started()[0])).await;
        assert!(zombie.is_met.load(Ordering::SeqCst));
        assert_eq!(report.objects, 0, "the other had all: {report:?}");
        site.is_settled().await;
    }
}

#[tokio::test]
async fn what_has_too_little_memory_is_left_to_a_job() {
    let mut site = Site::with_slow_slices("copy-on-write").await;
    site.by_hand().await;
    site.shop.stage("20240101-000000001.csv", &format!("I,9000,{}\n", "x".repeat(20 << 20))).await;
    let held = site.invoke().await;
    assert_eq!(held.error_kind, Some(ErrorKind::HandedOver), "{held:?}");
    assert!(held.error.unwrap().contains("too little memory"));
    site.shop.budget = None;
    assert_eq!(site.job(Some(site.runs.started()[0])).await.status, Status::Ok);
    assert_eq!(site.hand_over().await, None);
}

/// Where writing files again for one commit takes longer than an invocation.
#[tokio::test]
async fn what_no_invocation_can_write_again_is_left_to_a_job() {
    for (mode, is_left) in [("copy-on-write", true), ("deletion-vectors", false)] {
        let mut site = Site::with_slow_slices(mode).await;
        site.by_hand().await;
        site.shop.change(&mut StdRng::seed_from_u64(4), 5).await;
        let version = site.by_hand().await.version;
        site.shop.change(&mut StdRng::seed_from_u64(5), 30).await;
        let function = site.function();
        let limits = Limits { whole: Some(Duration::from_micros(1)), ..Limits::default() };
        let report = function.apply(spec_of(&function), &Scope::Everything, &limits, &Silent).await;
        let kind = is_left.then_some(ErrorKind::HandedOver);
        assert_eq!(report.error_kind, kind, "{report:?}");
        if is_left {
            assert_eq!(report.version, version, "nothing is written");
            assert!(report.error.unwrap().contains("to be written again for one commit"));
            assert_eq!(site.job(Some(site.runs.started()[0])).await.status, Status::Ok);
        }
        site.is_settled().await;
    }
}

#[tokio::test]
async fn a_first_load_and_a_rebuild_are_left_to_a_job_too() {
    let mut site = Site::with_slow_slices("copy-on-write").await;
    let held = site.invoke().await;
    assert_eq!(held.error_kind, Some(ErrorKind::HandedOver), "{held:?}");
    assert_eq!(site.job(Some(site.runs.started()[0])).await.status, Status::Ok);
    site.is_settled().await;
    site.shop.change(&mut StdRng::seed_from_u64(5), 30).await;
    let function = site.function();
    let plan = function.plan_rebuild(spec_of(&function)).await.expect("a plan");
    let begun = function.begin_rebuild(spec_of(&function), &plan, Losses::Refused).await;
    begun.expect("it is begun");
    let held = site.invoke().await;
    assert_eq!(held.error_kind, Some(ErrorKind::HandedOver), "{held:?}");
    let report = site.job(Some(site.runs.started()[1])).await;
    assert!(report.status == Status::Ok && report.rebuilt.is_some(), "{report:?}");
    site.is_settled().await;
}

#[tokio::test]
async fn where_reports_only_say_so_slices_go_on() {
    let mut site = Site::with_slow_slices("copy-on-write").await;
    site.shop.sections = "[hand_over]\nto = \"report\"\nafter_minutes = 1";
    let function = site.shop.pipeline_at(site.clock.clone()).handing_over(HandsOver::Reports);
    let limits = Limits::default();
    let report = function.apply(spec_of(&function), &Scope::Everything, &limits, &Silent).await;
    assert_eq!((report.status, report.pending), (Status::Ok, 0), "{report:?}");
    assert_eq!(report.warnings, Vec::<String>::new(), "little is pending");
    site.is_settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_does_what_when_the_table_comes_to_equal_its_source() {
    let name = "whoever_does_what_when_the_table_comes_to_equal_its_source";
    property::check(name, 8, 3, comes_to_equal).await;
}

async fn comes_to_equal(mut rng: StdRng) {
    let is_guarded = rng.random_bool(0.3);
    let mut site = Site::new(MODES.choose(&mut rng).unwrap(), is_guarded).await;
    for _ in 0..rng.random_range(3..12) {
        match rng.random_range(0..9) {
            0 | 1 => {
                let changes = rng.random_range(0..60);
                site.shop.change(&mut rng, changes).await;
            }
            2 => {
                let answers = [Answer::Begun, Answer::Refused, Answer::LostAndBegun, Answer::Lost];
                site.runs.will(&[*answers.choose(&mut rng).unwrap()]);
            }
            3 => site.clock.pass(Duration::from_mins(rng.random_range(1..40))),
            4 => {
                let report = site.by_hand().await;
                assert_ne!(report.status, Status::Failed, "{report:?}");
            }
            5 | 6 => {
                let report = site.invoke().await;
                assert_ne!(report.status, Status::Failed, "{report:?}");
            }
            7 => {
                // Any of the runs that were started, dead ones and doubles among them.
                let claim = site.runs.started().choose(&mut rng).copied();
                let pipeline = site.shop.pipeline_at(site.clock.clone());
                let careless = Careless::new(&pipeline, &mut rng);
                site.job_by(&pipeline, &careless, claim).await;
            }
            _ => {
                let pipeline = site.shop.pipeline_at(site.clock.clone());
                if rng.random_bool(0.5) {
                    pipeline.start_job(spec_of(&pipeline), &*site.runs).await.unwrap();
                } else {
                    pipeline.cancel_job(spec_of(&pipeline), None).await.unwrap();
                }
            }
        }
        let report = site.shop.pipeline().job_status(spec_of(&site.shop.pipeline()), None).await;
        report.expect("a state that can be read");
    }
    // In the end somebody has time.
    site.clock.pass(Duration::from_hours(1));
    let report = site.by_hand().await;
    assert_eq!((report.status, report.pending), (Status::Ok, 0), "{report:?}");
    site.is_settled().await;
}
