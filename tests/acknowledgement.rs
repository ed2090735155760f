//! Which messages come back: how the function answers a queue or another sender, for every way in
//! which tables can end, and how it shares out its time. The tables are scripted. `lambda.rs` tests
//! the same with the real pipeline and the real binary.

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use dmslake::clock::{Clock, SystemClock};
use dmslake::config::{Settings, SourcePattern, TableName, TablePattern, TableSpec};
use dmslake::error::{Error, ErrorKind, Result};
use dmslake::lambda::{Answer, ApplyTables, Deadline, answer};
use dmslake::maintenance::MaintenanceReport;
use dmslake::metrics::Snapshot;
use dmslake::pipeline::{Limits, Scope, Status, TableReport};
use dmslake::progress::Counts;
use dmslake::staging::Survey;
use dmslake::storage::Location;
use serde_json::{Value, json};
use tokio::sync::Barrier;
use uuid::Uuid;

use crate::events::{in_memory, settings};
use crate::support::clock::StoppedClock;
use crate::support::events::{queue, s3_notification, test_event};

/// A clock that runs, and that gives the first turn to the first table.
#[derive(Debug)]
struct FirstFirst;

impl Clock for FirstFirst {
    fn now(&self) -> DateTime<Utc> {
        SystemClock.now()
    }

    fn instant(&self) -> Instant {
        SystemClock.instant()
    }

    fn attempt_id(&self) -> Uuid {
        SystemClock.attempt_id()
    }

    fn jitter(&self, _limit: Duration) -> Duration {
        Duration::ZERO
    }
}

/// The course of one application.
#[derive(Clone)]
enum Play {
    Ends {
        pending: u64,
        after: Duration,
    },
    Held,
    Fails(ErrorKind),
    Panics,
    Hangs,
    /// Once so many others are under way too.
    Meets(Arc<Barrier>),
    /// It needs a larger part of the memory.
    LacksMemory,
}

fn ends(pending: u64, seconds: u64) -> Play {
    Play::Ends { pending, after: Duration::from_secs(seconds) }
}

/// Tables that follow a script. Without one, they end well.
struct Scripted {
    settings: Settings,
    staging: Location,
    clock: Arc<StoppedClock>,
    scripts: Mutex<BTreeMap<&'static str, VecDeque<Play>>>,
    /// What was applied, and the seconds that it was given.
    seen: Mutex<Vec<(String, Scope, u64)>>,
    /// How many shared the memory each time.
    sharers: Mutex<Vec<usize>>,
    /// The table whose maintenance panics.
    broken: Option<&'static str>,
    /// The reason why staging and lake cannot be used at all.
    refused: Option<&'static str>,
    /// How many have their first turns side by side.
    at_once: NonZeroUsize,
}

