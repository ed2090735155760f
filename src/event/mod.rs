//! Parses every kind of event that invokes the function into doorbells.
//!
//! An event is only a doorbell: it says which tables to look at. What is applied, and in what
//! order, follows from staging and from each table's progress. Events may therefore arrive twice,
//! late, out of order or never, and their times, sizes and sequencers are ignored. This module does
//! no I/O.

mod queue;
mod route;
mod s3;

use serde_json::Value;

pub use route::{Route, Work, route};

/// What a doorbell asks to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doorbell {
    /// The table of an object that has just been staged.
    Object {
        /// The bucket as the event names it.
        bucket: String,
        /// The object's full key, decoded.
        key: String,
    },
    /// All of the table with this name, `schema.table`.
    Table(String),
    /// Every table with a freshness: what is due by now.
    Due,
    /// All of every table.
    Everything,
}

/// Why an event or a message cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable(pub String);

/// The doorbells of one message; empty if it asks for nothing (a test event, a deletion).
pub type Content = Result<Vec<Doorbell>, Unreadable>;

/// A message of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The id under which the message is reported to the queue as failed.
    pub id: String,
    /// What it asks for.
    pub content: Content,
}

/// The payload of an invocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invocation {
    /// A batch from an SQS queue, whose messages fail individually.
    Queue(Vec<Message>),
    /// An event sent to the function directly. It fails as a whole.
    Direct(Content),
}

/// Reads the payload of an invocation.
///
/// Supported are S3 notifications, EventBridge's S3 and scheduled events, SNS envelopes,
/// `s3:TestEvent`, `{"tables": ["shop.orders"]}`, `{"sweep": true}` and `{"sweep": "due"}`, each on its own or as the
/// body of an SQS message.
#[must_use]
pub fn parse(event: &Value) -> Invocation {
    match queue::messages(event) {
        Some(Ok(messages)) => Invocation::Queue(messages),
        Some(Err(unreadable)) => Invocation::Direct(Err(unreadable)),
        None => Invocation::Direct(content(event)),
    }
}

/// The tables of which somebody asks how they stand, by their names, all if there is none:
/// `{"status": true}`, with or without `"tables"`. None if the event is no such question.
#[must_use]
pub fn asked_status(event: &Value) -> Option<Result<Vec<String>, Unreadable>> {
    if event.get("status") != Some(&Value::Bool(true)) {
        return None;
    }
    let Some(tables) = event.get("tables") else { return Some(Ok(Vec::new())) };
    let names = tables.as_array().into_iter().flatten().map(|it| it.as_str().map(str::to_owned));
    let names: Option<Vec<String>> = names.collect();
    let names = names.filter(|names| !names.is_empty());
    Some(names.ok_or_else(|| unreadable("\"tables\" is no list of names")))
}

fn content(event: &Value) -> Content {
    if let Some(records) = event.get("Records").and_then(Value::as_array) {
        let read: Result<Vec<_>, _> = records.iter().map(record).collect();
        return Ok(read?.concat());
    }
    if event.get("Event").and_then(Value::as_str) == Some("s3:TestEvent") {
        return Ok(Vec::new());
    }
    if let Some(detail_type) = event.get("detail-type").and_then(Value::as_str) {
        return match (event.get("source").and_then(Value::as_str), detail_type) {
            (Some("aws.s3"), "Object Created") => s3::event_bridge(event),
            (Some("aws.s3"), _) => Ok(Vec::new()),
            (_, "Scheduled Event") => Ok(vec![Doorbell::Everything]),
            _ => Err(unreadable("an EventBridge event that is neither from S3 nor scheduled")),
        };
    }
    if event.get("Type").and_then(Value::as_str) == Some("Notification") {
        return notification(event);
    }
    by_hand(event)
}

/// A record from S3, or from SNS if it invokes the function directly.
fn record(record: &Value) -> Content {
    let source = record.get("eventSource").or_else(|| record.get("EventSource"));
    match source.and_then(Value::as_str) {
        Some("aws:s3") => s3::notification(record),
        Some("aws:sns") => match record.get("Sns") {
            Some(envelope) => notification(envelope),
            None => Err(unreadable("an SNS record without its envelope")),
        },
        _ => Err(unreadable("a record from neither S3 nor SNS")),
    }
}

/// An SNS envelope around any other shape.
fn notification(envelope: &Value) -> Content {
    match envelope.get("Message").and_then(Value::as_str) {
        Some(message) => body(message),
        None => Err(unreadable("an SNS envelope without a message")),
    }
}

/// An event in the form of text.
fn body(text: &str) -> Content {
    match serde_json::from_str(text) {
        Ok(event) => content(&event),
        Err(_) => Err(unreadable("text that is not JSON")),
    }
}

/// An event sent by a person or by a schedule with a custom input.
fn by_hand(event: &Value) -> Content {
    match event.get("sweep") {
        Some(Value::Bool(true)) => return Ok(vec![Doorbell::Everything]),
        Some(Value::String(what)) if what == "due" => return Ok(vec![Doorbell::Due]),
        _ => {}
    }
    let names = event.get("tables").and_then(Value::as_array).filter(|names| !names.is_empty());
    let names = names.ok_or_else(|| unreadable("an event of unknown shape"))?;
    let doorbell = |name: &Value| match name.as_str() {
        Some(name) => Ok(Doorbell::Table(name.to_owned())),
        None => Err(unreadable("\"tables\" contains something other than text")),
    };
    names.iter().map(doorbell).collect()
}

fn unreadable(what: &str) -> Unreadable {
    Unreadable(what.to_owned())
}
