//! Logs as Lambda wants them: one JSON object a line, on standard output.

use tracing_subscriber::EnvFilter;

/// What is logged if `RUST_LOG` does not say otherwise. The runtime's own lines carry the
/// request id into ours.
const DEFAULT: &str = "warn,dmslake=info,bootstrap=info,lambda_runtime=info";

/// Starts logging for the whole process; to be called once, first of all.
pub fn start() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT));
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_env_filter(filter)
        .init();
}