impl Scripted {
    fn new<const N: usize>(scripts: [(&'static str, &[Play]); N]) -> Self {
        let tables = [("shop", "a"), ("shop", "b"), ("shop", "c")];
        let scripts = scripts.map(|(table, plays)| (table, plays.iter().cloned().collect()));
        Self {
            settings: settings("s3://staging/dms", &tables),
            staging: in_memory("s3://staging/dms"),
            clock: StoppedClock::new(),
            scripts: Mutex::new(scripts.into()),
            seen: Mutex::default(),
            sharers: Mutex::default(),
            broken: None,
            refused: None,
            at_once: NonZeroUsize::MIN,
        }
    }

    async fn answer(&self, event: &Value) -> Result<Answer> {
        let deadline = Deadline::after(Duration::from_secs(100), self.clock.instant());
        answer(self, event, deadline, self.clock.as_ref()).await
    }

    /// The ids of the messages that come back.
    async fn failures(&self, messages: &[(&str, &Value)]) -> Vec<String> {
        match self.answer(&queue(messages)).await.expect("a batch never fails as a whole") {
            Answer::Queue { batch_item_failures } => {
                batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect()
            }
            other => panic!("a queue gets no summary: {other:?}"),
        }
    }

    fn seen(&self) -> Vec<(String, Scope, u64)> {
        self.seen.lock().expect("not poisoned").clone()
    }
}

#[async_trait]
impl ApplyTables for Scripted {
    async fn publish(&self, _snapshot: &Snapshot, _patience: Duration) {}

    fn settings(&self) -> &Settings {
        &self.settings
    }

    fn staging(&self) -> &Location {
        &self.staging
    }

    fn tables_at_once(&self) -> NonZeroUsize {
        self.at_once
    }

    async fn asks_for_nothing(&self, _table: &TableSpec, _scope: &Scope) -> bool {
        false
    }

    async fn apply(&self, table: &TableSpec, scope: &Scope, limits: &Limits) -> TableReport {
        let given = limits.deadline.expect("an invocation ends") - self.clock.instant();
        let name = table.source.to_string();
        self.sharers.lock().expect("not poisoned").push(limits.sharers.get());
        let seen = (name.clone(), scope.clone(), given.as_secs());
        self.seen.lock().expect("not poisoned").push(seen);
        let play = {
            let mut scripts = self.scripts.lock().expect("not poisoned");
            scripts.get_mut(table.source.table.as_str()).and_then(VecDeque::pop_front)
        };
        let report = TableReport {
            table: name,
            objects: 1,
            counts: Counts { rows: 10, ..Counts::default() },
            ..TableReport::default()
        };
        match play.unwrap_or(ends(0, 0)) {
            Play::Ends { pending, after } => {
                self.clock.pass(after);
                TableReport { pending, ..report }
            }
            Play::Held => TableReport {
                status: Status::Held,
                pending: 7,
                error: Some("late object".into()),
                error_kind: Some(ErrorKind::LateObject),
                ..report
            },
            Play::Fails(kind) => TableReport {
                status: Status::Failed,
                error: Some("it broke".into()),
                error_kind: Some(kind),
                ..report
            },
            Play::Panics => panic!("a defect"),
            Play::Hangs => std::future::pending().await,
            Play::Meets(others) => {
                others.wait().await;
                report
            }
            Play::LacksMemory => TableReport {
                status: Status::Failed,
                error: Some("too little memory".into()),
                error_kind: Some(ErrorKind::MalformedObject),
                lacks_memory: true,
                ..report
            },
        }
    }

    async fn maintain(&self, table: &TableSpec, limits: &Limits) -> MaintenanceReport {
        assert!(limits.deadline.is_some(), "an invocation ends");
        let name = table.source.to_string();
        assert_ne!(Some(name.as_str()), self.broken, "a defect");
        self.clock.pass(Duration::from_secs(25));
        MaintenanceReport { table: name, version: Some(3), ..MaintenanceReport::default() }
    }

    async fn survey(&self) -> Result<Survey> {
        let unconfigured = vec![TableName { schema: "shop".into(), table: "staged".into() }];
        let is_undiscovered = |name: &TableName| self.settings.is_undiscovered(name);
        let new = TableName { schema: "shop".into(), table: "new".into() };
        let undiscovered = Some(new).filter(is_undiscovered).into_iter().collect();
        Ok(Survey { unconfigured, undiscovered, transaction_ordered: vec![] })
    }

    async fn probe(&self) -> Result<()> {
        match self.refused {
            Some(sentence) => Err(Error::new(ErrorKind::StoreRefused, sentence)),
            None => Ok(()),
        }
    }
}

fn object(table: &str, name: &str) -> Value {
    s3_notification(&format!("dms/shop/{table}/{name}.csv"))
}

fn both(first: &Value, second: &Value) -> Value {
    json!({"Records": [first["Records"][0], second["Records"][0]]})
}

#[tokio::test]
async fn messages_of_tables_that_are_caught_up_or_held_are_acknowledged() {
    let tables = Scripted::new([("b", &[Play::Held])]);
    let (a, b) = (object("a", "1"), object("b", "1"));
    let unconfigured = object("refunds", "1");
    let messages =
        [("1", &a), ("2", &b), ("3", &unconfigured), ("4", &test_event()), ("5", &both(&a, &b))];
    assert_eq!(tables.failures(&messages).await, [""; 0]);
    assert_eq!(tables.seen().len(), 2);
}

#[tokio::test]
async fn messages_of_tables_that_failed_or_need_time_come_back() {
    let unavailable = Play::Fails(ErrorKind::Unavailable);
    let tables = Scripted::new([("a", &[unavailable]), ("b", &[ends(3, 0), ends(2, 0)])]);
    let (a, b, c) = (object("a", "1"), object("b", "1"), object("c", "1"));
    let messages = [
        ("1", &a),
        ("2", &b),
        ("3", &c),
        ("4", &both(&c, &a)),
        ("5", &json!({"hello": 1})),
        ("6", &json!({"tables": ["shop.unknown"]})),
    ];
    assert_eq!(tables.failures(&messages).await, ["1", "2", "4", "5", "6"]);
}

#[tokio::test]
async fn a_table_is_applied_once_for_all_its_messages() {
    let tables = Scripted::new([]);
    let (one, two) = (object("a", "1"), object("a", "2"));
    let messages = [("1", &two), ("2", &one), ("3", &two)];
    assert_eq!(tables.failures(&messages).await, [""; 0]);
    let keys = vec!["dms/shop/a/1.csv".to_owned(), "dms/shop/a/2.csv".to_owned()];
    assert_eq!(tables.seen(), [("shop.a".into(), Scope::Named(keys), 90)]);
}

#[tokio::test]
async fn a_panic_fails_its_own_table_only() {
    let tables = Scripted::new([("a", &[Play::Panics])]);
    let messages = [("1", &object("a", "1")), ("2", &object("b", "1"))];
    assert_eq!(tables.failures(&messages).await, ["1"]);
    assert_eq!(tables.seen().len(), 2);
}

#[tokio::test]
async fn an_application_that_hangs_is_dropped_in_time_to_answer() {
    let tables = Scripted::new([("b", &[Play::Hangs])]);
    let event = queue(&[("1", &object("a", "1")), ("2", &object("b", "1"))]);
    let start = SystemClock.instant();
    let deadline = Deadline::after(Duration::from_secs(8), start);
    let answer = answer(&tables, &event, deadline, &FirstFirst).await.expect("an answer");
    assert!(start.elapsed() < Duration::from_mins(1));
    let answer = serde_json::to_value(answer).expect("JSON");
    assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "2"}]}));
}

