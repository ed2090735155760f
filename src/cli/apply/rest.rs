//! What concerns all tables together, after their reports.

use serde::Serialize;

use crate::config::TableName;
use crate::nearest::nearest;

/// More tables than this, of which the same is to be said, are told in one line.
const MOST_LINES: usize = 3;

/// Tables for which there is nothing, and staged tables that no `[[table]]` names: the last line
/// of JSON.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Rest {
    absent: Vec<Absent>,
    unconfigured: Vec<String>,
}

/// A table for which there is nothing, and the staged table that is probably meant.
#[derive(Debug, Serialize)]
struct Absent {
    table: String,
    nearest: Option<String>,
}

impl Rest {
    pub(in crate::cli) fn of(absent: &[&str], unconfigured: &[TableName]) -> Self {
        let unconfigured: Vec<String> = unconfigured.iter().map(TableName::to_string).collect();
        let absent = absent.iter().map(|table| {
            let nearest = nearest(table, &unconfigured).cloned();
            Absent { table: (*table).to_owned(), nearest }
        });
        Self { absent: absent.collect(), unconfigured }
    }

    /// Whether a table for which there is nothing is probably a staged one, misspelled.
    pub(super) fn has_misspelled(&self) -> bool {
        self.absent.iter().any(|absent| absent.nearest.is_some())
    }

    /// For people: what is probably wrong comes first.
    pub(in crate::cli) fn lines(&self) -> Vec<String> {
        let missing = "nothing is staged for it, and there is no table";
        let mut lines = Vec::new();
        let mut empty = Vec::new();
        for Absent { table, nearest } in &self.absent {
            match nearest {
                Some(name) => {
                    lines
                        .push(format!("{table}: {missing}; did you mean {name}, which is staged?"));
                }
                None => empty.push(table.as_str()),
            }
        }
        if empty.len() <= MOST_LINES {
            lines.extend(empty.iter().map(|table| {
                format!(
                    "{table}: {missing}; if it is empty at the source, its first row will create it"
                )
            }));
        } else {
            lines.push(format!(
                "{} tables: nothing is staged for them, and there are no tables; if they are empty \
                 at the source, their first rows will create them: {}",
                empty.len(),
                empty.join(", ")
            ));
        }
        if !self.unconfigured.is_empty() {
            let names = self.unconfigured.join(", ");
            lines.push(format!("staged, but in no [[table]]: {names}"));
        }
        lines
    }
}
