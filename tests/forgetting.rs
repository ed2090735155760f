//! Forgotten keys are in no version, no file and no line of the log, and everything else is where it
//! was: in every version, for every reader.

mod crashes;
mod entries;
mod files;
mod foreign;
mod refusals;
mod site;

use deltalake::checkpoints::create_checkpoint;
use dmslake::inspect;
use dmslake::pipeline::{Limits, Progress, Status};
use dmslake::table::{self, AsOf};

use futures::TryStreamExt as _;

use site::{MARK, Site, line, objects, without};

const MODES: [&str; 2] = ["merge = \"copy-on-write\"", "merge = \"deletion-vectors\""];
const KEYS: [&str; 2] = ["7", "13"];

/// A table whose rows 7 and 13 come, change, go and come back, beside 40 others; with a checkpoint in
/// between, and a bad row of either kind.
async fn scene(extra: &str) -> Site {
    let mut site = Site::new(extra);
    let told = |id: i32| match id {
        7 | 13 => format!("{MARK} {id} loaded"),
        _ => format!("loaded {id}"),
    };
    site.change(&(1..=40).map(|id| line("", id, &told(id))).collect::<Vec<_>>()).await;
    site.change(&[line("U", 5, "five"), line("U", 7, &format!("{MARK} 7 again"))]).await;
    site.change(&[line("D", 7, &format!("{MARK} 7 gone")), line("U", 6, "six")]).await;
    let bad = |id: i32| format!("I,{id},eu,{MARK} {id} bad,none");
    site.change(&[bad(7), "I,50,eu,fifty,none".to_owned(), line("I", 51, "good")]).await;
    let location = site.location();
    let opened = table::open(&location, None).await.unwrap().unwrap();
    create_checkpoint(opened.delta(), None).await.unwrap();
    site.change(&[line("I", 7, &format!("{MARK} 7 back")), line("D", 20, "")]).await;
    site.change(&[line("U", 13, &format!("{MARK} 13 changed"))]).await;
    site.change(&[line("U", 8, "eight"), line("U", 9, "nine")]).await;
    site
}

#[tokio::test(flavor = "multi_thread")]
async fn every_version_shows_all_rows_but_those_forgotten() {
    for mode in MODES {
        let site = scene(mode).await;
        let newest = site.newest().await;
        let before = site.history(newest).await;
        assert!(site.marked().await.len() > 5, "{mode}: the mark is all over the lake");
        let holding = before.iter().filter(|rows| without(rows, &KEYS) != **rows).count() as u64;
        let rows = before.last().unwrap();
        let current = (rows.len() - without(rows, &KEYS).len()) as u64;

        let plan = site.plan(&["7", "13", "99", "7"]).await;
        assert_eq!((plan.keys, plan.done, plan.proof), (3, None, None));
        assert_eq!((plan.found.rows, plan.found.versions), (current, holding), "{mode}: {plan:?}");
        assert_eq!(plan.found.quarantined_rows, 1, "{mode}");
        assert_eq!((plan.staged.rows, plan.staged.objects.len()), (6, 5), "{mode}: {plan:?}");
        assert_eq!(site.newest().await, newest, "a plan changes nothing");

        let done = site.forget(&["7", "13", "99"]).await;
        assert!(done.is_proven(), "{mode}: {done:?}");
        assert_eq!(done.found, plan.found, "{mode}");
        let made = done.done.unwrap();
        assert_eq!((made.rows_deleted, made.quarantined_rows), (current, 1), "{mode}: {done:?}");
        let after = site.history(site.newest().await).await;
        for (version, rows) in before.iter().enumerate() {
            assert_eq!(after[version], without(rows, &KEYS), "{mode}: version {version}");
        }
        assert_eq!(after.last().unwrap(), &without(rows, &KEYS), "{mode}");
        assert_eq!(site.marked().await, [""; 0], "{mode}");
        goes_on(site, after, mode).await;
    }
}