#[tokio::test]
async fn a_long_backlog_leaves_time_for_the_others_and_then_takes_what_is_left() {
    let tables = Scripted::new([("a", &[ends(9, 30), ends(4, 40)])]);
    let answer = tables.answer(&json!({"sweep": true})).await;
    let error = answer.expect_err("something is pending");
    assert_eq!(error.kind(), ErrorKind::Deadline);
    assert!(error.to_string().contains("shop.a: 4 objects"), "{error}");
    let given: Vec<_> = tables.seen().into_iter().map(|(table, _, given)| (table, given)).collect();
    let table = |name: &str, given| (format!("shop.{name}"), given);
    assert_eq!(given, [table("a", 30), table("b", 30), table("c", 60), table("a", 60)]);
}

#[tokio::test]
async fn applications_of_one_table_are_reported_as_one() {
    let tables = Scripted::new([("a", &[ends(9, 30), ends(0, 40)])]);
    let answer = tables.answer(&json!({"sweep": true})).await.expect("all caught up");
    let Answer::Summary { tables, unconfigured, .. } = answer else { panic!("no summary") };
    let found: Vec<_> = tables
        .iter()
        .map(|report| (report.table.as_str(), report.objects, report.counts.rows))
        .collect();
    assert_eq!(found, [("shop.a", 2, 20), ("shop.b", 1, 10), ("shop.c", 1, 10)]);
    assert_eq!(unconfigured, ["shop.staged"]);
}

