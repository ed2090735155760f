//! A store that refuses is distinguished from one that does not answer: the refusal is reported at
//! once and once per run, with the location and a working remedy, and an outage is retried as
//! usual.

use std::net::TcpListener;
use std::process::{Command, Output};

use dmslake::clock::{Clock, SystemClock};
use dmslake::error::{Error, ErrorKind};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::http_server::{Server, empty_bucket, http, s3_error};
use crate::support::moto::{BUCKET, Moto};

/// A configuration with this many tables in these buckets.
pub(crate) fn configured(staging: &str, lake: &str, tables: usize) -> TempDir {
    let home = TempDir::new().unwrap();
    let table = |number| {
        format!(
            "[[table]]\nsource = \"shop.t{number}\"\nkeys = [\"id\"]\n\
             columns = [{{ name = \"id\", type = \"int\" }}]\n"
        )
    };
    let tables: Vec<String> = (1..=tables).map(table).collect();
    let text = format!("staging = \"{staging}\"\nlake = \"{lake}\"\n{}", tables.concat());
    std::fs::write(home.path().join("dmslake.toml"), text).unwrap();
    home
}

pub(crate) fn dmslake(home: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dmslake"));
    command.args(arguments).current_dir(home.path()).env_clear().env("HOME", home.path());
    command.env("AWS_EC2_METADATA_DISABLED", "true").env("AWS_REGION", "us-east-1");
    command
}

pub(crate) fn with_keys(mut command: Command, endpoint: &str) -> Command {
    command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "s3cr3t");
    command.env("AWS_ENDPOINT_URL", endpoint);
    command
}

/// Checks that the command ends with this message and remedy, reported once, without looking at any
/// table.
pub(crate) fn refused(output: &Output, words: &[&str]) {
    let errors = String::from_utf8_lossy(&output.stderr);
    let out = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{out}{errors}");
    for word in words {
        assert_eq!(errors.matches(word).count(), 1, "{word}: {errors}");
    }
    assert_eq!(errors.lines().filter(|line| line.contains("error")).count(), 1, "{errors}");
    let structures = ["Error {", "Err(", "Some(", "ConnectorError", "Unhandled", "<?xml", "s3cr3t"];
    for structure in structures {
        assert!(!errors.contains(structure), "{structure}: {errors}");
    }
    let is_report = |line: &str| serde_json::from_str::<Value>(line).is_ok();
    assert!(!out.lines().any(is_report), "no table is begun: {out}");
}

const COMMANDS: [&[&str]; 4] =
    [&["apply", "--json"], &["maintain", "--json"], &["register"], &["ddl", "spark"]];

#[test]
fn each_refusal_of_s3_has_its_sentence_and_its_remedy() {
    let cases = [
        ("404 Not Found", "NoSuchBucket", "the bucket does not exist", "fix the bucket's name"),
        ("403 Forbidden", "AccessDenied", "the store denies access", "grant s3:ListBucket"),
        ("403 Forbidden", "InvalidAccessKeyId", "rejects the credentials", "renew the credentials"),
        (
            "403 Forbidden",
            "SignatureDoesNotMatch",
            "rejects the credentials",
            "renew the credentials",
        ),
        (
            "403 Forbidden",
            "RequestTimeTooSkewed",
            "rejects the credentials",
            "the clock may be wrong",
        ),
        ("400 Bad Request", "ExpiredToken", "rejects the credentials", "renew the credentials"),
        (
            "400 Bad Request",
            "AuthorizationHeaderMalformed",
            "the bucket is in another region",
            "set AWS_REGION",
        ),
        (
            "400 Bad Request",
            "IllegalLocationConstraintException",
            "the bucket is in another region",
            "set AWS_REGION",
        ),
    ];
    for (status, code, sentence, remedy) in cases {
        let server = Server::start(move |_, _| Some(s3_error(status, code)));
        let home = configured("s3://b/dms", "s3://b/lake", 300);
        for command in COMMANDS {
            let before = server.requests();
            let output = with_keys(dmslake(&home, command), &server.endpoint).output().unwrap();
            refused(&output, &[sentence, remedy, code, "location: s3://b/lake"]);
            assert_eq!(server.requests() - before, 1, "{code}: {command:?}");
        }
    }
}

#[test]
fn a_redirect_to_nowhere_is_another_region() {
    let server = Server::start(|_, _| Some(http("301 Moved Permanently", "", "")));
    let home = configured("s3://b/dms", "s3://b/lake", 3);
    let output = with_keys(dmslake(&home, &["apply"]), &server.endpoint).output().unwrap();
    refused(&output, &["the bucket is in another region", "set AWS_REGION"]);
}

