//! Notes that many tables share: written once, before the first table.

use std::collections::{BTreeMap, BTreeSet};

use crate::cli::init::proposal::{Column, Proposal};

/// A note about more tables than this is written once.
const MANY: usize = 3;

/// The notes that are written once.
#[derive(Debug, Default)]
pub(super) struct Common<'a> {
    remarks: Vec<&'a str>,
    control: BTreeSet<&'a str>,
    notes: BTreeSet<String>,
}

impl<'a> Common<'a> {
    pub(super) fn of(proposals: &[&'a Proposal]) -> Self {
        let all = |said: fn(&Proposal) -> &[String]| {
            many(proposals.iter().flat_map(|it| said(it)).map(String::as_str))
        };
        let notes = proposals.iter().flat_map(|proposal| &proposal.columns).filter_map(note);
        Self {
            remarks: all(|proposal| &proposal.remarks).into_iter().collect(),
            control: all(|proposal| &proposal.control),
            notes: many(notes),
        }
    }

    /// The number, from 1, of a remark that is written once.
    pub(super) fn remark(&self, remark: &str) -> Option<usize> {
        self.remarks.iter().position(|common| *common == remark).map(|position| position + 1)
    }

    /// Whether the note that a column is DMS's own is written once.
    pub(super) fn has_control(&self, control: &str) -> bool {
        self.control.contains(control)
    }

    /// Whether the remark about a column is written once.
    pub(super) fn has_note_of(&self, column: &Column) -> bool {
        note(column).is_some_and(|note| self.notes.contains(&note))
    }

    /// All these notes, line by line.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.remarks.is_empty() {
            lines.push("To be checked, where a table names the number:".to_owned());
            let numbered = self.remarks.iter().enumerate();
            lines.extend(numbered.map(|(position, it)| format!("  [{}] {it}", position + 1)));
        }
        if !self.control.is_empty() {
            lines.push(
                "Read in many tables, but not stored unless named in store = […]:".to_owned(),
            );
            lines.extend(self.control.iter().map(|it| format!("  {it}")));
        }
        if !self.notes.is_empty() {
            lines.push("Columns of many tables:".to_owned());
            lines.extend(self.notes.iter().map(|it| format!("  {it}")));
        }
        lines
    }
}

/// The remark about a column, with its name.
fn note(column: &Column) -> Option<String> {
    column.remark.as_ref().map(|remark| format!("{}: {remark}", column.name))
}

/// The items that occur more than [`MANY`] times.
fn many<T: Ord>(all: impl Iterator<Item = T>) -> BTreeSet<T> {
    let mut counts: BTreeMap<T, usize> = BTreeMap::new();
    for it in all {
        *counts.entry(it).or_default() += 1;
    }
    counts.into_iter().filter(|(_, count)| *count > MANY).map(|(it, _)| it).collect()
}