#[tokio::test]
async fn a_sweep_maintains_every_table_that_time_allows_and_fails_by_none() {
    let broken = Some("shop.b");
    let tables = Scripted { broken, ..Scripted::new([("a", &[ends(0, 30)])]) };
    let answer = tables.answer(&json!({"sweep": true})).await.expect("all caught up");
    let Answer::Summary { maintenance, .. } = answer else { panic!("no summary") };
    let found: Vec<_> =
        maintenance.iter().map(|report| (report.table.as_str(), report.status)).collect();
    let (ok, failed) = (Status::Ok, Status::Failed);
    assert_eq!(found, [("shop.a", ok), ("shop.b", failed), ("shop.c", ok)]);
    assert_eq!(maintenance[1].error.as_deref(), Some("the maintenance panicked"));

    let busy = Scripted::new([("a", &[ends(0, 50)])]);
    let answer = busy.answer(&json!({"sweep": true})).await.expect("all caught up");
    let Answer::Summary { maintenance, .. } = answer else { panic!("no summary") };
    assert_eq!(maintenance.len(), 2, "the third waits for the next sweep");

    let named = Scripted::new([]);
    let answer = named.answer(&json!({"tables": ["shop.a"]})).await.expect("caught up");
    let answer = serde_json::to_value(answer).expect("JSON");
    assert_eq!(answer.get("maintenance"), None, "only a sweep maintains");
}

/// First turns are side by side and share the memory; what that is too little for has all of it then.
#[tokio::test]
async fn tables_are_applied_side_by_side_and_large_ones_then_alone() {
    let others = Arc::new(Barrier::new(2));
    let meets = || [Play::Meets(Arc::clone(&others))];
    let tables = Scripted {
        at_once: NonZeroUsize::new(2).expect("not zero"),
        ..Scripted::new([("a", &[Play::LacksMemory, ends(0, 0)]), ("b", &meets()), ("c", &meets())])
    };
    let messages = ["a", "b", "c"].map(|table| object(table, "1"));
    let messages: Vec<(&str, &Value)> = ["1", "2", "3"].into_iter().zip(&messages).collect();
    assert_eq!(tables.failures(&messages).await, [""; 0]);
    assert_eq!(*tables.sharers.lock().expect("not poisoned"), [2, 2, 2, 1]);
    let names: Vec<String> = tables.seen().into_iter().map(|(name, ..)| name).collect();
    assert_eq!(names, ["shop.a", "shop.b", "shop.c", "shop.a"]);
}

#[tokio::test]
async fn what_cannot_begin_in_time_comes_back() {
    let tables = Scripted::new([("a", &[ends(0, 95)])]);
    let messages = [("1", &object("a", "1")), ("2", &object("b", "1"))];
    assert_eq!(tables.failures(&messages).await, ["2"]);
    assert_eq!(tables.seen().len(), 1);
}

#[tokio::test]
async fn direct_events_fail_with_the_kind_of_their_table() {
    let tables = Scripted::new([("a", &[Play::Fails(ErrorKind::Conflict)])]);
    let error = tables.answer(&object("a", "1")).await.expect_err("it failed");
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains("shop.a: it broke"), "{error}");
    let diagnostic = lambda_runtime::Diagnostic::from(error);
    assert_eq!(diagnostic.error_type, "Conflict");
}

#[tokio::test]
async fn direct_events_of_held_tables_end_with_a_summary() {
    let tables = Scripted::new([("a", &[Play::Held])]);
    let answer = tables.answer(&json!({"tables": ["shop.a"]})).await.expect("a summary");
    let answer = serde_json::to_value(answer).expect("JSON");
    assert_eq!(answer["tables"][0]["status"], "held");
    assert_eq!(answer["tables"][0]["error"], "late object");
    assert_eq!(answer["tables"][0]["kind"], "LateObject");
    assert_eq!(tables.seen(), [("shop.a".into(), Scope::Everything, 90)]);
}