/// Staging may be refused while the lake is not.
#[test]
fn staging_is_asked_too() {
    let home = configured("s3://b/dms", "file:./lake", 3);
    let text = std::fs::read_to_string(home.path().join("dmslake.toml")).unwrap();
    let text = text.replace("file:./lake", "lake");
    std::fs::write(home.path().join("dmslake.toml"), text).unwrap();
    let server = Server::start(|_, _| Some(s3_error("403 Forbidden", "AccessDenied")));
    let output = with_keys(dmslake(&home, &["apply"]), &server.endpoint).output().unwrap();
    refused(&output, &["the store denies access", "location: s3://b/dms"]);
    let init = ["init", "--staging", "s3://b/dms", "--lake", "lake", "--output", "-"];
    let output = with_keys(dmslake(&home, &init), &server.endpoint).output().unwrap();
    refused(&output, &["the store denies access", "location: s3://b/dms"]);
}

/// Three hundred tables, each of which would take a minute.
#[test]
fn where_nobody_listens_the_run_ends_after_a_few_attempts() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let endpoint = format!("http://127.0.0.1:{port}");
    let home = configured("s3://b/dms", "s3://b/lake", 300);
    for command in COMMANDS {
        let mut command = with_keys(dmslake(&home, command), &endpoint);
        let output = command.env("RUST_LOG", "object_store=info").output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        let attempts = errors.matches("backing off").count();
        assert!((1..=3).contains(&attempts), "{errors}");
        let quiet = with_keys(dmslake(&home, &["apply"]), &endpoint).output().unwrap();
        refused(&quiet, &["cannot connect to the store", &endpoint, "AWS_ENDPOINT_URL"]);
    }
}

/// A network that drops what is sent: the run ends before its first table waits for minutes.
#[test]
fn a_store_that_does_not_answer_is_told_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let connections = std::thread::spawn(move || {
        let accepted = listener.incoming().take(1).collect::<Vec<_>>();
        (listener, accepted)
    });
    let home = configured("s3://b/dms", "s3://b/lake", 300);
    let begun = SystemClock.instant();
    let output = with_keys(dmslake(&home, &["apply"]), &endpoint).output().unwrap();
    refused(&output, &["the store does not answer", "AWS_ENDPOINT_URL", "location: s3://b/lake"]);
    let took = SystemClock.instant() - begun;
    assert!(took.as_secs() < 60, "{took:?}");
    drop(connections.join().unwrap());
}

/// The store goes away while tables are applied: those under way do not each say so.
#[test]
fn a_store_that_is_lost_under_way_ends_the_run_once() {
    let is_begun = |head: &str| head.contains("shop/t") || head.contains("shop%2Ft");
    for code in ["AccessDenied", "NoSuchBucket"] {
        let lost = std::sync::atomic::AtomicBool::new(false);
        let server = Server::start(move |_, head| {
            let is_lost = lost.fetch_or(is_begun(head), std::sync::atomic::Ordering::SeqCst);
            let is_lost = is_lost || is_begun(head);
            Some(if is_lost { s3_error("403 Forbidden", code) } else { empty_bucket(head) })
        });
        let home = configured("s3://b/dms", "s3://b/lake", 300);
        let arguments = ["apply", "--json", "--jobs", "4"];
        let output = with_keys(dmslake(&home, &arguments), &server.endpoint).output().unwrap();
        let (out, errors) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(1), "{out}{errors}");
        assert_eq!(errors.matches(code).count(), 1, "{errors}");
        assert!(out.lines().count() <= 1, "one table has met it: {out}");
    }
}

#[test]
fn without_credentials_the_run_ends_with_one_sentence() {
    let server = Server::start(|_, head| Some(empty_bucket(head)));
    let home = configured("s3://b/dms", "s3://b/lake", 300);
    let mut command = dmslake(&home, &["apply"]);
    let output = command.env("AWS_ENDPOINT_URL", &server.endpoint).output().unwrap();
    refused(&output, &["no AWS credentials found", "AWS_PROFILE", "s3://b/lake"]);
    assert_eq!(server.requests(), 0);
}

