//! Logs in Lambda's form: one JSON object per line, on standard output.

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{fmt, registry};

use crate::log_filter::{asked_for, without_values};

/// What is logged unless `RUST_LOG` says otherwise. The runtime's own lines carry the request id
/// into ours.
const DEFAULT: &str = "warn,dmslake=info,bootstrap=info,lambda_runtime=info";

/// Starts logging for the whole process. Call it once, before anything else.
pub fn start() {
    let format =
        fmt::layer().json().flatten_event(true).with_current_span(true).with_span_list(false);
    registry().with(without_values()).with(asked_for(DEFAULT)).with(format).init();
}
