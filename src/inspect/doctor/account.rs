//! The AWS account behind S3: whose credentials are used, and its buckets and queues.

use std::error::Error as StdError;
use std::sync::{Arc, Mutex, PoisonError};

use aws_config::SdkConfig;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::{BoxError, ProvideErrorMetadata, SdkError};
use chrono::{DateTime, Utc};

use crate::clock::shown;
use crate::glue;
use crate::inspect::doctor::{Check, Finding, Severity};

/// Clients with credentials, region and endpoint of the standard chain, which is the pipeline's.
pub(super) struct Account {
    chain: SdkConfig,
}

impl Account {
    /// Resolves the chain.
    pub(super) async fn open() -> Self {
        Self { chain: glue::chain().await }
    }

    /// A client of S3.
    pub(super) fn s3(&self) -> aws_sdk_s3::Client {
        // As `storage` has it: a custom endpoint rarely resolves bucket host names.
        let is_custom = self.chain.endpoint_url().is_some();
        let config = aws_sdk_s3::config::Builder::from(&self.chain).force_path_style(is_custom);
        aws_sdk_s3::Client::from_conf(config.build())
    }

    /// A client of SQS.
    pub(super) fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.chain)
    }

    /// Whether there are credentials, whose they are, and in which region they are used.
    pub(super) async fn credentials(&self) -> Vec<Finding> {
        let finding = |severity, what: String| Finding::new(severity, Check::Credentials, what);
        let mut findings = Vec::new();
        let Some(region) = self.chain.region() else {
            let what = "no region is set, and each bucket is in one";
            findings.push(
                finding(Severity::Problem, what.into())
                    .with_advice("set AWS_REGION, or the region of the profile")
                    .then("aws configure list"),
            );
            return findings;
        };
        let found = match self.chain.credentials_provider() {
            Some(provider) => provider.provide_credentials().await.ok(),
            None => None,
        };
        let Some(credentials) = found else {
            findings.push(
                finding(Severity::Problem, "no AWS credentials found".into())
                    .with_advice(
                        "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give \
                         the machine a role",
                    )
                    .then("aws configure list"),
            );
            return findings;
        };
        let until = credentials.expiry().map(|until| {
            format!("; they end at {} and are renewed by the chain", shown(until.into()))
        });
        let until = until.unwrap_or_default();
        let sts = aws_sdk_sts::Client::new(&self.chain);
        findings.push(match Box::pin(sts.get_caller_identity().send()).await {
            Ok(identity) => {
                let arn = identity.arn().unwrap_or("an identity without a name");
                finding(Severity::Ok, format!("{arn} in {region}{until}"))
            }
            Err(error) => finding(
                Severity::Unknown,
                format!("there are credentials, and STS does not tell whose: {}", told(&error)),
            )
            .with_advice("nothing, if buckets can be listed; otherwise renew the credentials")
            .then("aws sts get-caller-identity"),
        });
        findings
    }

    /// The time by a bucket's server, to the second; none if it does not answer.
    pub(super) async fn time_of(&self, bucket: &str) -> Option<DateTime<Utc>> {
        let date = DateHeader::default();
        let asked = self.s3().head_bucket().bucket(bucket).customize().interceptor(date.clone());
        // Any answer has a date, a refusal too.
        let _ = Box::pin(asked.send()).await;
        let date = date.0.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        DateTime::parse_from_rfc2822(&date).ok().map(|date| date.to_utc())
    }
}

/// Keeps the `Date` of the last answer.
#[derive(Clone, Debug, Default)]
struct DateHeader(Arc<Mutex<Option<String>>>);

impl Intercept for DateHeader {
    fn name(&self) -> &'static str {
        "DateHeader"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date").map(str::to_owned);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = date;
        Ok(())
    }
}

/// Why a request failed, in a few words: the client's own messages print whole structures.
pub(super) fn told<E>(error: &SdkError<E>) -> String
where
    E: ProvideErrorMetadata + StdError + 'static,
{
    let status = error.raw_response().map(|answer| answer.status().as_u16());
    match (error.as_service_error().and_then(ProvideErrorMetadata::code), status) {
        (Some(code), _) => code.to_owned(),
        (None, Some(status)) => format!("an answer with status {status} and without a code"),
        (None, None) => "no answer".to_owned(),
    }
}
