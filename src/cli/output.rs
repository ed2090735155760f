//! The output that a person or a script sees: results on standard output, the rest on standard
//! error.

mod grid;
mod results;
mod spans;
mod wrap;

use std::fmt::Display;
use std::io::{self, BufRead as _, IsTerminal, Write};

use console::Term;
use indicatif::MultiProgress;
use serde_json::json;

pub(super) use grid::{Align, Grid, Row};
pub(super) use results::Results;
pub(super) use spans::{ago, bytes, or_dash, span, span_or_dash};
pub(super) use wrap::{labelled, wrapped};

use crate::config::TableName;
use crate::disposition::{advice, remedy_of};
use crate::error::{Error, ErrorKind, Result};
use crate::progress::Counts;

/// The two streams, and the progress bars between them. Clones share the bars.
#[derive(Clone, Debug)]
pub(super) struct Screen {
    bars: MultiProgress,
    result_colour: bool,
    error_colour: bool,
    /// Whether an agent reads the output: a program that reads text.
    is_for_agent: bool,
}

impl Screen {
    /// The screen of this process. It uses colour only on a terminal, and only if `NO_COLOR` is not
    /// set. An agent never reads from a terminal.
    pub(super) fn new(is_for_agent: bool) -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self {
            is_for_agent: is_for_agent && !io::stdout().is_terminal(),
            // Draws on standard error, if that is a terminal.
            bars: MultiProgress::new(),
            result_colour: wanted && io::stdout().is_terminal(),
            error_colour: wanted && io::stderr().is_terminal(),
        }
    }

    /// The progress bars.
    pub(super) fn bars(&self) -> &MultiProgress {
        &self.bars
    }

    /// Whether standard error is coloured.
    pub(super) fn error_colour(&self) -> bool {
        self.error_colour
    }

    /// How many letters a line of results has room for: 80 without a terminal.
    pub(super) fn width(&self) -> usize {
        const USUAL: usize = 80;
        if self.is_for_agent {
            return usize::from(u16::MAX);
        }
        let of_terminal = Term::stdout().size_checked().map(|(_, columns)| usize::from(columns));
        of_terminal.map_or(USUAL, |columns| columns.max(USUAL))
    }

    /// Clears the terminal, if results go to one.
    #[expect(clippy::unused_self, reason = "it is the screen's")]
    pub(super) fn clear(&self) {
        // A terminal that cannot be cleared shows one result below the other.
        let _ = Term::stdout().clear_screen();
    }

    /// The colours for results.
    pub(super) fn palette(&self) -> Palette {
        Palette { has_colour: self.result_colour, is_markdown: self.is_for_agent }
    }

    /// Runs `write` while the progress bars are hidden.
    pub(super) fn above_progress(&self, write: impl FnOnce()) {
        self.bars.suspend(write);
    }

    /// Prints one line of results. It is not an error if the reader has gone away: the work still
    /// has to be done.
    ///
    /// # Errors
    /// `Unavailable` if standard output cannot be written for another reason.
    pub(super) fn line(&self, text: impl Display) -> Result<()> {
        let mut written = Ok(());
        self.above_progress(|| {
            let mut out = io::stdout().lock();
            written = writeln!(out, "{text}").and_then(|()| out.flush());
        });
        match written {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Error::new(ErrorKind::Unavailable, "standard output cannot be written")
                    .because(error))
            }
            _ => Ok(()),
        }
    }

    /// Prints one line on standard error, beside the results.
    pub(super) fn note(&self, text: impl Display) {
        self.above_progress(|| {
            // If standard error is gone, there is nowhere left to report that.
            let _ = writeln!(io::stderr(), "{text}");
        });
    }

    /// Whether the user wants something done to a table, if that is not known: asks, and says that
    /// the table is left as it is.
    pub(super) fn is_agreed(
        &self,
        is_known: bool,
        table: &TableName,
        question: impl Display,
    ) -> bool {
        let is_agreed = is_known || self.is_confirmed(format_args!("{table}: {question}?"));
        if !is_agreed {
            self.note(format_args!("{table}: left as it is"));
        }
        is_agreed
    }

    /// Asks a question on the terminal. Without one nobody could answer: then it is no.
    pub(super) fn is_confirmed(&self, question: impl Display) -> bool {
        if !io::stdin().is_terminal() {
            self.note(format_args!("{question} nobody can be asked: add --yes"));
            return false;
        }
        let mut answer = String::new();
        self.above_progress(|| {
            let mut out = io::stderr().lock();
            // If standard error is gone, the answer is read all the same.
            let _ = write!(out, "{question} [y/N] ").and_then(|()| out.flush());
        });
        let read = io::stdin().lock().read_line(&mut answer);
        read.is_ok() && ["y", "yes"].contains(&answer.trim().to_lowercase().as_str())
    }

    /// Prints an error on standard error; for an agent as one object of JSON.
    pub(super) fn complain(&self, error: &Error) {
        if self.is_for_agent {
            let (kind, remedy) = (error.kind().as_str(), remedy_of(error));
            let told = json!({ "error": error.chain(), "kind": kind, "remedy": remedy });
            return self.note(told);
        }
        let palette = Palette { has_colour: self.error_colour, is_markdown: false };
        let label = palette.bad("error:");
        self.note(format_args!("{label} {}", advice(error)));
    }
}

