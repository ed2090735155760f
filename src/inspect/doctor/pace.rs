//! Whether tables go on getting objects.

use chrono::{DateTime, TimeDelta, Utc};

use crate::clock::shown;
use crate::config::TableName;
use crate::dms::Phase;
use crate::inspect::doctor::names::TASKS;
use crate::inspect::doctor::{Check, Finding, Severity};
use crate::staging::Listing;

/// So many of a table's newest change objects tell how often it gets one.
const LOOKED_AT: usize = 100;
/// Fewer pauses than this tell nothing.
const FEWEST: usize = 5;
/// A table is quiet after so many times its usual pause,
const TIMES: i32 = 10;
/// and after so long at least.
const LEAST: TimeDelta = TimeDelta::hours(1);

/// How often a table gets change objects.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    table: TableName,
    /// When the newest ones were staged, the oldest first.
    staged: Vec<DateTime<Utc>>,
}

impl Pace {
    /// That of the change objects that are staged.
    pub(super) fn of(table: &TableName, listing: &Listing) -> Self {
        let changes =
            listing.objects.iter().filter(|it| matches!(it.name.phase, Phase::Cdc { .. }));
        let mut staged: Vec<DateTime<Utc>> = changes.map(|it| it.last_modified).collect();
        staged.sort_unstable();
        let first = staged.len().saturating_sub(LOOKED_AT);
        Self { table: table.clone(), staged: staged.split_off(first) }
    }

    fn newest(&self) -> Option<DateTime<Utc>> {
        self.staged.last().copied()
    }

    /// How long it may be quiet; none if too few objects are staged to tell.
    fn patience(&self) -> Option<TimeDelta> {
        let mut pauses: Vec<TimeDelta> =
            self.staged.windows(2).map(|pair| pair[1] - pair[0]).collect();
        if pauses.len() < FEWEST {
            return None;
        }
        pauses.sort_unstable();
        let usual = pauses[pauses.len() / 2];
        Some(usual.checked_mul(TIMES).unwrap_or(TimeDelta::MAX).max(LEAST))
    }
}

/// Tables that are quiet while others go on, or all of them.
pub(super) fn quiet(paces: &[Pace], now: DateTime<Utc>) -> Vec<Finding> {
    let newest_of_all = paces.iter().filter_map(Pace::newest).max();
    let mut findings = Vec::new();
    let mut judged = 0_u64;
    let mut all_patience: Option<TimeDelta> = None;
    for pace in paces {
        let (Some(newest), Some(patience)) = (pace.newest(), pace.patience()) else { continue };
        judged += 1;
        all_patience = Some(all_patience.map_or(patience, |all| all.min(patience)));
        if newest_of_all.is_some_and(|others| others - newest > patience) {
            findings.push(
                Finding::new(
                    Severity::Warning,
                    Check::Silence,
                    format!(
                        "no change object since {}, while other tables get some: more than {TIMES} \
                         times its usual pause",
                        shown(newest)
                    ),
                )
                .of(&pace.table)
                .with_advice(
                    "if its source goes on changing, DMS has suspended the table: aws dms \
                     describe-table-statistics tells its state, of the task that this shows",
                )
                .then(TASKS),
            );
        }
    }
    if let (Some(newest), Some(patience)) = (newest_of_all, all_patience)
        && now - newest > patience
    {
        let what = format!("no table has got a change object since {}", shown(newest));
        findings.push(
            Finding::new(Severity::Note, Check::Silence, what)
                .with_advice("unless the source is idle, its task has stopped: see how it stands")
                .then(TASKS),
        );
    }
    if findings.is_empty() {
        findings.push(match judged {
            0 => Finding::new(
                Severity::Skipped,
                Check::Silence,
                format!(
                    "no table has the {} change objects staged that it takes to tell",
                    FEWEST + 1
                ),
            ),
            _ => Finding::new(
                Severity::Ok,
                Check::Silence,
                "tables get change objects as often as they used to",
            ),
        });
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(table: &str, minutes: &[i64]) -> Pace {
        let at = |minute: &i64| DateTime::UNIX_EPOCH + TimeDelta::minutes(*minute);
        let table = TableName { schema: "shop".into(), table: table.into() };
        Pace { table, staged: minutes.iter().map(at).collect() }
    }

    fn told(paces: &[Pace], minute: i64) -> Vec<(Severity, Option<String>)> {
        let now = DateTime::UNIX_EPOCH + TimeDelta::minutes(minute);
        quiet(paces, now).into_iter().map(|it| (it.severity, it.table)).collect()
    }

    #[test]
    fn a_table_is_quiet_by_its_own_pace_while_others_go_on() {
        let every_minute = pace("busy", &[0, 1, 2, 3, 4, 5]);
        let every_hour = pace("slow", &[0, 60, 120, 180, 240, 300]);
        let goes_on = pace("other", &[300, 301, 302, 303, 304, 305]);
        let both = [every_minute.clone(), every_hour, goes_on];
        assert_eq!(told(&both, 306), [(Severity::Warning, Some("shop.busy".into()))]);
        // Exactly an hour is not yet quiet.
        let until =
            |minute| pace("other", &[minute - 5, minute - 4, minute - 3, minute - 2, minute]);
        assert_eq!(told(&[every_minute.clone(), until(65)], 66), [(Severity::Ok, None)]);
        let quiet = told(&[every_minute.clone(), until(66)], 66);
        assert_eq!(quiet, [(Severity::Warning, Some("shop.busy".into()))]);
        // Of all tables it is a note: the source may be idle.
        assert_eq!(told(&[every_minute], 66), [(Severity::Note, None)]);
    }

    #[test]
    fn few_objects_tell_nothing() {
        assert_eq!(told(&[pace("new", &[0, 1, 2, 3, 4])], 9_999), [(Severity::Skipped, None)]);
        assert_eq!(told(&[], 0), [(Severity::Skipped, None)]);
    }
}
