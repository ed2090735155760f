//! The SQS envelope: the messages of a batch, each with the id by which it can fail alone.

use serde_json::Value;

use super::{Message, Unreadable, body, unreadable};

/// The messages; none if the event is not an SQS batch.
///
/// A record without an id could not be reported as failed, and Lambda treats an empty id as a
/// failure of the whole batch. Such a batch is therefore refused as a whole.
pub(super) fn messages(event: &Value) -> Option<Result<Vec<Message>, Unreadable>> {
    let records = event.get("Records")?.as_array()?;
    let source = records.first()?.get("eventSource")?.as_str()?;
    (source == "aws:sqs").then(|| records.iter().map(message).collect())
}

fn message(record: &Value) -> Result<Message, Unreadable> {
    let id = record.get("messageId").and_then(Value::as_str).filter(|id| !id.is_empty());
    let id = id.ok_or_else(|| unreadable("an SQS record without a message id"))?.to_owned();
    let content = match record.get("body").and_then(Value::as_str) {
        Some(text) => body(text),
        None => Err(unreadable("an SQS record without a body")),
    };
    Ok(Message { id, content })
}