/// Whatever comes after it works as before.
async fn goes_on(mut site: Site, history: Vec<std::collections::BTreeSet<String>>, mode: &str) {
    let location = site.location();
    for (version, rows) in history.iter().enumerate() {
        let opened = table::open_at(&location, version as u64).await.unwrap();
        assert_eq!(opened.rows(), rows.len() as u64, "{mode}: version {version}");
        assert_eq!(opened.ledger().rows, rows.len() as u64, "{mode}: version {version}");
    }
    let again = site.forget(&KEYS).await;
    assert!(!again.has_found() && again.is_proven(), "{mode}: {again:?}");
    assert_eq!(site.newest().await + 1, history.len() as u64, "{mode}: nothing is committed");

    let pipeline = site.pipeline();
    let spec = Site::spec(&pipeline);
    let life = inspect::why(&pipeline, &spec, "7", None).await.unwrap().unwrap();
    assert!(life.events.is_empty() && life.row.is_none(), "{mode}: {life:?}");
    let other = inspect::why(&pipeline, &spec, "5", None).await.unwrap().unwrap();
    assert_eq!(other.events.len(), 2, "{mode}: {other:?}");
    site.change(&[line("U", 5, "later"), line("I", 60, "sixty")]).await;
    let rows = site.history(site.newest().await).await.pop().unwrap();
    assert_eq!(rows.len(), history.last().unwrap().len() + 1, "{mode}");
    let maintained = pipeline.maintain(&spec, &Limits::default()).await;
    assert!(maintained.error.is_none(), "{mode}: {maintained:?}");
    let plan = pipeline.plan_restore(&spec, AsOf::Version(2), Progress::Stays).await.unwrap();
    assert_eq!(plan.rows, history[2].len() as u64, "{mode}");
    pipeline.restore(&spec, &plan, dmslake::pipeline::Losses::Accepted).await.unwrap();
    let restored = site.history(site.newest().await).await.pop().unwrap();
    assert_eq!(restored, history[2], "{mode}");
    assert_eq!(site.apply().await.status, Status::Ok, "{mode}");
    let opened = table::open(&location, None).await.unwrap().unwrap();
    let told: Vec<_> = inspect::history(&opened, "shop.t", false).try_collect().await.unwrap();
    assert_eq!(told.len() as u64, opened.version() + 1, "{mode}: {told:?}");
    assert!(told.iter().any(|entry| entry.operation.as_deref() == Some("FORGET")), "{mode}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_tells_that_keys_were_forgotten_and_not_which() {
    let site = scene(MODES[0]).await;
    let done = site.forget(&["13"]).await;
    let version = done.done.unwrap().version.unwrap();
    let log = site.table().log().await;
    let commit = log.iter().find(|commit| commit.version == version).unwrap();
    let info = commit.actions("commitInfo").next().unwrap();
    assert_eq!(info["operation"], "FORGET");
    assert_eq!(info["operationMetrics"]["numKeys"], "1");
    assert_eq!(info["operationMetrics"]["numDeletedRows"], "1");
    assert!(!info["operationParameters"].to_string().contains("13"), "{info}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_several_columns_goes_by_itself() {
    let mut site = Site::new("");
    site.keys = "\"id\", \"region\"";
    let row = |op: &str, region: &str, told: &str| format!("{op}1,{region},{told},1");
    site.change(&[row("", "eu", &format!("{MARK} one")), row("", "us", "kept")]).await;
    site.change(&[row("U,", "eu", &format!("{MARK} two")), row("U,", "us", "kept too")]).await;
    let before = site.history(site.newest().await).await;
    let done = site.forget(&["region=eu,id=1"]).await;
    assert!(done.is_proven() && done.found.rows == 1, "{done:?}");
    let after = site.history(site.newest().await).await;
    for (version, rows) in before.iter().enumerate() {
        let kept = rows.iter().filter(|row| !row.contains(MARK)).cloned().collect();
        assert_eq!(after[version], kept, "version {version}");
    }
    assert_eq!(site.marked().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_nowhere_changes_nothing() {
    let site = scene(MODES[1]).await;
    let before = objects(&site.lake).await;
    let done = site.forget(&["4711"]).await;
    assert!(!done.has_found() && done.is_proven(), "{done:?}");
    assert_eq!(done.done.unwrap(), dmslake::forget::Done::default());
    assert!(before == objects(&site.lake).await, "no object of the lake is another one");
    let pipeline = site.pipeline();
    let spec = Site::spec(&pipeline);
    let keys = ["seven".to_owned()];
    let refused = dmslake::forget::forget(&pipeline, &spec, &keys, &|_| {}).await.unwrap_err();
    assert_eq!(refused.kind(), dmslake::error::ErrorKind::Config, "{refused:?}");
}
