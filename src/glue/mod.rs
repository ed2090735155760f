//! AWS Glue: its client, and runs of the job that applies what is too much for the function.

mod runs;

use std::error::Error as StdError;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::timeout::TimeoutConfig;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_glue::Client;
use aws_sdk_glue::error::{ProvideErrorMetadata, SdkError};

use crate::error::{Error, ErrorKind, refusal_of_code, refusal_without_answer};

pub use runs::{GlueJob, JobRuns, RunState, Start};

/// As messages name it.
pub(crate) const SERVICE: &str = "Glue";

/// An answer takes a few hundred milliseconds. Without a timeout, the client would wait forever.
const LONGEST_ATTEMPT: Duration = Duration::from_secs(3);
const LONGEST_REQUEST: Duration = Duration::from_secs(8);

/// A client with credentials, region and endpoint of the standard chain.
pub(crate) async fn client() -> Client {
    Client::new(&chain().await)
}

/// Credentials, region and endpoint of the standard chain, with which no request waits forever.
pub(crate) async fn chain() -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(LONGEST_ATTEMPT)
        .operation_timeout(LONGEST_REQUEST)
        .build();
    let chain = aws_config::defaults(aws_config::BehaviorVersion::latest());
    chain.timeout_config(timeouts).load().await
}

/// The error for an answer that refuses a request. The client's own messages print whole structures.
pub(crate) fn refused(answer: &dyn ProvideErrorMetadata, what: &str, permit: &str) -> Error {
    let code = answer.code().unwrap_or_default();
    let error = match refusal_of_code(code) {
        Some(refused) if code == "AccessDeniedException" => refused.with_remedy(permit),
        Some(refused) => refused,
        None => Error::new(ErrorKind::Unavailable, what).with("answer", code),
    };
    match answer.message() {
        Some(message) => error.with("message", message),
        None => error,
    }
}

/// The error for a request without an answer: a refusal if nothing could be reached, otherwise
/// transient, of the service of this name.
pub(crate) fn unanswered<E>(error: &SdkError<E>, service: &str) -> Error {
    let unsent = match error {
        SdkError::DispatchFailure(unsent) => unsent.as_connector_error(),
        _ => None,
    };
    match unsent {
        Some(unsent) if lacks_credentials(unsent) => refusal_without_answer(false),
        Some(unsent) if unsent.is_io() => refusal_without_answer(true),
        _ => Error::new(ErrorKind::Unavailable, format!("{service} did not answer")),
    }
}

fn lacks_credentials(error: &(dyn StdError + 'static)) -> bool {
    let is_it = matches!(error.downcast_ref(), Some(CredentialsError::CredentialsNotLoaded(_)));
    is_it || error.source().is_some_and(lacks_credentials)
}
