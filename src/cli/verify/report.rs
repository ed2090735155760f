//! What a verification found, for people.

use crate::cli::output::{Palette, count, plural, seconds, wrapped};
use crate::inspect::verify::{Against, DifferingKey, Kind, Verdict, Verification};

/// The lines of one table.
pub(super) fn lines(found: &Verification, width: usize, palette: Palette) -> Vec<String> {
    let mut lines = vec![headline(found, palette)];
    let mut indented = |text: &str| {
        lines.extend(wrapped(text, "  ", width));
    };
    for text in sides(found) {
        indented(&text);
    }
    if let Some(text) = differences(found) {
        indented(&text);
    }
    for key in &found.keys {
        indented(&one(key));
    }
    let listed = found.keys.len() as u64;
    if listed < found.differing.keys() {
        indented(&format!(
            "and {}, which --limit lists",
            plural(found.differing.keys() - listed, "more key")
        ));
    }
    if found.settled > 0 {
        let text = format!("{} at first, and arrived meanwhile", differed(found.settled));
        indented(&text);
    }
    if found.undecided > 0 {
        indented(&format!("{} undecided", plural(found.undecided, "key")));
    }
    if found.parts_not_narrowed > 0 {
        indented(&format!(
            "{} more differ and were not narrowed to keys, since so much differs",
            plural(found.parts_not_narrowed, "range")
        ));
    }
    for sentence in found.undecided_because.iter().chain(&found.notes) {
        indented(sentence);
    }
    for left in &found.not_compared {
        indented(&format!("not compared: {}, as {}", left.column, left.because));
    }
    lines
}

fn headline(found: &Verification, palette: Palette) -> String {
    let verdict = match found.verdict {
        Verdict::Equal => palette.good("equal"),
        Verdict::Different => palette.bad("different"),
        Verdict::Undecided => palette.bad("undecided"),
    };
    let of = match found.source {
        Against::MySql => "MySQL",
        Against::Staging => "a replay of staging",
    };
    let version = if found.checked_until == found.version {
        format!("version {}", found.version)
    } else {
        format!("versions {} to {}", found.version, found.checked_until)
    };
    format!("{}: {verdict}, {version} against {of}", palette.strong(&found.table))
}

fn sides(found: &Verification) -> [String; 2] {
    let speed = |rows: Option<f64>| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole rows")]
        rows.map_or_else(String::new, |rows| format!(" ({} a second)", count(rows as u64)))
    };
    let lake = format!("{} in the lake", plural(found.lake_rows, "row"));
    let source = found.source_rows.map(|rows| {
        let place = if found.source == Against::MySql { "at the source" } else { "of the replay" };
        format!("{} {place}{}", plural(rows, "row"), speed(found.source_rows_per_second))
    });
    let columns = plural(found.compared.len() as u64, "column");
    let sides: Vec<String> =
        source.into_iter().chain([lake + &speed(found.lake_rows_per_second)]).collect();
    [sides.join(", "), format!("{columns} compared in {}", seconds(found.seconds))]
}

fn differences(found: &Verification) -> Option<String> {
    let counts = found.differing;
    let kinds = [
        (counts.missing, "missing in the lake"),
        (counts.extra, "only in the lake"),
        (counts.other_values, "with other values"),
        (counts.repeated, "several times in the lake"),
    ];
    let told: Vec<String> = kinds
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{} {what}", plural(number, "key")))
        .collect();
    (!told.is_empty()).then(|| told.join(", "))
}

fn differed(keys: u64) -> String {
    format!("{} differed", plural(keys, "key"))
}

fn one(key: &DifferingKey) -> String {
    let values = key.key.join(", ");
    match key.difference {
        Kind::Missing => format!("{values}: missing in the lake"),
        Kind::Extra => format!("{values}: only in the lake"),
        Kind::Repeated => format!("{values}: several times in the lake"),
        Kind::OtherValues => format!("{values}: other {}", key.columns.join(", ")),
    }
}
