//! The `bootstrap` binary of the Lambda function.

use std::sync::Arc;

use dmslake::clock::{Clock, SystemClock};
use dmslake::lambda::{Warm, handle, log};
use dmslake::memory::return_freed_memory;
use dmslake::panics::log_places;
use lambda_runtime::{LambdaEvent, run, service_fn};
use serde_json::Value;
use tokio::sync::Mutex;

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    return_freed_memory();
    log_places();
    log::start();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let uri = std::env::var("DMSLAKE_CONFIG").unwrap_or_default();
    let mut warm = Warm::new(&uri, Arc::clone(&clock));
    // Start even if the configuration cannot be read. It may be fixed while this process lives, and
    // until then each invocation reports what is wrong.
    if let Err(error) = warm.pipeline().await {
        tracing::error!(error = error.chain(), "the configuration cannot be used yet");
    }
    let warm = Mutex::new(warm);
    let (warm, clock) = (&warm, clock.as_ref());
    // One invocation is a large future.
    let handle = |event: LambdaEvent<Value>| Box::pin(handle(warm, clock, event));
    run(service_fn(handle)).await
}
