//! What commands tell of their runs: a file for Prometheus, a request to a collector.

use std::path::Path;

use super::exit::Exit;
use super::output::Screen;
use crate::disposition::advice;
use crate::metrics::{Snapshot, otlp, prometheus};
use crate::pipeline::Pipeline;

/// Writes the file, if one is named. Whoever reads it would not notice that it is an old one, so
/// that this fails is told and needs attention.
pub(super) fn write(file: Option<&Path>, snapshot: &Snapshot, screen: &Screen) -> Exit {
    let Some(file) = file else { return Exit::Done };
    match prometheus::write(file, snapshot) {
        Ok(()) => Exit::Done,
        Err(error) => {
            screen.complain(&error);
            Exit::Attention
        }
    }
}

/// Sends the values to the collector of the configuration, if it names one. What fails is logged,
/// and fails nothing else.
pub(super) async fn send(pipeline: &Pipeline, snapshot: &Snapshot) {
    let Some(collector) = &pipeline.settings().metrics.otlp else { return };
    if snapshot.tables.is_empty() {
        return;
    }
    if let Err(error) = otlp::send(collector, snapshot, otlp::PATIENCE).await {
        tracing::warn!("metrics are not sent: {}", advice(&error));
    }
}
