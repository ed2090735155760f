//! Asks AWS DMS how a task and its target endpoint are set. Nothing is changed there.

use std::error::Error as StdError;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_databasemigration::Client;
use aws_sdk_databasemigration::config::interceptors::AfterDeserializationInterceptorContextRef;
use aws_sdk_databasemigration::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_databasemigration::error::{BoxError, ProvideErrorMetadata, SdkError};
use aws_sdk_databasemigration::types::Filter;
use serde_json::Value as Json;

use crate::error::{Error, ErrorKind, Result};
use crate::glue::{chain, refused, unanswered};

const SERVICE: &str = "AWS DMS";
const PERMIT: &str = "grant dms:DescribeReplicationTasks (serverless: \
                      dms:DescribeReplicationConfigs) and dms:DescribeEndpoints to the role or user \
                      that runs dmslake, or let somebody who may write the two files of \
                      --table-mappings and --endpoint-settings";
/// Part of the ARN of a serverless replication.
const SERVERLESS: &str = ":replication-config:";

/// A task and its target endpoint, each as AWS's command line prints it.
pub(super) struct Described {
    pub(super) task: String,
    pub(super) endpoint: String,
}

/// Asks for the task, or the serverless replication, of this ARN, and for its target endpoint.
///
/// # Errors
/// `Config` if there is no such task; `StoreRefused` or `Unavailable` if AWS refuses or does not
/// answer.
pub(super) async fn describe(arn: &str) -> Result<Described> {
    let dms = Client::new(&chain().await);
    let (task, endpoint) = (Body::default(), Body::default());
    if arn.contains(SERVERLESS) {
        let asked = dms.describe_replication_configs();
        let asked = asked.filters(named("replication-config-arn", arn)?).customize();
        answered(Box::pin(asked.interceptor(task.clone()).send()).await)?;
    } else {
        let asked = dms.describe_replication_tasks();
        let asked = asked.filters(named("replication-task-arn", arn)?).customize();
        answered(Box::pin(asked.interceptor(task.clone()).send()).await)?;
    }
    let task = task.text()?;
    let target = target_of(&task).ok_or_else(|| no_task().with("--dms-task", arn))?;
    let asked = dms.describe_endpoints().filters(named("endpoint-arn", &target)?).customize();
    answered(Box::pin(asked.interceptor(endpoint.clone()).send()).await)?;
    Ok(Described { task, endpoint: endpoint.text()? })
}

/// The ARN of the target endpoint of the first task.
fn target_of(described: &str) -> Option<String> {
    let root: Json = serde_json::from_str(described).ok()?;
    let tasks = root.get("ReplicationTasks").or_else(|| root.get("ReplicationConfigs"))?;
    tasks.get(0)?.get("TargetEndpointArn")?.as_str().map(str::to_owned)
}

/// Whether AWS has answered. What it says is read from the text, of which the client need not
/// understand all.
fn answered<T, E>(sent: std::result::Result<T, SdkError<E>>) -> Result<()>
where
    E: ProvideErrorMetadata + StdError + 'static,
{
    let is_success = |error: &SdkError<E>| {
        error.raw_response().is_some_and(|answer| answer.status().is_success())
    };
    match sent {
        Err(error) if !is_success(&error) => Err(failed(&error)),
        _ => Ok(()),
    }
}

fn no_task() -> Error {
    Error::new(ErrorKind::Config, "there is no such task in this account and region")
}

fn named(name: &str, arn: &str) -> Result<Filter> {
    Filter::builder().name(name).values(arn).build().map_err(|error| {
        Error::new(ErrorKind::Internal, "a filter of a request to AWS is not whole").because(error)
    })
}

fn failed<E>(error: &SdkError<E>) -> Error
where
    E: ProvideErrorMetadata + StdError + 'static,
{
    match error.as_service_error() {
        Some(answer) if answer.code() == Some("ResourceNotFoundFault") => no_task(),
        Some(answer) => refused(answer, "AWS DMS rejected a request", PERMIT),
        None => unanswered(error, SERVICE),
    }
}

/// Keeps the body of the last answer: it has every member, also those that the client does not know.
#[derive(Clone, Debug, Default)]
struct Body(Arc<Mutex<Option<Vec<u8>>>>);

impl Body {
    fn text(&self) -> Result<String> {
        let body = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let text = body.and_then(|body| String::from_utf8(body).ok());
        text.ok_or_else(|| Error::new(ErrorKind::Unavailable, "AWS DMS answered without text"))
    }
}

impl Intercept for Body {
    fn name(&self) -> &'static str {
        "Body"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> std::result::Result<(), BoxError> {
        let body = context.response().body().bytes().map(<[u8]>::to_vec);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = body;
        Ok(())
    }
}
