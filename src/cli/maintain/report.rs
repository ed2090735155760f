//! What maintenance did to a table, as lines for people.

use crate::cli::output::{Palette, count, plural, seconds};
use crate::maintenance::{Action, ActionReport, MaintenanceReport, Outcome};
use crate::pipeline::Status;

/// A headline, a line for each action that was due, and the error if there was one.
pub(super) fn lines(report: &MaintenanceReport, palette: Palette) -> Vec<String> {
    let head = headline(report);
    let head = if report.status == Status::Ok { head } else { palette.bad(head) };
    let actions = report.actions.iter().map(|action| format!("  {}", sentence(action)));
    let error = report.error.iter().map(|error| format!("  {error}"));
    std::iter::once(head).chain(actions).chain(error).collect()
}

fn headline(report: &MaintenanceReport) -> String {
    let status = match (report.status, report.version) {
        (Status::Ok, None) => "no table yet".to_owned(),
        (Status::Ok, Some(version)) if report.actions.is_empty() => {
            format!("nothing due at version {version}")
        }
        (Status::Ok, Some(version)) => format!("maintained, version {version}"),
        (Status::Held, _) => "held".to_owned(),
        (Status::Failed, _) => "failed".to_owned(),
    };
    format!("{}: {status} ({})", report.table, seconds(report.seconds))
}

fn sentence(action: &ActionReport) -> String {
    let outcome = match action.outcome {
        Outcome::Done => "",
        Outcome::Skipped => " skipped",
        Outcome::Lost => " lost to other writers",
    };
    let name = action.action.as_str();
    let of = if action.quarantine { "quarantine, " } else { "" };
    let did = match (action.action, action.outcome) {
        (Action::Compact | Action::Purge, Outcome::Done) => format!(
            "; {} of {} MB became {} of {} MB",
            plural(action.files_removed, "file"),
            count(action.bytes_removed / 1_000_000),
            count(action.files_added),
            count(action.bytes_added / 1_000_000),
        ),
        (Action::Vacuum, Outcome::Done) => {
            format!("; {} MB freed", count(action.bytes_removed / 1_000_000))
        }
        _ => String::new(),
    };
    format!("{of}{name}{outcome}: {}{did}", action.reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_says_what_it_did_and_why() {
        let done = ActionReport {
            action: Action::Compact,
            outcome: Outcome::Done,
            reason: "9 runs".into(),
            version: Some(4),
            files_removed: 9,
            files_added: 1,
            bytes_removed: 9_000_000,
            bytes_added: 8_500_000,
            quarantine: false,
        };
        assert_eq!(sentence(&done), "compact: 9 runs; 9 files of 9 MB became 1 of 8 MB");
        let aside = ActionReport { quarantine: true, ..done.clone() };
        assert!(sentence(&aside).starts_with("quarantine, compact: 9 runs"));
        let lost = ActionReport { outcome: Outcome::Lost, ..done };
        assert_eq!(sentence(&lost), "compact lost to other writers: 9 runs");
    }
}
