//! Whether those who are told of new objects listen: the queue, and what has failed there.

use std::collections::HashMap;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::Value;

use crate::inspect::doctor::account::{Account, told};
use crate::inspect::doctor::{Check, Finding, Severity};

type Attributes = HashMap<QueueAttributeName, String>;

/// Reads a queue, by its ARN, and the one for what has failed.
pub(super) async fn read(account: &Account, arn: &str) -> Vec<Finding> {
    let sqs = account.sqs();
    let attributes = match attributes(&sqs, arn).await {
        Ok(attributes) => attributes,
        Err(because) => return vec![unread(arn, &because)],
    };
    let mut findings = vec![waiting(arn, &attributes)];
    if !lets_s3_send(&attributes) {
        let what = format!("the policy of {arn} does not let S3 send to it: events are lost");
        findings.push(
            Finding::new(Severity::Problem, Check::Queue, what)
                .with_advice(
                    "allow sqs:SendMessage to s3.amazonaws.com for the bucket, as infra/doorbell.tf does",
                )
                .then(shows(arn, "Policy")),
        );
    }
    let redrive = attributes.get(&QueueAttributeName::RedrivePolicy);
    let redrive = redrive.and_then(|text| serde_json::from_str::<Value>(text).ok());
    let dead = redrive.as_ref().and_then(|policy| policy["deadLetterTargetArn"].as_str());
    if let Some(dead) = dead {
        findings.push(failed(&sqs, dead).await);
    } else {
        let what =
            format!("{arn} keeps no messages that failed: they come again until they expire");
        findings.push(
            Finding::new(Severity::Note, Check::Queue, what)
                .with_advice("give it a dead-letter queue, as infra/doorbell.tf does")
                .then(shows(arn, "RedrivePolicy")),
        );
    }
    findings
}

fn waiting(arn: &str, attributes: &Attributes) -> Finding {
    let number = |name| number(attributes, &name);
    let waiting = number(QueueAttributeName::ApproximateNumberOfMessages);
    let taken = number(QueueAttributeName::ApproximateNumberOfMessagesNotVisible);
    let what = format!("{arn}: messages that wait: {waiting}, under way: {taken}");
    Finding::new(Severity::Ok, Check::Queue, what)
}

/// Messages that failed.
async fn failed(sqs: &Client, arn: &str) -> Finding {
    let attributes = match attributes(sqs, arn).await {
        Ok(attributes) => attributes,
        Err(because) => return unread(arn, &because),
    };
    match number(&attributes, &QueueAttributeName::ApproximateNumberOfMessages) {
        0 => Finding::new(Severity::Ok, Check::Queue, format!("no message has failed ({arn})")),
        failed => {
            let what = format!("messages that failed and lie in {arn}: {failed}");
            Finding::new(Severity::Warning, Check::Queue, what)
                .with_advice(
                    "see why with dmslake status; no object is lost, since a sweep finds each. Then \
                     let them come again",
                )
                .then(format!("aws sqs start-message-move-task --source-arn {arn}"))
        }
    }
}

fn number(attributes: &Attributes, name: &QueueAttributeName) -> u64 {
    attributes.get(name).and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// Whether a statement of the queue's policy allows S3 to send.
fn lets_s3_send(attributes: &Attributes) -> bool {
    let policy = attributes.get(&QueueAttributeName::Policy);
    let policy = policy.and_then(|text| serde_json::from_str::<Value>(text).ok());
    let Some(statements) = policy.map(|policy| each(&policy["Statement"])) else { return false };
    statements.iter().any(|statement| {
        let principal = &statement["Principal"];
        let services = [each(principal), each(&principal["Service"]), each(&principal["AWS"])];
        let is_s3 = |value: &Value| {
            value.as_str().is_some_and(|name| ["*", "s3.amazonaws.com"].contains(&name))
        };
        let is_send = |value: &Value| {
            value.as_str().is_some_and(|action| {
                ["*", "sqs:*", "sqs:sendmessage"].contains(&action.to_lowercase().as_str())
            })
        };
        statement["Effect"] == "Allow"
            && services.iter().flatten().any(is_s3)
            && each(&statement["Action"]).iter().any(is_send)
    })
}

/// The values of what may be a list or one value.
fn each(value: &Value) -> Vec<Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(values) => values.clone(),
        one => vec![one.clone()],
    }
}

async fn attributes(sqs: &Client, arn: &str) -> Result<Attributes, String> {
    let mut parts = arn.rsplitn(3, ':');
    let (Some(name), Some(owner)) = (parts.next(), parts.next()) else {
        return Err("its ARN is none".to_owned());
    };
    let asked = sqs.get_queue_url().queue_name(name).queue_owner_aws_account_id(owner);
    let found = Box::pin(asked.send()).await.map_err(|error| told(&error))?;
    let asked = sqs
        .get_queue_attributes()
        .set_queue_url(found.queue_url)
        .attribute_names(QueueAttributeName::All);
    let found = Box::pin(asked.send()).await.map_err(|error| told(&error))?;
    Ok(found.attributes.unwrap_or_default())
}

fn unread(arn: &str, because: &str) -> Finding {
    let what = format!("{arn} cannot be read: {because}");
    let name = arn.rsplit(':').next().unwrap_or(arn);
    Finding::new(Severity::Unknown, Check::Queue, what)
        .with_advice("grant sqs:GetQueueUrl and sqs:GetQueueAttributes to whoever runs this")
        .then(format!("aws sqs get-queue-url --queue-name {name}"))
}

/// The command that shows an attribute of a queue.
fn shows(arn: &str, attribute: &str) -> String {
    let name = arn.rsplit(':').next().unwrap_or(arn);
    format!(
        "aws sqs get-queue-attributes --attribute-names {attribute} --queue-url \
         \"$(aws sqs get-queue-url --queue-name {name} --output text)\""
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_lets_s3_send_however_it_is_spelled() {
        let with = |policy: &str| Attributes::from([(QueueAttributeName::Policy, policy.into())]);
        let allows = |principal: &str, action: &str| {
            with(&format!(
                "{{\"Statement\":[{{\"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":\"sqs:*\"}},\
                 {{\"Effect\":\"Allow\",\"Principal\":{principal},\"Action\":{action}}}]}}"
            ))
        };
        let s3 = "{\"Service\":\"s3.amazonaws.com\"}";
        for attributes in [
            allows(s3, "\"sqs:SendMessage\""),
            allows(s3, "[\"SQS:SendMessage\",\"sqs:GetQueueUrl\"]"),
            allows("{\"Service\":[\"sns.amazonaws.com\",\"s3.amazonaws.com\"]}", "\"sqs:*\""),
            allows("\"*\"", "\"*\""),
            allows("{\"AWS\":\"*\"}", "\"sqs:SendMessage\""),
        ] {
            assert!(lets_s3_send(&attributes), "{attributes:?}");
        }
        for attributes in [
            Attributes::new(),
            with("{}"),
            with("no JSON"),
            allows("{\"Service\":\"sns.amazonaws.com\"}", "\"sqs:SendMessage\""),
            allows(s3, "\"sqs:ReceiveMessage\""),
        ] {
            assert!(!lets_s3_send(&attributes), "{attributes:?}");
        }
    }
}