/// How results look: with colours or without, and whether tables are Markdown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Palette {
    has_colour: bool,
    is_markdown: bool,
}

impl Palette {
    /// No colours.
    #[cfg(test)]
    pub(super) fn none() -> Self {
        Self { has_colour: false, is_markdown: false }
    }

    /// A heading.
    pub(super) fn strong(self, text: impl Display) -> String {
        self.paint("1", text)
    }

    /// Something secondary.
    pub(super) fn faint(self, text: impl Display) -> String {
        self.paint("2", text)
    }

    /// A good result.
    pub(super) fn good(self, text: impl Display) -> String {
        self.paint("32", text)
    }

    /// A result that needs attention.
    pub(super) fn bad(self, text: impl Display) -> String {
        self.paint("1;31", text)
    }

    fn paint(self, code: &str, text: impl Display) -> String {
        if self.has_colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }
}

/// What became of changes, as the cells of a line. Rows set aside are told in a remark instead.
pub(super) fn count_cells(counts: &Counts) -> impl Iterator<Item = String> {
    let shown = counts.each().into_iter().filter(|(name, _)| *name != "quarantined");
    shown.map(|(_, number)| count(number))
}

/// A count with thousands separators: `1,234,567`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Seconds for people: `0.4 s`, `2 min 5 s`.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole seconds")]
pub(super) fn seconds(time: f64) -> String {
    if time < 60.0 {
        return format!("{time:.1} s");
    }
    let whole = time.round() as u64;
    format!("{} min {} s", whole / 60, whole % 60)
}

/// How many are of each of these kinds, in their order: `3 ok, 1 held`.
pub(super) fn tallied<K: PartialEq>(
    kinds: impl IntoIterator<Item = K>,
    all: &[K],
    name: impl Fn(&K) -> &'static str,
) -> String {
    let told = kinds.into_iter().filter_map(|kind| {
        let number = all.iter().filter(|it| **it == kind).count() as u64;
        (number > 0).then(|| format!("{} {}", count(number), name(&kind)))
    });
    told.collect::<Vec<_>>().join(", ")
}

/// `1 object`, `3 objects`.
pub(super) fn plural(number: u64, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", count(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped_by_thousands() {
        let shown = [0, 999, 1_000, 12_345, 1_234_567].map(count);
        assert_eq!(shown, ["0", "999", "1,000", "12,345", "1,234,567"]);
        assert_eq!(plural(1, "object"), "1 object");
        assert_eq!(plural(2_000, "object"), "2,000 objects");
    }

    #[test]
    fn long_times_are_shown_in_minutes() {
        assert_eq!(seconds(0.44), "0.4 s");
        assert_eq!(seconds(125.2), "2 min 5 s");
    }
}