/// A short outage is retried: the store fails at first and then answers.
#[test]
fn a_short_outage_at_the_beginning_is_no_refusal() {
    for outage in ["503", "500", "closed"] {
        let server = Server::start(move |number, head| {
            let is_over = number > 2;
            match outage {
                _ if is_over => Some(empty_bucket(head)),
                "503" => Some(s3_error("503 Slow Down", "SlowDown")),
                "500" => Some(s3_error("500 Internal Server Error", "InternalError")),
                _ => None,
            }
        });
        let home = configured("s3://b/dms", "s3://b/lake", 1);
        let output = with_keys(dmslake(&home, &["apply", "--json"]), &server.endpoint).output();
        let output = output.unwrap();
        let (out, errors) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let is_looked_at = out.contains("\"status\":\"ok\"") && out.contains("\"absent\":true");
        assert!(is_looked_at, "{outage}: {out}{errors}");
    }
}

/// The real answers of an S3 server: a bucket that does not exist.
#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_is_not_there_is_told_and_its_remedy_works() {
    let Some(moto) = Moto::start() else { return };
    let missing = format!("s3://{BUCKET}-misspelt");
    let home = configured(&format!("s3://{BUCKET}/dms"), &format!("{missing}/lake"), 2);
    let mut command = dmslake(&home, &["apply", "--json"]);
    command.envs(moto.environment());
    refused(&command.output().unwrap(), &["the bucket does not exist", &format!("{missing}/lake")]);

    let path = home.path().join("dmslake.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace(&missing, &format!("s3://{BUCKET}"))).unwrap();
    for table in ["t1", "t2"] {
        moto.put(&format!("dms/shop/{table}/LOAD00000001.csv"), "1\n").await;
    }
    let output = command.output().unwrap();
    let out = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{out}{}", String::from_utf8_lossy(&output.stderr));
    assert!(out.contains("\"inserted\":1"), "{out}");
}

/// Glue has its own answers.
#[tokio::test(flavor = "multi_thread")]
async fn glue_that_refuses_or_is_not_there_is_told_once() {
    let Some(moto) = Moto::start() else { return };
    let place = |folder: &str| format!("s3://{BUCKET}/{folder}");
    let home = configured(&place("dms"), &place("lake"), 2);
    moto.put("dms/shop/t1/LOAD00000001.csv", "1\n").await;
    moto.put("dms/shop/t2/LOAD00000001.csv", "1\n").await;
    let command = |arguments: &[&str]| {
        let mut command = dmslake(&home, arguments);
        command.envs(moto.environment());
        command
    };
    assert_eq!(command(&["apply"]).output().unwrap().status.code(), Some(0));

    let denied = Server::start(|_, _| {
        let body = "{\"__type\":\"AccessDeniedException\",\"Message\":\"not authorized\"}";
        Some(http("400 Bad Request", "Content-Type: application/x-amz-json-1.1\r\n", body))
    });
    let output = command(&["register"]).env("AWS_ENDPOINT_URL_GLUE", &denied.endpoint).output();
    let output = output.unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert_eq!(errors.matches("answer: AccessDeniedException").count(), 2, "{errors}");
    assert_eq!(errors.matches("grant glue:GetTable").count(), 2, "{errors}");
    for structure in ["ServiceError", "Unhandled", "Response {", "SdkBody"] {
        assert!(!errors.contains(structure), "{structure}: {errors}");
    }

    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nobody = format!("http://127.0.0.1:{port}");
    let output = command(&["register"]).env("AWS_ENDPOINT_URL_GLUE", nobody).output().unwrap();
    refused(&output, &["cannot connect", "service: Glue"]);
}

/// A store's refusal stays a refusal through every library, and an outage stays an outage.
#[test]
fn a_refusal_is_known_through_every_library() {
    let denied = || object_store::Error::PermissionDenied {
        path: "a/key".into(),
        source: "403 <Code>AccessDenied</Code>".into(),
    };
    let slow = || object_store::Error::Generic { store: "S3", source: "503 SlowDown".into() };
    for (error, kind) in [
        (denied as fn() -> object_store::Error, ErrorKind::StoreRefused),
        (slow, ErrorKind::Unavailable),
    ] {
        let external =
            |error: object_store::Error| parquet::errors::ParquetError::External(Box::new(error));
        let kinds = [
            Error::from(error()).kind(),
            Error::from(external(error())).kind(),
            Error::from(arrow::error::ArrowError::ExternalError(Box::new(error()))).kind(),
            Error::from(datafusion::error::DataFusionError::External(Box::new(error()))).kind(),
            Error::from(deltalake::DeltaTableError::from(error())).kind(),
            Error::from(buoyant_kernel::Error::from(error())).kind(),
        ];
        assert_eq!(kinds, [kind; 6], "{}", error());
    }
}
