//! `dmslake job start`, `status` and `cancel`, and the function that leaves to the job what is too
//! much for it; AWS Glue is a stand-in.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Said, dmslake, said, write};
use crate::support::glue_server::{GlueServer, Start};
use crate::support::runtime_api::{Function, Outcome};

fn home(section: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().expect("a temporary folder");
    let root = home.path().display();
    let text = format!(
        "staging = \"{root}/staging\"\nlake = \"{root}/lake\"\n{section}\n[[table]]\n\
         source = \"shop.items\"\nkeys = [\"id\"]\ncolumns = [{{ name = \"id\", type = \"int\" }}]\n"
    );
    write(&home.path().join("dmslake.toml"), text);
    write(&home.path().join("staging/shop/items/LOAD00000001.csv"), "1\n2\n");
    home
}

fn variables(glue: &GlueServer) -> [(&'static str, String); 5] {
    [
        ("AWS_ENDPOINT_URL_GLUE", glue.endpoint()),
        ("AWS_ACCESS_KEY_ID", "test".into()),
        ("AWS_SECRET_ACCESS_KEY", "test".into()),
        ("AWS_REGION", "us-east-1".into()),
        ("AWS_EC2_METADATA_DISABLED", "true".into()),
    ]
}

fn run(home: &Path, glue: &GlueServer, arguments: &[&str]) -> Said {
    said(dmslake(home, arguments).envs(variables(glue)).output().expect("the binary starts"))
}

const TO_GLUE: &str = "[hand_over]\nto = \"glue\"\njob = \"shop-job\"\nafter_minutes = 1";

#[test]
fn a_job_is_started_seen_and_cancelled() {
    let (home, glue) = (home("[hand_over]\njob = \"shop-job\""), GlueServer::start());
    let job = |what: &str| run(home.path(), &glue, &["job", what, "shop.items"]);
    let nothing = job("status");
    let expected = "shop.items: nothing is left to a job\n";
    assert_eq!((nothing.code, nothing.out.as_str()), (Some(0), expected), "{nothing:?}");

    let started = job("start");
    assert_eq!(started.code, Some(0), "{started:?}");
    assert!(started.out.starts_with("shop.items: a job is being started (since "), "{started:?}");
    assert!(started.out.ends_with(", run jr_1: a person has started it)\n"), "{started:?}");
    let runs = glue.runs();
    assert_eq!((runs.len(), runs[0].job.as_str()), (1, "shop-job"));
    assert_eq!(runs[0].arguments["--table"], "shop.items");
    let claim = runs[0].arguments["--claim"].as_str().expect("an id").to_owned();

    // It waits, and is not started twice.
    assert_eq!(job("start").code, Some(0));
    assert_eq!(glue.runs().len(), 1);
    let waits = run(home.path(), &glue, &["apply"]);
    assert_eq!(waits.code, Some(1), "{waits:?}");
    for words in ["left to a job that is being started", "dmslake job cancel shop.items ends it"] {
        assert!(waits.out.contains(words), "{waits:?}");
    }
    let status = run(home.path(), &glue, &["job", "status", "shop.items", "--json"]);
    let status: Value = serde_json::from_str(&status.out).expect("JSON");
    let told = (&status["claim"], &status["run"], &status["is_live"], &status["id"]);
    assert_eq!(told, (&json!("offered"), &json!("jr_1"), &json!(true), &json!(claim)));

    let cancelled = job("cancel");
    assert_eq!(cancelled.code, Some(0), "{cancelled:?}");
    assert!(cancelled.out.contains("an operator has cancelled the job"), "{cancelled:?}");
    assert_eq!(glue.runs()[0].state, "STOPPED");
    assert_eq!(job("cancel").code, Some(0), "again");
    assert_eq!(job("status").code, Some(1));
    // What the run would do now, if it had not been stopped.
    let drive = ["job", "drive", "--slots", "1", "--claim", &claim];
    let late = run(home.path(), &glue, &drive);
    assert_eq!(late.code, Some(0), "{late:?}");
    assert!(late.out.contains("has ended or been taken over"), "{late:?}");

    let applied = run(home.path(), &glue, &["apply"]);
    assert_eq!(applied.code, Some(0), "{applied:?}");
    assert_eq!(job("status").out, expected);
}

#[test]
fn a_start_that_glue_refuses_or_does_not_answer_is_told() {
    let (home, glue) = (home("[hand_over]\njob = \"shop-job\""), GlueServer::start());
    let job = |what: &str| run(home.path(), &glue, &["job", what, "shop.items"]);
    glue.starts(&[Start::Refused("ConcurrentRunsExceededException")]);
    let refused = job("start");
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.out.contains("ConcurrentRunsExceededException"), "{refused:?}");
    assert!(refused.out.contains("another one from "), "{refused:?}");

    glue.starts(&[Start::Refused("AccessDeniedException")]);
    let denied = job("start");
    assert!(denied.out.contains("denies access"), "{denied:?}");

    // The client asks again by itself: the runs are for one offer, which only one of them can take.
    glue.starts(&[Start::Unanswered]);
    let lost = job("start");
    assert_eq!(lost.code, Some(0), "{lost:?}");
    let runs = glue.runs();
    assert_eq!(runs.len(), 2, "{runs:?}");
    assert_eq!(runs[0].arguments, runs[1].arguments);
    assert!(lost.out.contains("run jr_2"), "{lost:?}");

    assert_eq!(job("cancel").code, Some(0));
    glue.starts(&[Start::Slow, Start::Slow, Start::Slow]);
    let slow = job("start");
    assert_eq!(slow.code, Some(0), "it may have been started: {slow:?}");
    assert!(slow.out.starts_with("shop.items: a job is being started"), "{slow:?}");
    assert!(slow.err.contains("whether a job was started is not known"), "{slow:?}");
    assert_eq!(job("cancel").code, Some(0));

    assert_eq!(job("start").code, Some(0));
    glue.set_state(glue.runs().len() - 1, "TIMEOUT");
    let ended = job("status");
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.out.contains("its run in Glue ended: TIMEOUT"), "{ended:?}");
}

