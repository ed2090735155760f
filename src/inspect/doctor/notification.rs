//! Whether somebody is told of new objects in staging, and who.

use aws_sdk_s3::types::{Event, NotificationConfigurationFilter, QueueConfiguration, S3KeyFilter};

use crate::config::TableName;
use crate::inspect::doctor::account::{Account, told};
use crate::inspect::doctor::{Check, Finding, Severity};

/// Where the objects of a table are.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    pub(super) table: TableName,
    /// The key of its newest object, or of its folder if there is none.
    pub(super) key: String,
    pub(super) is_object: bool,
}

/// One notification of a bucket.
#[derive(Debug)]
struct Bell {
    /// Who is told.
    target: String,
    prefix: String,
    suffix: String,
    /// Whether every way of creating an object rings it.
    is_whole: bool,
}

impl Bell {
    fn of(
        target: &str,
        events: &[Event],
        filter: Option<&NotificationConfigurationFilter>,
    ) -> Option<Self> {
        let has = |name: &str| events.iter().any(|event| event.as_str() == name);
        let is_whole = has("s3:ObjectCreated:*")
            || (has("s3:ObjectCreated:Put") && has("s3:ObjectCreated:CompleteMultipartUpload"));
        let rings = events.iter().any(|event| event.as_str().starts_with("s3:ObjectCreated:"));
        let rules = filter.and_then(NotificationConfigurationFilter::key);
        let rules = rules.map(S3KeyFilter::filter_rules).unwrap_or_default();
        let value = |wanted: &str| {
            // S3 spells them `Prefix`, others `prefix`.
            let of = |rule: &&aws_sdk_s3::types::FilterRule| {
                rule.name().is_some_and(|name| name.as_str().eq_ignore_ascii_case(wanted))
            };
            rules.iter().find(of).and_then(|rule| rule.value()).unwrap_or_default().to_owned()
        };
        let (prefix, suffix) = (value("prefix"), value("suffix"));
        rings.then(|| Self { target: target.to_owned(), prefix, suffix, is_whole })
    }

    /// Whether an object of these keys rings it.
    fn covers(&self, keys: &Keys) -> bool {
        keys.key.starts_with(&self.prefix) && (!keys.is_object || keys.key.ends_with(&self.suffix))
    }
}

/// Who is told, and what was found.
pub(super) struct Told {
    pub(super) findings: Vec<Finding>,
    /// The queues among those who are told, by ARN.
    pub(super) queues: Vec<String>,
}

/// Reads the notifications of staging's bucket and compares them with where objects are.
pub(super) async fn read(account: &Account, bucket: &str, tables: &[Keys]) -> Told {
    let shown = format!("aws s3api get-bucket-notification-configuration --bucket {bucket}");
    let asked = account.s3().get_bucket_notification_configuration().bucket(bucket);
    let found = match Box::pin(asked.send()).await {
        Ok(found) => found,
        Err(error) => {
            let what =
                format!("the notifications of s3://{bucket} cannot be read: {}", told(&error));
            let finding = Finding::new(Severity::Unknown, Check::Notification, what)
                .with_advice("grant s3:GetBucketNotification on the bucket to whoever runs this")
                .then(shown);
            return Told { findings: vec![finding], queues: Vec::new() };
        }
    };
    let mut bells = Vec::new();
    for queue in found.queue_configurations() {
        bells.extend(Bell::of(queue.queue_arn(), queue.events(), queue.filter()));
    }
    for topic in found.topic_configurations() {
        bells.extend(Bell::of(topic.topic_arn(), topic.events(), topic.filter()));
    }
    for function in found.lambda_function_configurations() {
        let arn = function.lambda_function_arn();
        bells.extend(Bell::of(arn, function.events(), function.filter()));
    }
    if found.event_bridge_configuration().is_some() {
        let (target, none) = ("EventBridge".to_owned(), String::new);
        bells.push(Bell { target, prefix: none(), suffix: none(), is_whole: true });
    }
    let queues = found.queue_configurations().iter().map(QueueConfiguration::queue_arn);
    let is_rung = |arn: &&str| bells.iter().any(|bell| bell.target == *arn);
    let mut queues: Vec<String> = queues.filter(is_rung).map(str::to_owned).collect();
    queues.sort_unstable();
    queues.dedup();
    Told { findings: compare(bucket, &bells, tables, &shown), queues }
}

fn compare(bucket: &str, bells: &[Bell], tables: &[Keys], shown: &str) -> Vec<Finding> {
    let finding = |severity, what: String| Finding::new(severity, Check::Notification, what);
    if bells.is_empty() {
        let what = format!(
            "s3://{bucket} tells nobody of new objects: only a schedule or a person finds them"
        );
        let advice = "if the function is to apply them, let the bucket tell its queue (see infra)";
        return vec![finding(Severity::Note, what).with_advice(advice).then(shown)];
    }
    let mut findings = Vec::new();
    for keys in tables.iter().filter(|keys| !bells.iter().any(|bell| bell.covers(keys))) {
        let what = "no notification of the bucket is about its objects: only a sweep finds them";
        findings.push(
            finding(Severity::Warning, what.to_owned())
                .of(&keys.table)
                .with_advice(format!(
                    "let prefix and suffix of the notification take in {}",
                    keys.key
                ))
                .then(shown),
        );
    }
    for bell in bells.iter().filter(|bell| !bell.is_whole) {
        let what = format!(
            "{} is told of some new objects only: DMS writes large ones in parts",
            bell.target
        );
        findings.push(
            finding(Severity::Warning, what)
                .with_advice("let its event be s3:ObjectCreated:*")
                .then(shown),
        );
    }
    if findings.is_empty() {
        let mut targets: Vec<&str> = bells.iter().map(|bell| bell.target.as_str()).collect();
        targets.sort_unstable();
        targets.dedup();
        findings.push(finding(Severity::Ok, format!("new objects ring at {}", targets.join(", "))));
    }
    findings
}
