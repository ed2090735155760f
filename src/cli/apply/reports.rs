//! The reports of all tables: a line of JSON each, in the configuration's order, or an overview
//! for people.

use std::time::Instant;

use super::overview::{Shown, overview};
use crate::cli::output::Results;
use crate::clock::{Clock, SystemClock};
use crate::error::Result;
use crate::pipeline::TableReport;

/// Collects reports that come in any order.
#[derive(Debug)]
pub(in crate::cli) struct Reports<'a> {
    results: Results<'a>,
    /// By the table's position; none if the table has not ended.
    ended: Vec<Option<TableReport>>,
    /// So many tables have their line of JSON, from the first on.
    printed: usize,
    shown: Shown,
    begun: Instant,
    /// Warnings that concern all tables. They are logged already, and not repeated to people.
    warned: Vec<String>,
}

impl<'a> Reports<'a> {
    /// For so many tables. People are shown every table if `is_all`.
    pub(in crate::cli) fn new(
        results: Results<'a>,
        tables: usize,
        is_all: bool,
        warned: Vec<String>,
    ) -> Self {
        let shown = if is_all { Shown::All } else { Shown::Notable };
        let begun = SystemClock.instant();
        Self { results, ended: vec![None; tables], printed: 0, shown, begun, warned }
    }

    /// Takes in the report of a table. A line of JSON is printed once all tables before have
    /// theirs.
    ///
    /// # Errors
    /// `Unavailable` if standard output cannot be written.
    pub(in crate::cli) fn take_in(&mut self, position: usize, report: TableReport) -> Result<()> {
        self.ended[position] = Some(report);
        while let Some(Some(next)) = self.ended.get(self.printed) {
            self.results.print(next, |_, _| Vec::new())?;
            self.printed += 1;
        }
        Ok(())
    }

    /// Takes in reports of tables that are not among those, after these.
    pub(in crate::cli) fn add(&mut self, reports: impl Iterator<Item = TableReport>) {
        self.ended.extend(reports.map(Some));
    }

    /// Prints what is not printed yet: all for people, and what tables that have not ended kept
    /// back.
    ///
    /// # Errors
    /// As [`Self::take_in`].
    pub(in crate::cli) fn finish(&self) -> Result<()> {
        for report in self.ended.iter().skip(self.printed).flatten() {
            self.results.print(report, |_, _| Vec::new())?;
        }
        let reports: Vec<&TableReport> = self.ended.iter().flatten().collect();
        let took = (SystemClock.instant() - self.begun).as_secs_f64();
        self.results
            .print_for_people(|palette| overview(&reports, took, self.shown, &self.warned, palette))
    }

    /// The reports of the tables that have ended.
    pub(in crate::cli) fn ended(&self) -> Vec<TableReport> {
        self.ended.iter().flatten().cloned().collect()
    }

    /// The tables for which there is nothing.
    pub(in crate::cli) fn absent(&self) -> Vec<&str> {
        let absent = self.ended.iter().flatten().filter(|report| report.absent);
        absent.map(|report| report.table.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::pipeline::TableReport;

    #[test]
    fn json_has_the_documented_keys_in_order() {
        let report = TableReport { table: "shop.orders".into(), ..TableReport::default() };
        let text = serde_json::to_string(&report).expect("serialisable");
        assert_eq!(
            text,
            "{\"table\":\"shop.orders\",\"status\":\"ok\",\"objects\":0,\"rows\":0,\
             \"inserted\":0,\"updated\":0,\"deleted\":0,\"superseded\":0,\"ignored\":0,\
             \"quarantined\":0,\"in_quarantine\":0,\"before_load\":0,\"replayed\":0,\"commits\":0,\"version\":null,\"rebuilt\":null,\"seconds\":0.0,\
             \"requests\":{\"get\":0,\"head\":0,\"list\":0,\"put\":0,\"delete\":0},\
             \"bytes\":{\"read\":0,\"written\":0},\"files\":0,\"conflicts\":0,\"retries\":0,\
             \"phases\":{\"look\":0.0,\"read\":0.0,\"change\":0.0,\"merge\":0.0,\"commit\":0.0},\
             \"foreign\":[],\"late\":[],\"vanished\":[],\"foreign_commits\":[],\"held_since\":null,\"added_columns\":[],\"gone_columns\":[],\"pending\":0,\"pending_bytes\":0,\"left_until\":null,\
             \"lag\":{\"source_to_object_seconds\":null,\"object_to_commit_seconds\":null,\
             \"behind_seconds\":null,\"source_time\":null,\"change_sequence\":null},\
             \"absent\":false,\"oldest_pending_seconds\":0,\"warnings\":[],\"error\":null,\"kind\":null}"
        );
    }
}
