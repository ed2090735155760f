//! The page: self-contained, readable in light and dark, with a keyboard and by a screen reader.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::chart::{Bar, bars, line};
use super::cost::dollars;
use crate::cli::output::{bytes, count, or_dash, plural, span_or_dash};
use crate::cli::status::states;
use crate::clock::shown;
use crate::inspect::{HistoryEntry, LakeReport, TableLayout, TablePage, TableStatus};
use crate::version;

const STYLE: &str = include_str!("report.css");

/// The page about a lake.
pub(super) fn render(report: &LakeReport) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "dmslake: " (plural(report.tables.len() as u64, "table")) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a class="skip" href="#tables" { "Skip to the tables" }
                header {
                    h1 { "dmslake" }
                    p { (summary(report)) " As of " (shown(report.at)) ", by dmslake " (version::SHORT) "." }
                }
                main id="tables" {
                    (overview(report))
                    @for page in &report.tables { (section(page)) }
                }
            }
        }
    }
}

fn summary(report: &LakeReport) -> String {
    let states = states(report.tables.iter().map(|page| page.status.state));
    format!("{}: {}.", plural(report.tables.len() as u64, "table"), states)
}

fn overview(report: &LakeReport) -> Markup {
    let cost = |page: &TablePage| page.commits.iter().map(dollars).sum::<f64>();
    html! {
        div class="wide" tabindex="0" role="region" aria-label="All tables" {
            table {
                caption { "All tables, the worst first" }
                thead {
                    tr {
                        th scope="col" { "Table" } th scope="col" { "State" }
                        th scope="col" class="n" { "Behind" } th scope="col" class="n" { "Pending" }
                        th scope="col" class="n" { "Rows" } th scope="col" class="n" { "Files" }
                        th scope="col" class="n" { "Size" }
                        th scope="col" class="n" { "Quarantined" }
                        th scope="col" class="n" { "Commits cost" }
                    }
                }
                tbody {
                    @for page in &report.tables {
                        @let it = &page.status;
                        tr {
                            th scope="row" { a href=(format!("#{}", anchor(it))) { (it.table) } }
                            td { (state(it)) }
                            td class="n" { (span_or_dash(it.lag.behind_seconds)) }
                            td class="n" { (count(it.pending.objects)) }
                            td class="n" { (count(it.rows)) }
                            td class="n" { (count(it.files)) }
                            td class="n" { (bytes(it.bytes)) }
                            td class="n" { (count(it.quarantined)) }
                            td class="n" { (money(cost(page))) }
                        }
                    }
                }
            }
        }
    }
}

fn anchor(status: &TableStatus) -> String {
    let plain = |letter: char| if letter.is_alphanumeric() { letter } else { '-' };
    status.table.chars().map(plain).collect()
}

fn state(status: &TableStatus) -> Markup {
    html! { span class=(format!("state {}", status.state.as_str())) { (status.state.as_str()) } }
}

fn section(page: &TablePage) -> Markup {
    let status = &page.status;
    html! {
        section id=(anchor(status)) aria-label=(status.table) {
            h2 { (status.table) " " (state(status)) }
            @if let Some(reason) = &status.reason {
                p class="reason" {
                    (reason)
                    @if let Some(since) = status.since { " (since " (shown(since)) ")" }
                }
            }
            @if let Some(next) = &status.next { p { "Next: " code { (next) } } }
            (facts(status))
            @if !page.commits.is_empty() { (commits(&page.commits)) }
            @if let Some(layout) = &page.layout { (files(layout)) }
        }
    }
}

fn facts(status: &TableStatus) -> Markup {
    let lag = &status.lag;
    let commit = status.last_commit.as_ref();
    html! {
        dl {
            div { dt { "Version" } dd {
                (status.version.map_or_else(|| "none".to_owned(), |version| version.to_string()))
                @if let Some(at) = commit.and_then(|it| it.at) { ", " (shown(at)) }
            } }
            div { dt { "Source to object" } dd { (span_or_dash(lag.source_to_object_seconds)) } }
            div { dt { "Object to commit" } dd { (span_or_dash(lag.object_to_commit_seconds)) } }
            div { dt { "Behind" } dd { (span_or_dash(lag.behind_seconds)) } }
            div { dt { "Pending" } dd {
                (plural(status.pending.objects, "object")) ", " (bytes(status.pending.bytes))
            } }
            @if status.quarantined > 0 {
                div { dt { "Quarantined" } dd { (plural(status.quarantined, "row")) } }
            }
            @for due in &status.maintenance {
                div { dt { "Due: " (due.action.as_str()) } dd { (due.reason) } }
            }
        }
    }
}

const WITHOUT_LOADS: &str = "Rows by operation, without full loads";

