//! A progress bar for the application of a table.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::output::{Screen, count, plural};
use crate::pipeline::{Observer, Step};

const TICK: Duration = Duration::from_millis(120);

pub(super) const LOOKING: &str = "{prefix} {spinner} {msg}";
const TABLES: &str = "{spinner} {pos}/{len} tables  {wide_bar}";
const APPLYING: &str = "{prefix} {spinner} {wide_bar} {pos}/{len} objects  {msg}";

/// One bar, which is invisible if standard error is not a terminal.
#[derive(Debug)]
pub(super) struct TableProgress {
    bar: ProgressBar,
    decoded: AtomicU64,
}

impl TableProgress {
    /// Shows a bar for that table, with its name padded to `width`. The bar disappears when it is
    /// dropped.
    pub(super) fn begin(screen: &Screen, table: &str, width: usize) -> Self {
        let bar = begin(screen, LOOKING);
        bar.set_prefix(format!("{table:<width$}"));
        bar.set_message("looking");
        Self { bar, decoded: AtomicU64::new(0) }
    }
}

impl Observer for TableProgress {
    fn step(&self, step: Step) {
        match step {
            Step::Pending { objects, .. } => {
                self.bar.set_length(self.bar.position() + objects);
                self.bar.set_style(style(APPLYING));
            }
            Step::Decoded { rows } => {
                let sum = self.decoded.fetch_add(rows, Ordering::Relaxed) + rows;
                self.bar.set_message(plural(sum, "row"));
            }
            Step::Reshaped { files_left } => {
                let left = plural(files_left, "file");
                self.bar.set_message(format!("columns change, {left} left"));
            }
            Step::Committed { version, objects, .. } => {
                self.bar.inc(objects);
                let rows = count(self.decoded.load(Ordering::Relaxed));
                self.bar.set_message(format!("{rows} rows, version {version}"));
            }
        }
    }
}

impl Drop for TableProgress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// How many tables have ended, where there are several.
#[derive(Debug)]
pub(super) struct TablesProgress(ProgressBar);

impl TablesProgress {
    /// Shows the number above the bars of the tables. It disappears when this is dropped.
    pub(super) fn begin(screen: &Screen, tables: usize) -> Self {
        if tables < 2 {
            return Self(ProgressBar::hidden());
        }
        let bar = begin(screen, TABLES);
        bar.set_length(tables as u64);
        Self(bar)
    }

    /// Another table has ended.
    pub(super) fn another(&self) {
        self.0.inc(1);
    }
}

impl Drop for TablesProgress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Shows a ticking bar with that template.
pub(super) fn begin(screen: &Screen, template: &str) -> ProgressBar {
    let bar = screen.bars().add(ProgressBar::new(0)).with_style(style(template));
    bar.enable_steady_tick(TICK);
    bar
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .expect("templates are constants")
        .progress_chars("━╸─")
        .tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ")
}
