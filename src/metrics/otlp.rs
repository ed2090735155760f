//! OTLP over HTTP, as JSON: what a collector of OpenTelemetry takes at `/v1/metrics`.
//!
//! The exporter of OpenTelemetry would bring its SDK, which collects in the background and sends by a
//! timer. A run has all its values at its end, and the function is frozen then. So the request is
//! written here, and goes through the HTTP client that the stores use: both are in the program
//! anyway. Counters are told as differences, since no process lives to add them up.

use std::time::Duration;

use chrono::{DateTime, Utc};
use http::Request;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use object_store::ClientOptions;
use object_store::client::{HttpConnector, ReqwestConnector};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use url::Url;

use crate::error::{Error, ErrorKind, Result};
use crate::metrics::{METRICS, Metric, Sample, Series, Snapshot};
use crate::version;

/// The variable with further headers, such as a key: `name=value,name=value`, percent-encoded.
pub const HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";

/// A collector that takes longer is not waited for.
pub const PATIENCE: Duration = Duration::from_secs(3);

/// `AGGREGATION_TEMPORALITY_DELTA`
const DELTA: u8 = 1;

/// Tables of one request: about a megabyte.
const TABLES_AT_ONCE: usize = 200;

/// Sends the values to a collector, in as many requests as they need and within this time.
///
/// # Errors
/// `Config` for headers that cannot be used, `Unavailable` if the collector does not take them.
pub async fn send(collector: &Url, snapshot: &Snapshot, patience: Duration) -> Result<()> {
    let headers = headers(&std::env::var(HEADERS).unwrap_or_default())?;
    let sending = async {
        for body in bodies(snapshot) {
            post(collector, &headers, body, patience).await?;
        }
        Ok(())
    };
    let sent = tokio::time::timeout(patience, sending).await;
    let sent = sent.unwrap_or_else(|_elapsed| Err(refused("the collector did not answer in time")));
    sent.map_err(|error| error.with("otlp", collector))
}

async fn post(
    collector: &Url,
    headers: &[(HeaderName, HeaderValue)],
    body: Value,
    patience: Duration,
) -> Result<()> {
    let unsent = |error: object_store::Error| refused("no client could be made").because(error);
    let options = ClientOptions::new().with_timeout(patience).with_allow_http(true);
    let client = ReqwestConnector::default().connect(&options).map_err(unsent)?;
    let mut request = Request::post(collector.as_str()).header(CONTENT_TYPE, "application/json");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let request = request.body(body.to_string().into());
    let request = request.map_err(|error| refused("no request could be made").because(error))?;
    let answer = client.execute(request).await;
    let answer = answer.map_err(|error| refused("the collector did not answer").because(error))?;
    if answer.status().is_success() {
        return Ok(());
    }
    Err(refused("the collector did not take the metrics").with("answer", answer.status()))
}

fn refused(what: &'static str) -> Error {
    Error::new(ErrorKind::Unavailable, what)
}

/// The headers of the variable. Values are secret.
fn headers(text: &str) -> Result<Vec<(HeaderName, HeaderValue)>> {
    let header = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
        let mut value = HeaderValue::from_str(&value).ok()?;
        value.set_sensitive(true);
        Some((HeaderName::from_bytes(name.trim().as_bytes()).ok()?, value))
    };
    let pairs = text.split(',').filter(|pair| !pair.trim().is_empty());
    let headers: Option<Vec<_>> = pairs.map(header).collect();
    headers.ok_or_else(|| {
        Error::new(ErrorKind::Config, "the headers for the collector cannot be read")
            .with_remedy(format!("write {HEADERS} as name=value,name=value, percent-encoded"))
    })
}

/// The bodies of the requests.
#[must_use]
pub fn bodies(snapshot: &Snapshot) -> Vec<Value> {
    let mut parts: Vec<Vec<&Sample>> =
        snapshot.tables.chunks(TABLES_AT_ONCE).map(|part| part.iter().collect()).collect();
    match parts.first_mut() {
        Some(first) => first.push(&snapshot.process),
        None => parts.push(vec![&snapshot.process]),
    }
    parts.iter().map(|samples| body(samples, snapshot)).collect()
}

fn body(samples: &[&Sample], snapshot: &Snapshot) -> Value {
    let metrics: Vec<Value> =
        METRICS.iter().filter_map(|metric| of_metric(metric, samples, snapshot)).collect();
    let scope = json!({ "name": "dmslake", "version": version::SHORT });
    let resource = json!({ "attributes": [
        attribute("service.name", "dmslake"),
        attribute("service.version", version::SHORT),
    ] });
    json!({ "resourceMetrics": [{
        "resource": resource,
        "scopeMetrics": [{ "scope": scope, "metrics": metrics }],
    }] })
}

fn attribute(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

/// A metric with all its points; none if it has none.
fn of_metric(metric: &Metric, samples: &[&Sample], snapshot: &Snapshot) -> Option<Value> {
    let mut points = Vec::new();
    for sample in samples {
        let of_metric = sample.values.iter().filter(|(it, _)| it.metric.name == metric.name);
        let told = of_metric.filter(|(_, value)| *value != 0.0 || !metric.is_counter());
        points.extend(told.map(|(series, value)| point(sample, series, *value, snapshot)));
    }
    if points.is_empty() {
        return None;
    }
    let mut told = json!({
        "name": metric.in_otlp(), "description": metric.means, "unit": metric.unit.in_otlp(),
    });
    let (form, values) = if metric.is_counter() {
        let sum = json!({
            "dataPoints": points, "aggregationTemporality": DELTA, "isMonotonic": true,
        });
        ("sum", sum)
    } else {
        ("gauge", json!({ "dataPoints": points }))
    };
    told[form] = values;
    Some(told)
}

fn point(sample: &Sample, series: &Series, value: f64, snapshot: &Snapshot) -> Value {
    let table = sample.table.iter().map(|table| attribute("table", table));
    let label = series.metric.label().zip(series.label);
    let attributes: Vec<Value> =
        table.chain(label.map(|(label, value)| attribute(label, value))).collect();
    json!({
        "attributes": attributes,
        "startTimeUnixNano": nanoseconds(snapshot.begun),
        "timeUnixNano": nanoseconds(snapshot.now),
        "asDouble": value,
    })
}

/// 64-bit numbers are text in JSON of Protobuf.
fn nanoseconds(time: DateTime<Utc>) -> String {
    time.timestamp_nanos_opt().unwrap_or_default().to_string()
}
