//! The progress bar of a verification.

use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::ProgressBar;

use crate::cli::output::{Screen, count, plural};
use crate::cli::progress_bar;
use crate::inspect::verify::{Observer, Step};

const READING: &str = "{prefix} {spinner} {wide_bar} {pos}/{len} rows of the source  {msg}";

/// One bar, which is invisible if standard error is not a terminal.
#[derive(Debug)]
pub(super) struct VerifyProgress {
    bar: ProgressBar,
    lake: AtomicU64,
}

impl VerifyProgress {
    /// Shows a bar for that table. It disappears when this is dropped.
    pub(super) fn begin(screen: &Screen, table: &str) -> Self {
        let bar = progress_bar::begin(screen, READING);
        bar.set_prefix(table.to_owned());
        Self { bar, lake: AtomicU64::new(0) }
    }
}

impl Observer for VerifyProgress {
    fn step(&self, step: Step) {
        match step {
            Step::Expected { rows } => self.bar.set_length(rows),
            Step::Source { rows } => {
                self.bar.inc(rows);
                // What the source tells beforehand is an estimate.
                let read = self.bar.position();
                if self.bar.length().is_some_and(|length| length < read) {
                    self.bar.set_length(read);
                }
            }
            Step::Lake { rows } => {
                let sum = self.lake.fetch_add(rows, Ordering::Relaxed) + rows;
                self.bar.set_message(format!("{} rows of the lake", count(sum)));
            }
            Step::Rechecks { keys } => {
                let differ = if keys == 1 { "differs" } else { "differ" };
                let keys = plural(keys, "key");
                self.bar.set_message(format!("{keys} {differ} so far, and may be on their way"));
            }
        }
    }
}

impl Drop for VerifyProgress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
