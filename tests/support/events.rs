//! Events as AWS sends them.

use serde_json::{Value, json};

/// A record of an S3 notification for bucket `staging`, with the key as given.
pub(crate) fn s3_record(name: &str, key: &str) -> Value {
    json!({
        "eventVersion": "2.5", "eventSource": "aws:s3", "awsRegion": "eu-west-1",
        "eventTime": "2026-11-03T10:11:12.345Z", "eventName": name,
        "userIdentity": {"principalId": "AWS:AROA:dms"},
        "requestParameters": {"sourceIPAddress": "10.0.0.1"},
        "responseElements": {"x-amz-request-id": "C3D13FE58DE4C810", "x-amz-id-2": "FMyUVURIY8/IgAtTv8xR"},
        "s3": {
            "s3SchemaVersion": "1.0", "configurationId": "dms",
            "bucket": {"name": "staging", "ownerIdentity": {"principalId": "A3"}, "arn": "arn:aws:s3:::staging"},
            "object": {"key": key, "size": 123, "eTag": "0123456789abcdef", "versionId": null,
                       "sequencer": "0055AED6DCD90281E5"},
        },
    })
}

/// A notification of one object, whose key is encoded as S3 does.
pub(crate) fn s3_notification(key: &str) -> Value {
    const KEPT: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC
        .remove(b'/')
        .remove(b'-')
        .remove(b'_')
        .remove(b'.')
        .remove(b' ');
    let encoded = percent_encoding::utf8_percent_encode(key, KEPT).to_string().replace(' ', "+");
    json!({"Records": [s3_record("ObjectCreated:Put", &encoded)]})
}

/// An S3 event from EventBridge.
pub(crate) fn event_bridge(detail_type: &str, key: &str) -> Value {
    json!({
        "version": "0", "id": "17793124-05d4-b198-2fde-7ededc63b103", "detail-type": detail_type,
        "source": "aws.s3", "account": "111122223333", "time": "2026-11-03T10:11:12Z",
        "region": "eu-west-1", "resources": ["arn:aws:s3:::staging"],
        "detail": {
            "version": "0", "bucket": {"name": "staging"},
            "object": {"key": key, "size": 5, "etag": "b1946ac92492d2347c6235b4d2611184",
                       "version-id": "IYV3p45BT0ac8hjHg1houSdS1a.Mro8e", "sequencer": "00617F08299329D189"},
            "request-id": "N4N7GDK58NMKJ12R", "requester": "123456789012",
            "source-ip-address": "1.2.3.4", "reason": "PutObject",
        },
    })
}

/// The first message of every new set-up.
pub(crate) fn test_event() -> Value {
    json!({
        "Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "2026-11-03T10:11:12.345Z",
        "Bucket": "staging", "RequestId": "5582815E1AEA5ADF", "HostId": "8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3e",
    })
}

/// SNS's envelope around an event.
pub(crate) fn sns(event: &Value) -> Value {
    json!({
        "Type": "Notification", "MessageId": "63a3f6b6-d533-4a47-aef9-fcf5cf758c76",
        "TopicArn": "arn:aws:sns:eu-west-1:123456789012:dms", "Subject": "Amazon S3 Notification",
        "Message": event.to_string(), "Timestamp": "2026-11-03T10:11:12.345Z",
        "SignatureVersion": "1", "Signature": "EXAMPLE", "SigningCertUrl": "EXAMPLE",
        "UnsubscribeUrl": "EXAMPLE", "MessageAttributes": {},
    })
}

/// An SQS batch: message ids with the events as bodies.
pub(crate) fn queue(messages: &[(&str, &Value)]) -> Value {
    let record = |(id, event): &(&str, &Value)| {
        json!({
            "messageId": id, "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
            "body": event.to_string(),
            "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1545082649183",
                           "SenderId": "AIDAIENQZJOLO23YVJ4VO", "ApproximateFirstReceiveTimestamp": "1545082649185"},
            "messageAttributes": {}, "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
            "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:dms",
            "awsRegion": "eu-west-1",
        })
    };
    json!({"Records": messages.iter().map(record).collect::<Vec<_>>()})
}
