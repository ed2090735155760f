//! One table, in full.

use chrono::{DateTime, Utc};

use super::overview::remarks;
use crate::cli::output::{Palette, ago, bytes, count, labelled, plural, span_or_dash};
use crate::inspect::{State, TableStatus};

/// The lines about a table, for a screen of that width.
pub(super) fn lines(
    table: &TableStatus,
    now: DateTime<Utc>,
    width: usize,
    palette: Palette,
) -> Vec<String> {
    let state = match table.state {
        State::Ok => palette.good(State::Ok.as_str()),
        State::Held | State::Unreadable => palette.bad(table.state.as_str()),
        state => palette.strong(state.as_str()),
    };
    let mut lines = vec![format!("{}: {state}", table.table)];
    lines.extend(remarks(table, now, width, palette));
    lines.extend(labelled(&facts(table, now), width));
    lines
}

fn facts(table: &TableStatus, now: DateTime<Utc>) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    if let Some(version) = table.version {
        facts.push((
            "version",
            match &table.last_commit {
                Some(last) => {
                    let operation = last.operation.as_deref().unwrap_or("a commit");
                    let at = last.at.map(|at| format!(", {}", ago(at, now))).unwrap_or_default();
                    format!("{version}: {operation} by {}{at}", last.writer)
                }
                None => version.to_string(),
            },
        ));
        let masked = match table.masked_rows {
            0 => String::new(),
            masked => format!(", {} masked", count(masked)),
        };
        let files = plural(table.files, "file");
        facts.push((
            "rows",
            format!("{} in {files} of {}{masked}", count(table.rows), bytes(table.bytes)),
        ));
        let lag = &table.lag;
        facts.push((
            "lag",
            format!(
                "source to object {}, object to commit {}, behind {}",
                span_or_dash(lag.source_to_object_seconds),
                span_or_dash(lag.object_to_commit_seconds),
                span_or_dash(lag.behind_seconds),
            ),
        ));
    }
    if let Some(time) = table.lag.source_time {
        facts.push(("source", format!("newest commit {}", ago(time, now))));
    }
    if let Some(object) = &table.last_object {
        facts.push(("last object", object.clone()));
    }
    facts.push(("pending", pending(table, now)));
    for (label, objects) in [("late", &table.late), ("vanished", &table.vanished)] {
        if !objects.is_empty() {
            facts.push((label, objects.join(", ")));
        }
    }
    if table.quarantined > 0 {
        facts.push(("quarantined", plural(table.quarantined, "row")));
    }
    if !table.foreign_commits.is_empty() {
        let commits = table.foreign_commits.iter().map(ToString::to_string);
        facts.push(("foreign", commits.collect::<Vec<_>>().join(", ")));
    }
    if let Some(protocol) = &table.protocol {
        let features = match &protocol.features[..] {
            [] => String::new(),
            features => format!(": {}", features.join(", ")),
        };
        let (reader, writer) = (protocol.reader, protocol.writer);
        facts.push(("protocol", format!("reader {reader}, writer {writer}{features}")));
    }
    for due in &table.maintenance {
        let size = if due.bytes > 0 { format!(" ({})", bytes(due.bytes)) } else { String::new() };
        facts.push(("due", format!("{}{size}: {}", due.action.as_str(), due.reason)));
    }
    facts
}

fn pending(table: &TableStatus, now: DateTime<Utc>) -> String {
    let pending = &table.pending;
    let mut text = plural(pending.objects, "object");
    if pending.objects > 0 {
        let rows = pending.rows.map(|rows| format!(", about {}", plural(rows, "row")));
        text = format!("{text} of {}{}", bytes(pending.bytes), rows.unwrap_or_default());
    }
    if let Some(oldest) = pending.oldest {
        text = format!("{text}; the oldest staged {}", ago(oldest, now));
    }
    if let Some(expires) = pending.expires {
        text = format!("{text}, expires {}", ago(expires, now));
    }
    text
}
