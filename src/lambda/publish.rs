//! Tells what an invocation measured: lines for CloudWatch in the log, a request to a collector.

use std::io::Write as _;
use std::time::Duration;

use tracing::warn;

use crate::config::Settings;
use crate::metrics::{Snapshot, emf, otlp};

/// Tells it as the configuration says, within this time. What fails is logged, and fails nothing
/// else.
pub(super) async fn publish(settings: &Settings, snapshot: &Snapshot, patience: Duration) {
    let metrics = &settings.metrics;
    let lines = emf::lines(snapshot, metrics.emf, &metrics.namespace, settings.tables.len());
    if let Err(error) = write(&lines) {
        warn!(error = error.to_string(), "metrics are not written");
    }
    let Some(collector) = metrics.otlp.as_ref().filter(|_| !snapshot.tables.is_empty()) else {
        return;
    };
    if let Err(error) = otlp::send(collector, snapshot, patience.min(otlp::PATIENCE)).await {
        warn!(error = error.chain(), "metrics are not sent");
    }
}

/// Each line as a whole: the log goes to standard output too.
fn write(lines: &[String]) -> std::io::Result<()> {
    let mut output = std::io::stdout().lock();
    for line in lines {
        output.write_all(format!("{line}\n").as_bytes())?;
    }
    output.flush()
}
