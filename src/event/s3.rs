//! S3's two kinds of events for a new object: its own notification, and EventBridge.

use percent_encoding::percent_decode;
use serde_json::Value;

use super::{Content, Doorbell, Unreadable, unreadable};

/// One record of a notification. Its key is form-encoded and is decoded exactly once, here.
pub(super) fn notification(record: &Value) -> Content {
    let version = record.get("eventVersion").and_then(Value::as_str).unwrap_or_default();
    if version.split('.').next() != Some("2") {
        return Err(unreadable("an S3 notification whose eventVersion is not 2.x"));
    }
    let Some(name) = record.get("eventName").and_then(Value::as_str) else {
        return Err(unreadable("an S3 notification without an eventName"));
    };
    if !name.trim_start_matches("s3:").starts_with("ObjectCreated:") {
        return Ok(Vec::new());
    }
    let (bucket, key) = bucket_and_key(record.get("s3"))?;
    Ok(vec![Doorbell::Object { bucket: bucket.to_owned(), key: form_decoded(key)? }])
}

/// An `Object Created` event of EventBridge, whose key is not encoded.
pub(super) fn event_bridge(event: &Value) -> Content {
    let (bucket, key) = bucket_and_key(event.get("detail"))?;
    Ok(vec![Doorbell::Object { bucket: bucket.to_owned(), key: key.to_owned() }])
}

fn bucket_and_key(entity: Option<&Value>) -> Result<(&str, &str), Unreadable> {
    let text = |pointer| {
        let found = entity.and_then(|entity| entity.pointer(pointer)).and_then(Value::as_str);
        found.filter(|text| !text.is_empty())
    };
    match (text("/bucket/name"), text("/object/key")) {
        (Some(bucket), Some(key)) => Ok((bucket, key)),
        _ => Err(unreadable("an S3 event without a bucket name or an object key")),
    }
}

fn form_decoded(key: &str) -> Result<String, Unreadable> {
    let spaced = key.replace('+', " ");
    match percent_decode(spaced.as_bytes()).decode_utf8() {
        Ok(decoded) => Ok(decoded.into_owned()),
        Err(_) => Err(unreadable("an S3 notification whose key is not UTF-8")),
    }
}
