//! SIGINT and SIGTERM: the first one requests a stop, the second one ends the process.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::output::Screen;
use crate::error::{Error, ErrorKind, Result};
use crate::pipeline::Stop;

/// Returns a stop that the first SIGINT or SIGTERM requests. The second ends the process, with the
/// exit code that shells give to a process killed by that signal.
///
/// # Errors
/// `Internal` if the signals cannot be handled.
pub(super) fn stop_on_signal(screen: &Screen) -> Result<Stop> {
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    let stop = Stop::default();
    let (requested, shown) = (stop.clone(), screen.clone());
    tokio::spawn(async move {
        next(&mut interrupt, &mut terminate).await;
        requested.request();
        shown.note("stopping after the current commit; send the signal again to stop immediately");
        let number = next(&mut interrupt, &mut terminate).await.as_raw_value();
        std::process::exit(128 + number);
    });
    Ok(stop)
}

/// Ends when the stop is requested: what only looks may end anywhere.
pub(super) async fn requested(stop: &Stop) {
    const STEP: Duration = Duration::from_millis(100);
    while !stop.is_requested() {
        tokio::time::sleep(STEP).await;
    }
}

fn listen(kind: SignalKind) -> Result<Signal> {
    signal(kind).map_err(|error| {
        Error::new(ErrorKind::Internal, "signals cannot be handled").because(error)
    })
}

async fn next(interrupt: &mut Signal, terminate: &mut Signal) -> SignalKind {
    tokio::select! {
        _ = interrupt.recv() => SignalKind::interrupt(),
        _ = terminate.recv() => SignalKind::terminate(),
    }
}
