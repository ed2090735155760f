//! Logs of the command line: for people, on standard error, above the progress bars.

use std::io::{self, IsTerminal, Write};

use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{fmt, registry};

use super::output::Screen;
use crate::log_filter::{asked_for, without_values};

/// Starts logging. `RUST_LOG` sets the level; if it is not set, the number of `-v` does.
pub(super) fn start(verbose: u8, screen: &Screen) {
    let by_flag = match verbose {
        // Where a problem in a library matters, it comes back as an error.
        0 => "dmslake=warn",
        1 => "dmslake=info",
        2 => "warn,dmslake=debug",
        _ => "info,dmslake=trace",
    };
    let format = fmt::layer()
        .with_writer(AboveProgress(screen.clone()))
        .with_ansi(screen.error_colour())
        .with_target(false);
    let log = registry().with(without_values()).with(asked_for(by_flag));
    // A person at a terminal knows the time. A log file needs it.
    if io::stderr().is_terminal() {
        log.with(format.without_time()).init();
    } else {
        log.with(format).init();
    }
}

/// Writes each event as a whole, above the progress bars.
struct AboveProgress(Screen);

impl<'a> MakeWriter<'a> for AboveProgress {
    type Writer = Event;

    fn make_writer(&'a self) -> Event {
        Event { screen: self.0.clone(), text: Vec::new() }
    }
}

struct Event {
    screen: Screen,
    text: Vec<u8>,
}

impl Write for Event {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        self.screen.above_progress(|| {
            // If standard error is gone, there is nowhere left to report that.
            let _ = io::stderr().write_all(&self.text);
        });
    }
}
