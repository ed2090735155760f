//! Stores that refuse, ignore conditions, or live in another time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use chrono::TimeDelta;
use dmslake::clock::{Clock as _, SystemClock};

use super::{Patient, TABLE};
use crate::support::http_server::{Server, empty_bucket, http, s3_error};

/// Staging and lake in a bucket of that server.
fn at(server: &Server) -> Patient {
    let mut patient = Patient::with("");
    patient.environment = [
        ("AWS_ENDPOINT_URL", server.endpoint.as_str()),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "s3cr3t"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_MAX_ATTEMPTS", "1"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .to_vec();
    let text = format!("staging = \"s3://b/dms\"\nlake = \"s3://b/lake\"\n{TABLE}");
    std::fs::write(patient.path().join("dmslake.toml"), text).unwrap();
    patient
}

#[test]
fn a_store_that_ignores_conditions_is_found_by_the_probe_alone() {
    let writers = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&writers);
    let server = Server::start(move |_, head| {
        let is_write = head.starts_with("PUT ") || head.starts_with("DELETE ");
        let creates = head.to_lowercase().contains("if-none-match: *");
        counted.fetch_add(usize::from(creates), Ordering::SeqCst);
        Some(if is_write { http("200 OK", "ETag: \"1\"\r\n", "") } else { empty_bucket(head) })
    });
    let patient = at(&server);
    patient.examined("").only("conditional-put", "unknown", &["not tried"]);
    let found = patient.examined("--write-probe --yes");
    let only = found.only("conditional-put", "problem", &["ignores If-None-Match"]);
    assert!(only["remedy"].as_str().unwrap().contains("never run two writers"), "{only}");
    // Eight at once, as the help says, and one behind them.
    assert_eq!(writers.load(Ordering::SeqCst), 8 + 1);
}

/// Creation is honoured there, replacement is not.
#[test]
fn a_store_that_ignores_conditions_of_replacement_is_found_too() {
    let exists = AtomicBool::new(false);
    let server = Server::start(move |_, head| {
        let creates = head.to_lowercase().contains("if-none-match: *");
        let is_refused = creates && exists.swap(true, Ordering::SeqCst);
        Some(if is_refused {
            s3_error("412 Precondition Failed", "PreconditionFailed")
        } else if head.starts_with("PUT ") || head.starts_with("DELETE ") {
            http("200 OK", "ETag: \"1\"\r\n", "")
        } else {
            empty_bucket(head)
        })
    });
    let found = at(&server).examined("--write-probe --yes");
    found.only("conditional-put", "problem", &["ignores If-Match"]);
}

#[test]
fn a_lake_that_cannot_be_written_is_found_by_the_probe() {
    let server = Server::start(|_, head| {
        let is_write = head.starts_with("PUT ");
        Some(if is_write { s3_error("403 Forbidden", "AccessDenied") } else { empty_bucket(head) })
    });
    let found = at(&server).examined("--write-probe --yes");
    let words = ["the lake cannot be written", "the store denies access"];
    let written: Vec<_> = found.of("conditional-put");
    assert!(
        written.iter().any(|it| it.0 == "problem" && words.iter().all(|w| it.2.contains(w))),
        "{found:#?}"
    );
}

#[test]
fn a_clock_that_is_wrong_is_told_by_how_much() {
    for (minutes, severity, way) in [(5, "warning", "behind"), (-20, "problem", "ahead of")] {
        let server = Server::start(move |_, head| {
            let date = (SystemClock.now() + TimeDelta::minutes(minutes)).to_rfc2822();
            let date = date.replace("+0000", "GMT");
            let answer = empty_bucket(head);
            Some(answer.replacen("\r\n", &format!("\r\nDate: {date}\r\n"), 1))
        });
        let found = at(&server).examined("");
        let only = found.only("clock", severity, &[way]);
        let what = only["what"].as_str().unwrap();
        let seconds = what.split_whitespace().find_map(|word| word.parse::<i64>().ok()).unwrap();
        // A request and a rounded second lie between.
        assert!((minutes.abs() * 60 - 10..=minutes.abs() * 60).contains(&seconds), "{what}");
    }
}

