//! The doorbell of an object: the event that S3 would send, through a queue.

use object_store::path::Path;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::event::{self, Content, Invocation};

/// The event that the function would receive.
pub(super) fn event(key: &Path) -> Value {
    // S3 encodes keys in its notifications.
    let key = utf8_percent_encode(key.as_ref(), NON_ALPHANUMERIC).to_string();
    let notification = json!({"Records": [{
        "eventVersion": "2.5",
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": "demo"}, "object": {"key": key}},
    }]});
    json!({"Records": [{
        "messageId": "demo",
        "eventSource": "aws:sqs",
        "body": notification.to_string(),
    }]})
}

/// What the function would read from the event.
pub(super) fn contents(event: &Value) -> Vec<Content> {
    match event::parse(event) {
        Invocation::Queue(messages) => {
            messages.into_iter().map(|message| message.content).collect()
        }
        Invocation::Direct(content) => vec![content],
    }
}
