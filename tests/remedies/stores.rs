//! Remedies of refusals by a store. Those of features set by other writers are tested in
//! `features`, those of missing files in `damage`.

use std::collections::BTreeMap;
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::TempDir;

use crate::refused_stores::{configured, dmslake, refused};
use crate::support::http_server::{Server, empty_bucket, s3_error};

/// A run with these variables.
fn apply(home: &TempDir, variables: &BTreeMap<&str, String>) -> Output {
    dmslake(home, &["apply"]).envs(variables).output().unwrap()
}

fn with_keys(endpoint: &str) -> BTreeMap<&'static str, String> {
    [
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_ACCESS_KEY_ID", "old"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_REGION", "us-east-1"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .into()
}

/// The store is reachable and empty.
fn ends_well(output: &Output) {
    let (out, errors) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(out.contains("nothing is staged for it, and there is no table"), "{out}{errors}");
    assert_eq!(errors, "");
}

fn home() -> TempDir {
    configured("s3://b/dms", "s3://b/lake", 1)
}

#[test]
fn another_region() {
    let server = Server::start(|_, head| {
        let is_there = head.contains("/eu-west-1/s3/aws4_request");
        Some(if is_there {
            empty_bucket(head)
        } else {
            s3_error("400", "AuthorizationHeaderMalformed")
        })
    });
    let (home, mut variables) = (home(), with_keys(&server.endpoint));
    refused(
        &apply(&home, &variables),
        &["set AWS_REGION (or the profile's region) to the bucket's"],
    );
    variables.insert("AWS_REGION", "eu-west-1".to_owned());
    ends_well(&apply(&home, &variables));
}

#[test]
fn other_credentials() {
    for code in ["InvalidAccessKeyId", "ExpiredToken"] {
        let server = Server::start(move |_, head| {
            let is_valid = head.contains("Credential=new/");
            Some(if is_valid { empty_bucket(head) } else { s3_error("403 Forbidden", code) })
        });
        let (home, mut variables) = (home(), with_keys(&server.endpoint));
        refused(&apply(&home, &variables), &["renew the credentials"]);
        variables.insert("AWS_ACCESS_KEY_ID", "new".to_owned());
        ends_well(&apply(&home, &variables));
    }
}

#[test]
fn credentials_or_a_profile_where_there_were_none() {
    let server = Server::start(|_, head| {
        let is_signed = head.contains("Credential=");
        Some(if is_signed { empty_bucket(head) } else { s3_error("403 Forbidden", "AccessDenied") })
    });
    let (home, complete) = (home(), with_keys(&server.endpoint));
    let mut variables = complete.clone();
    variables.retain(|name, _| ["AWS_ENDPOINT_URL", "AWS_REGION"].contains(name));
    let remedy = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";
    refused(&apply(&home, &variables), &[remedy]);
    ends_well(&apply(&home, &complete));

    let aws = home.path().join(".aws");
    std::fs::create_dir_all(&aws).unwrap();
    let keys = "[shop]\naws_access_key_id = old\naws_secret_access_key = secret\n";
    std::fs::write(aws.join("credentials"), keys).unwrap();
    variables.insert("AWS_PROFILE", "shop".to_owned());
    ends_well(&apply(&home, &variables));
}

#[test]
fn the_address_of_a_store_that_is_there() {
    let server = Server::start(|_, head| Some(empty_bucket(head)));
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (home, mut variables) = (home(), with_keys(&format!("http://{unused}")));
    refused(&apply(&home, &variables), &["fix AWS_ENDPOINT_URL, AWS_REGION or the network"]);
    variables.insert("AWS_ENDPOINT_URL", server.endpoint.clone());
    ends_well(&apply(&home, &variables));
}

#[test]
fn the_permission_that_was_missing() {
    let is_permitted = Arc::new(AtomicBool::new(false));
    let policy = Arc::clone(&is_permitted);
    let server = Server::start(move |_, head| {
        let is_permitted = policy.load(Ordering::SeqCst);
        Some(if is_permitted {
            empty_bucket(head)
        } else {
            s3_error("403 Forbidden", "AccessDenied")
        })
    });
    let (home, variables) = (home(), with_keys(&server.endpoint));
    refused(&apply(&home, &variables), &["grant s3:ListBucket and s3:GetObject"]);
    is_permitted.store(true, Ordering::SeqCst);
    ends_well(&apply(&home, &variables));
}

#[test]
fn the_bucket_that_was_meant() {
    let server = Server::start(|_, head| {
        let is_there = head.starts_with("GET /meant?");
        Some(if is_there { empty_bucket(head) } else { s3_error("404 Not Found", "NoSuchBucket") })
    });
    let (misspelt, variables) = (home(), with_keys(&server.endpoint));
    refused(&apply(&misspelt, &variables), &["fix the bucket's name in `staging` or `lake`"]);
    ends_well(&apply(&configured("s3://meant/dms", "s3://meant/lake", 1), &variables));
}