/// Rows by operation, how late each was, and the same as a table.
fn commits(commits: &[HistoryEntry]) -> Markup {
    // A full load would dwarf the changes after it.
    let counting = || commits.iter().filter(|it| it.inserted.is_some());
    let changes: Vec<&HistoryEntry> = counting().filter(|it| !it.full_load).collect();
    let heading = if changes.is_empty() { "Rows by operation" } else { WITHOUT_LOADS };
    let taking = if changes.is_empty() { counting().collect() } else { changes };
    let bar = |entry: &&HistoryEntry| {
        let rows = |number: Option<u64>| number.unwrap_or_default();
        let parts = vec![
            ("inserted", "inserted", rows(entry.inserted)),
            ("updated", "updated", rows(entry.updated)),
            ("deleted", "deleted", rows(entry.deleted)),
        ];
        Bar { name: format!("version {}", entry.version), parts }
    };
    let drawn: Vec<Bar> = taking.iter().map(bar).collect();
    let says = match (taking.first(), taking.last()) {
        (Some(first), Some(last)) => format!(
            "Rows inserted, updated and deleted by each commit from version {} to {}",
            first.version, last.version
        ),
        _ => "No commit changed rows".to_owned(),
    };
    let costs: Vec<f64> = commits
        .iter()
        .scan(0.0, |sum, commit| {
            *sum += dollars(commit);
            Some(*sum)
        })
        .collect();
    let whole = costs.last().copied().unwrap_or_default();
    html! {
        h3 { (heading) }
        p class="legend" aria-hidden="true" {
            span class="key inserted" {} "inserted" span class="key updated" {} "updated"
            span class="key deleted" {} "deleted"
        }
        (bars(&drawn, &says))
        h3 { "Cost of these commits: " (money(whole)) }
        (line(&costs, &format!("The cost of the commits, added up, {} in all", money(whole))))
        details {
            summary { "The commits as a table" }
            div class="wide" tabindex="0" role="region" aria-label="Commits" {
                table {
                    thead {
                        tr {
                            th scope="col" class="n" { "Version" } th scope="col" { "When" }
                            th scope="col" { "Who" } th scope="col" { "Operation" }
                            th scope="col" class="n" { "Inserted" }
                            th scope="col" class="n" { "Updated" }
                            th scope="col" class="n" { "Deleted" }
                            th scope="col" class="n" { "Written" } th scope="col" class="n" { "Took" }
                        }
                    }
                    tbody { @for commit in commits.iter().rev() { (row(commit)) } }
                }
            }
        }
    }
}

fn row(entry: &HistoryEntry) -> Markup {
    let number = |number: Option<u64>| or_dash(number, count);
    html! {
        tr {
            th scope="row" class="n" { (entry.version) }
            td { @if let Some(at) = entry.at { (shown(at)) } }
            td { (entry.writer) }
            td { (entry.operation.as_deref().unwrap_or("-")) }
            td class="n" { (number(entry.inserted)) }
            td class="n" { (number(entry.updated)) }
            td class="n" { (number(entry.deleted)) }
            td class="n" { (or_dash(entry.bytes_written, bytes)) }
            td class="n" { (or_dash(entry.seconds, |it| format!("{it:.2} s"))) }
        }
    }
}

fn files(layout: &TableLayout) -> Markup {
    let drawn = |(at, size): (usize, &u64)| Bar {
        name: format!("file {}", at + 1),
        parts: vec![("size", "bytes", *size)],
    };
    let sizes: Vec<Bar> = layout.sizes.iter().enumerate().map(drawn).collect();
    let smallest = layout.sizes.first().copied().unwrap_or_default();
    let largest = layout.sizes.last().copied().unwrap_or_default();
    let files = plural(layout.sizes.len() as u64, "file");
    let deepest = layout.depth.iter().copied().max().unwrap_or_default();
    let depth = |(at, depth): (usize, &u64)| Bar {
        name: format!("file {} in key order", at + 1),
        parts: vec![("size", "files at its first key", *depth)],
    };
    let depths: Vec<Bar> = layout.depth.iter().enumerate().map(depth).collect();
    html! {
        h3 { (files) ", from " (bytes(smallest)) " to " (bytes(largest)) }
        (bars(&sizes, &format!("Sizes of {files}, in ascending order, from {} to {}", bytes(smallest), bytes(largest))))
        @if let (Some(key), false) = (&layout.key, depths.is_empty()) {
            h3 { "Files that may hold a key (" (key) "): " (deepest) " at most" }
            (bars(&depths, &format!("How many files may hold a key, along {key}: {deepest} at most; 1 is best")))
        }
    }
}

fn money(dollars: f64) -> String {
    format!("{dollars:.5} USD")
}