/// It cannot be applied before somebody has written the lock file, whatever rings.
#[tokio::test]
async fn a_table_that_the_lock_file_does_not_know_is_reported_as_held() {
    let mut tables = Scripted::new([]);
    let source = TableName { schema: "shop".into(), table: "*".into() };
    let pattern = TablePattern { source: SourcePattern::new(source), except: vec![] };
    tables.settings.patterns = vec![pattern];
    let (a, new) = (object("a", "1"), object("new", "1"));
    assert_eq!(tables.failures(&[("1", &a), ("2", &new)]).await, [""; 0], "no message helps");
    for event in [json!({"sweep": true}), both(&a, &new)] {
        let answer = tables.answer(&event).await.expect("a summary");
        let Answer::Summary { tables, unconfigured, .. } = answer else { panic!("no summary") };
        let last = tables.last().expect("a report");
        assert_eq!((last.table.as_str(), last.status), ("shop.new", Status::Held));
        assert!(last.error.as_ref().expect("why").contains("dmslake discover"), "{last:?}");
        assert!(!unconfigured.contains(&"shop.new".to_owned()), "{unconfigured:?}");
    }
}

#[tokio::test]
async fn nothing_is_applied_for_a_direct_event_that_is_not_understood() {
    let tables = Scripted::new([]);
    for event in [json!({"tables": ["shop.a", "shop.unknown"]}), json!({"what": 1})] {
        let error = tables.answer(&event).await.expect_err("not understood");
        assert_eq!(error.kind(), ErrorKind::Config);
    }
    assert!(tables.seen().is_empty());
}

#[test]
fn a_part_of_the_time_is_kept_for_the_answer() {
    let clock = StoppedClock::new();
    clock.pass(Duration::from_secs(5000));
    for (left, commit, drop) in
        [(20_000, 18_000, 19_000), (900_000, 885_000, 892_500), (3_000, 2_000, 2_500), (400, 0, 0)]
    {
        let deadline = Deadline::of_invocation(5_000_000 + left, clock.as_ref());
        let milliseconds = |instant: Instant| (instant - clock.instant()).as_millis();
        assert_eq!((milliseconds(deadline.commit), milliseconds(deadline.drop)), (commit, drop));
    }
    let over = Deadline::of_invocation(4_000_000, clock.as_ref());
    assert_eq!(over.commit, clock.instant());
}

/// If the store refuses one table's folder, the other tables continue. If it refuses the whole place,
/// none can.
#[tokio::test]
async fn a_store_that_refuses_all_ends_the_invocation_and_one_folder_does_not() {
    let messages = ["a", "b", "c"].map(|table| object(table, "20240101-000000001"));
    let messages: Vec<(&str, &Value)> = ["1", "2", "3"].into_iter().zip(&messages).collect();
    let refused = [Play::Fails(ErrorKind::StoreRefused)];

    let of_folder = Scripted::new([("a", &refused)]);
    assert_eq!(of_folder.failures(&messages).await, ["1"]);
    assert_eq!(of_folder.seen().len(), 3);

    let of_place =
        Scripted { refused: Some("the bucket does not exist"), ..Scripted::new([("a", &refused)]) };
    assert_eq!(of_place.failures(&messages).await, ["1", "2", "3"]);
    assert_eq!(of_place.seen().len(), 1, "the others are not begun");
    let again = Scripted { refused: of_place.refused, ..Scripted::new([("a", &refused)]) };
    let error = again.answer(&json!({ "tables": ["shop.a", "shop.b"] })).await;
    let error = error.expect_err("they are not finished");
    assert_eq!(error.kind(), ErrorKind::StoreRefused);
    assert!(error.message().contains("the bucket does not exist"), "{error}");
}
