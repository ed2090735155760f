//! The figures as an aligned table.

use std::fmt::Write;

use crate::child::Run;
use crate::machine;

const HEAD: [&str; 5] = ["what", "median", "peak memory", "runs", "command"];
const AIMS_HEAD: [&str; 4] = ["aim", "wanted", "found", "met"];

/// Lines of the table, and what must be known to read them.
pub(crate) struct Report {
    notes: Vec<String>,
    lines: Vec<[String; 5]>,
    aims: Vec<[String; 4]>,
    failures: Vec<String>,
}

/// A ratio that the project aims at.
pub(crate) struct Aim {
    pub(crate) what: String,
    pub(crate) wanted: Wanted,
    pub(crate) found: f64,
}

/// Where a ratio should be.
#[derive(Clone, Copy)]
pub(crate) enum Wanted {
    AtLeast(f64),
    AtMost(f64),
}

impl Report {
    pub(crate) fn begin() -> Self {
        let machine =
            format!("{}; load average {} at the start", machine::described(), machine::load());
        Self {
            notes: vec![machine],
            lines: vec![HEAD.map(str::to_owned)],
            aims: Vec::new(),
            failures: Vec::new(),
        }
    }

    /// A sentence below the table.
    pub(crate) fn note(&mut self, sentence: &str) {
        eprintln!("{sentence}");
        self.notes.push(sentence.to_owned());
    }

    /// Runs of one case that takes in so many of something.
    pub(crate) fn runs(&mut self, what: &str, taken: (u64, &str), runs: &[Run], part: &str) {
        let seconds: Vec<f64> = runs.iter().map(|run| run.seconds).collect();
        let (count, unit) = taken;
        let rate = count as f64 / median(&seconds) / 1e3;
        let peak = runs.iter().map(|run| run.peak).max().unwrap_or_default();
        let spread: Vec<String> = seconds.iter().map(|each| format!("{each:.2}")).collect();
        self.line(
            what,
            &format!("{rate:.0} k {unit}/s"),
            &megabytes(peak),
            &format!("{} s", spread.join(" ")),
            part,
        );
    }

    /// Any line.
    pub(crate) fn line(&mut self, what: &str, median: &str, peak: &str, runs: &str, part: &str) {
        eprintln!("{what}: {median} {peak} ({runs})");
        let command = format!("cargo bench -- {part}");
        self.lines.push([what, median, peak, runs, &command].map(str::to_owned));
    }

    /// A line of the table of aims.
    pub(crate) fn aim(&mut self, aim: &Aim) {
        let (wanted, is_met) = match aim.wanted {
            Wanted::AtLeast(bound) => (format!("at least {bound}"), aim.found >= bound),
            Wanted::AtMost(bound) => (format!("at most {bound}"), aim.found <= bound),
        };
        let met = if is_met { "yes" } else { "NO" };
        self.aims.push([aim.what.clone(), wanted, format!("{:.2}", aim.found), met.to_owned()]);
    }

    /// Something that must not be: it fails the run once everything is measured.
    pub(crate) fn fail(&mut self, sentence: &str) {
        eprintln!("{sentence}");
        self.failures.push(sentence.to_owned());
    }

    /// Prints everything.
    ///
    /// # Panics
    /// If something failed.
    pub(crate) fn print(mut self) {
        self.notes.push(format!("load average {} at the end", machine::load()));
        println!("\n{}", aligned(&self.lines));
        if !self.aims.is_empty() {
            self.aims.insert(0, AIMS_HEAD.map(str::to_owned));
            println!("{}", aligned(&self.aims));
        }
        println!("{}", self.notes.join("\n"));
        assert!(self.failures.is_empty(), "{}", self.failures.join("\n"));
    }
}

fn aligned<const COLUMNS: usize>(lines: &[[String; COLUMNS]]) -> String {
    let width = |at: usize| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or(0);
    let widths: [usize; COLUMNS] = std::array::from_fn(width);
    let mut text = String::new();
    for line in lines {
        for (cell, width) in line.iter().zip(widths) {
            write!(text, "{cell:width$}  ").expect("a string takes everything");
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

/// Of so many KiB.
pub(crate) fn megabytes(kibibytes: u64) -> String {
    format!("{} MB", kibibytes * 1024 / 1_000_000)
}

/// The middle one, or the mean of the two in the middle.
pub(crate) fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    f64::midpoint(sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2])
}

/// A number with its thousands apart.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| std::str::from_utf8(group).expect("digits"))
        .collect();
    groups.join(",")
}
