//! Which events are logged at all.

use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{FilterFn, filter_fn};

/// The filter of `RUST_LOG`, or by default this one.
pub(crate) fn asked_for(default: &str) -> EnvFilter {
    EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default))
}

/// What goes before it: of libraries nothing below `info`, whatever is asked for. Those that plan,
/// read and write tables log statistics and rows there, the Lambda runtime whole events, and no
/// value may stand in a log.
pub(crate) fn without_values() -> FilterFn {
    filter_fn(|event: &Metadata<'_>| {
        let is_ours = ["dmslake", "bootstrap"].iter().any(|ours| event.target().starts_with(ours));
        is_ours || *event.level() <= Level::INFO
    })
}
