//! `dmslake status`: how tables stand.

mod detail;
mod overview;

pub(super) use overview::states;

use std::num::NonZeroUsize;
use std::time::Duration;

use super::args::StatusArguments;
use super::chosen::{Chosen, LoopEnd, Places, TableEnd};
use super::exit::Exit;
use super::metrics;
use super::output::{Results, Screen};
use super::progress_bar::TablesProgress;
use crate::config::TableSpec;
use crate::error::Result;
use crate::inspect::{self, State, TableStatus};
use crate::metrics::{Process, Snapshot};

/// So many tables are looked at side by side: it is the store's answers that take time.
const AT_ONCE: NonZeroUsize = NonZeroUsize::new(64).expect("more than 0");

/// Looks at the chosen tables, once or again and again.
///
/// # Errors
/// `Config` for a configuration or a table name that cannot be used, `StoreRefused` if staging or
/// the lake cannot be used, `Unavailable` if the result cannot be written.
pub(super) async fn run(arguments: &StatusArguments, screen: &Screen) -> Result<Exit> {
    let chosen = Chosen::open(&arguments.chosen(), Places::LakeAndStaging, screen).await?;
    let results = Results::new(screen, arguments.json);
    let Some(seconds) = arguments.watch else {
        return show(&chosen, arguments, results, screen).await;
    };
    loop {
        if !arguments.json {
            screen.clear();
        }
        let exit = show(&chosen, arguments, results, screen).await?;
        chosen.until_stopped(tokio::time::sleep(Duration::from_secs(seconds))).await;
        if chosen.limits.stop.is_requested() {
            return Ok(exit);
        }
    }
}

async fn show(
    chosen: &Chosen<'_>,
    arguments: &StatusArguments,
    results: Results<'_>,
    screen: &Screen,
) -> Result<Exit> {
    let begun = chosen.now();
    let progress = TablesProgress::begin(screen, chosen.len());
    let mut seen: Vec<Option<TableStatus>> = (0..chosen.len()).map(|_| None).collect();
    let look = |table: &TableSpec| {
        let (pipeline, table) = (chosen.pipeline.clone(), table.clone());
        async move { Box::pin(inspect::status(&pipeline, &table)).await }
    };
    let take_in = |position: usize, status: TableStatus| {
        progress.another();
        let end = TableEnd::of(status.state == State::Ok, status.kind);
        seen[position] = Some(status);
        Ok(end)
    };
    let ended = chosen.side_by_side(AT_ONCE, look, take_in).await;
    drop(progress);
    let seen: Vec<TableStatus> = seen.into_iter().flatten().collect();
    for status in &seen {
        results.print(status, |_, _| Vec::new())?;
    }
    let now = chosen.now();
    results.print_for_people(|palette| match &seen[..] {
        [one] => detail::lines(one, now, screen.width(), palette),
        all => overview::lines(all, now, screen.width(), arguments.all, palette),
    })?;
    let process = Process::this(chosen.pipeline.settings(), begun, now);
    let snapshot = Snapshot::of_look(&seen, &process);
    let written = metrics::write(arguments.metrics_file.as_deref(), &snapshot, screen);
    Ok(match ended? {
        LoopEnd::Complete(Exit::Done) => written,
        LoopEnd::Complete(exit) => exit,
        LoopEnd::Stopped => Exit::Attention,
    })
}