#[test]
fn a_job_that_is_not_configured_is_not_started() {
    let (home, glue) = (home(""), GlueServer::start());
    let refused = run(home.path(), &glue, &["job", "start", "shop.items"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    for words in ["names no job", "set job in [hand_over]", "dmslake job run --table TABLE"] {
        assert!(refused.err.contains(words), "{refused:?}");
    }
    let instead = run(home.path(), &glue, &["job", "run", "--table", "shop.items"]);
    assert_eq!(instead.code, Some(0), "{instead:?}");
    assert!(glue.runs().is_empty());
}

#[test]
fn a_claim_is_of_one_table() {
    let (home, glue) = (home(""), GlueServer::start());
    let path = home.path().join("dmslake.toml");
    let text = super::read(&path);
    let other = "[[table]]\nsource = \"shop.other\"\nkeys = [\"id\"]\n";
    write(&path, text + other);
    let claim = "00000000-0000-0000-0000-000000000001";
    let drive = ["job", "drive", "--slots", "1", "--claim", claim];
    let refused = run(home.path(), &glue, &drive);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.err.contains("name that one with --table"), "{refused:?}");
    let one = run(home.path(), &glue, &[&drive[..], &["--table", "shop.items"]].concat());
    assert_eq!(one.code, Some(0), "{one:?}");
}

/// The function's binary: what is pending is larger than it would take in within a minute.
#[test]
fn the_function_starts_the_job_once_and_sweeps_see_how_it_stands() {
    let (home, glue) = (home(TO_GLUE), GlueServer::start());
    let table = home.path().join("staging/shop/items");
    assert_eq!(run(home.path(), &glue, &["apply"]).code, Some(0));
    let huge = File::create(table.join("20240101-000000001.csv")).expect("writable");
    huge.set_len(2 << 30).expect("a file that is not written takes no room");
    let environment = variables(&glue);
    let environment = environment.each_ref().map(|(name, value)| (*name, value.as_str()));
    let uri = home.path().join("dmslake.toml").display().to_string();
    let mut function = Function::start(&uri, &environment);
    let mut sweep = || match function.invoke(&json!({ "sweep": true }), MINUTE) {
        Outcome::Response(answer) => answer["tables"][0].clone(),
        outcome => panic!("{outcome:?}"),
    };
    for _ in 0..2 {
        let held = sweep();
        assert_eq!((&held["status"], &held["kind"]), (&json!("held"), &json!("HandedOver")));
        let error = held["error"].as_str().expect("it says why");
        assert!(error.contains("2147 MB are pending, which slices take about 3 minutes for"));
    }
    assert_eq!(glue.runs().len(), 1);
    assert_eq!(glue.runs()[0].arguments["--table"], "shop.items");
    glue.set_state(0, "FAILED");
    let failed = sweep();
    let error = failed["error"].as_str().expect("it says why");
    assert!(error.contains("its run in Glue ended: FAILED"), "{error}");
    assert_eq!(function.logged("a job has failed", 1).len(), 1);
    assert_eq!(glue.runs().len(), 1, "not at once again");

    // A job whose driver sees for itself that it fails is told of too.
    let arguments = ["job", "start", "shop.items"];
    assert_eq!(run(home.path(), &glue, &arguments).code, Some(0));
    let claim = glue.runs()[1].arguments["--claim"].as_str().expect("an id").to_owned();
    // Its engine is gone at once.
    let drive = ["job", "drive", "--slots", "1", "--claim", &claim];
    let ended = run(home.path(), &glue, &drive);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(run(home.path(), &glue, &["job", "status", "shop.items"]).code, Some(1));
    match function.invoke(&json!({ "sweep": true }), MINUTE) {
        Outcome::Response(answer) => assert_eq!(answer["tables"][0]["kind"], "HandedOver"),
        outcome => panic!("{outcome:?}"),
    }
    assert_eq!(function.logged("a job has failed", 2).len(), 2);
}

const MINUTE: Duration = Duration::from_mins(1);