#[test]
fn a_store_that_refuses_is_one_problem_for_each_place_and_ends_the_checkup() {
    let server = Server::start(|_, _| Some(s3_error("403 Forbidden", "AccessDenied")));
    let found = at(&server).examined("");
    for check in ["staging", "lake"] {
        let only = found.only(check, "problem", &["the store denies access"]);
        assert!(only["remedy"].as_str().unwrap().contains("grant s3:ListBucket"), "{only}");
        assert!(super::next(only).starts_with("aws s3 ls s3://b/"), "{only}");
    }
    found.only("credentials", "unknown", &["STS does not tell whose: an answer with status 403"]);
    found.only("tables", "unknown", &["nothing else was checked"]);
    let shown = format!("{:?}", found.findings);
    assert!(!shown.contains("s3cr3t"), "{shown}");
}

#[test]
fn without_credentials_that_is_what_is_told() {
    let server = Server::start(|_, head| Some(empty_bucket(head)));
    let mut patient = at(&server);
    patient.environment.retain(|(name, _)| !name.contains("KEY"));
    let home = patient.path().display().to_string();
    patient.environment.push(("HOME", home));
    let found = patient.examined("");
    found.only("credentials", "problem", &["no AWS credentials found"]);
    patient.environment.retain(|(name, _)| *name != "AWS_REGION");
    patient.examined("").only("credentials", "problem", &["no region is set"]);
}

/// moto says otherwise of such a bucket than S3.
#[test]
fn a_bucket_without_notifications_tells_nobody() {
    let server = Server::start(|_, head| {
        let is_it = head.lines().next().is_some_and(|line| line.contains("?notification"));
        let none = "<NotificationConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"/>";
        Some(if is_it { http("200 OK", "", none) } else { empty_bucket(head) })
    });
    let found = at(&server).examined("");
    found.only("notification", "note", &["s3://b tells nobody of new objects"]);
}

/// Permission to list and not to read: told once, however many tables there are.
#[test]
fn objects_that_are_listed_and_not_readable_are_one_problem() {
    let server = Server::start(|_, head| {
        let request = head.lines().next().unwrap_or_default();
        let table = ["one", "two"].into_iter().find(|it| request.contains(&format!("shop%2F{it}")));
        Some(match table.filter(|_| request.contains("list-type") && request.contains("=dms%2F")) {
            Some(table) => http(
                "200 OK",
                "",
                &format!(
                    "<?xml version=\"1.0\"?><ListBucketResult><Name>b</Name><KeyCount>1</KeyCount>\
                     <MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated><Contents>\
                     <Key>dms/shop/{table}/LOAD00000001.csv</Key><Size>4</Size><ETag>\"1\"</ETag>\
                     <LastModified>2026-03-01T08:00:00.000Z</LastModified></Contents>\
                     </ListBucketResult>"
                ),
            ),
            None if request.contains("LOAD00000001.csv") => {
                s3_error("403 Forbidden", "AccessDenied")
            }
            None => empty_bucket(head),
        })
    });
    let patient = at(&server);
    let table = |name: &str| TABLE.replace("shop.items", &format!("shop.{name}"));
    let text = format!(
        "staging = \"s3://b/dms\"\nlake = \"s3://b/lake\"\n{}{}",
        table("one"),
        table("two")
    );
    std::fs::write(patient.path().join("dmslake.toml"), text).unwrap();
    let found = patient.examined("");
    let words = ["objects are listed and cannot be read: the store denies access"];
    let only = found.only("staging", "problem", &words);
    assert!(only["table"].is_null() && only["remedy"].as_str().unwrap().contains("s3:GetObject"));
    assert!(found.of("decoding").is_empty(), "{found:#?}");
}
