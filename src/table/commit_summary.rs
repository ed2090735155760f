//! What a commit says of itself to those who do not know its record: SQL engines, and people.
//!
//! `DESCRIBE HISTORY` of Spark and `history()` of `deltalake` show `operationMetrics`, a map of
//! texts, and `userMetadata`, one text. The record itself is packed, and for programs.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::progress::{CommitRecord, CommittedObject, Counts};

/// The text of `userMetadata`, as JSON; see the guide's page about formats.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary<'a> {
    objects: u64,
    first: &'a str,
    last: &'a str,
    bytes: u64,
    #[serde(flatten)]
    counts: Counts,
    table_rows: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    change_sequence: Option<&'a str>,
}

/// The summary of a commit; none if it takes in no object.
pub(super) fn summary(record: &CommitRecord) -> Option<String> {
    let (first, last) = (record.objects.first()?, record.objects.last()?);
    let source_time = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    let summary = Summary {
        objects: finished(record).count() as u64,
        first: &first.key,
        last: &last.key,
        bytes: bytes(record),
        counts: record.books.counts,
        table_rows: record.books.after,
        source_time: record.newest.time.map(source_time),
        change_sequence: record.newest.sequence.as_deref(),
    };
    serde_json::to_string(&summary).ok()
}

/// The operation's metrics and, where the commit takes in objects, what became of their changes
/// beside those of a MERGE.
pub(super) fn with_metrics(record: &CommitRecord, metrics: Option<Value>) -> Option<Value> {
    if record.objects.is_empty() {
        return metrics;
    }
    let counts = record.books.counts;
    let own = [
        ("numObjects", finished(record).count() as u64),
        ("numObjectBytes", bytes(record)),
        ("numChanges", counts.rows),
        ("numSuperseded", counts.superseded),
        ("numIgnored", counts.ignored),
        ("numQuarantined", counts.quarantined),
    ];
    let mut all = match metrics {
        Some(Value::Object(metrics)) => metrics,
        _ => Map::new(),
    };
    all.extend(own.map(|(name, count)| (name.to_owned(), Value::from(count.to_string()))));
    Some(Value::Object(all))
}

fn bytes(record: &CommitRecord) -> u64 {
    finished(record).map(|object| object.size).sum()
}

/// The objects that end with the commit. Sums over commits count each object once.
fn finished(record: &CommitRecord) -> impl Iterator<Item = &CommittedObject> {
    record.objects.iter().filter(|object| object.done)
}
