//! `dmslake verify`: a table that equals its source is found equal, and every planted fault is
//! found, with its key, its kind and its columns.

mod faults;
mod random;
mod source;
mod staging;
mod types;
mod under_load;

use std::time::Duration;

use dmslake::config::TableSpec;
use dmslake::inspect::verify::{
    Differing, Kind, MySqlRequest, Request, Unobserved, Verification, verify,
};
use dmslake::pipeline::{Limits, Pipeline};

/// A request to compare with what is staged.
fn of_staging() -> Request {
    Request { at_object: None, limit: 20, mysql: None }
}

/// A request to compare with a server, on which nothing is on its way.
fn of_mysql(url: &str) -> MySqlRequest {
    MySqlRequest {
        url: url.to_owned(),
        rows_per_second: None,
        wait: Duration::ZERO,
        applies: false,
        resume: None,
    }
}

async fn verified(pipeline: &Pipeline, spec: &TableSpec, request: &Request) -> Verification {
    let verified = verify(pipeline, spec, request, &Limits::default(), &Unobserved).await;
    verified.unwrap_or_else(|error| panic!("{}", error.chain()))
}

/// Keys that differ: missing, extra, with other values, repeated.
fn differing([missing, extra, other_values, repeated]: [u64; 4]) -> Differing {
    Differing { missing, extra, other_values, repeated }
}

/// The listed keys, each with its kind and columns.
fn listed(found: &Verification) -> Vec<(Vec<&str>, Kind, Vec<&str>)> {
    found
        .keys
        .iter()
        .map(|it| {
            let key = it.key.iter().map(String::as_str).collect();
            (key, it.difference, it.columns.iter().map(String::as_str).collect())
        })
        .collect()
}
