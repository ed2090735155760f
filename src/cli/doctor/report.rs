//! What a checkup found, for people.

use crate::cli::output::{Palette, count, labelled, plural, wrapped};
use crate::inspect::doctor::{Check, Finding, Severity};

/// What stands for the name of a table where the same is said of several.
const ANY_TABLE: &str = "TABLE";

/// What is said alike of one table or of several, or of what they share.
struct Group<'a> {
    severity: Severity,
    check: Check,
    what: String,
    remedy: Option<String>,
    next: Option<String>,
    tables: Vec<&'a str>,
}

impl<'a> Group<'a> {
    fn of(finding: &'a Finding) -> Self {
        let general = |text: &String| match &finding.table {
            Some(table) => text.replace(table.as_str(), ANY_TABLE),
            None => text.clone(),
        };
        Self {
            severity: finding.severity,
            check: finding.check,
            what: general(&finding.what),
            remedy: finding.remedy.as_ref().map(general),
            next: finding.next.as_ref().map(general),
            tables: finding.table.as_deref().into_iter().collect(),
        }
    }

    fn says_as(&self, other: &Self) -> bool {
        (self.severity, self.check) == (other.severity, other.check)
            && (&self.what, &self.remedy, &self.next) == (&other.what, &other.remedy, &other.next)
            && !self.tables.is_empty()
            && !other.tables.is_empty()
    }

    /// A text with the table's name, if it is about one.
    fn named(&self, text: &str) -> String {
        match self.tables[..] {
            [one] => text.replace(ANY_TABLE, one),
            _ => text.to_owned(),
        }
    }
}

/// The lines about these findings, the worst first, for a screen of that width; `is_all` lists each
/// table with which all is well.
pub(super) fn lines(
    findings: &[Finding],
    is_all: bool,
    width: usize,
    palette: Palette,
) -> Vec<String> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for finding in findings {
        let group = Group::of(finding);
        match groups.iter_mut().find(|known| known.says_as(&group)) {
            Some(known) => known.tables.extend(group.tables),
            None => groups.push(group),
        }
    }
    let mut lines = Vec::new();
    for group in groups.iter().filter(|group| group.severity < Severity::Skipped) {
        lines.extend(told(group, width, palette));
    }
    for severity in [Severity::Skipped, Severity::Ok] {
        lines.extend(listed(&groups, severity, is_all, width, palette));
    }
    lines.push(totals(findings));
    lines
}

fn told(group: &Group<'_>, width: usize, palette: Palette) -> Vec<String> {
    let label = match group.severity {
        Severity::Problem => palette.bad("problem"),
        Severity::Unknown => palette.strong("not checked"),
        severity => palette.strong(severity.as_str()),
    };
    let mut lines = vec![format!("{label}: {}", group.check.as_str())];
    if !group.tables.is_empty() {
        lines.extend(wrapped(&group.tables.join(", "), "  of ", width));
        // Only the first line begins with that.
        for line in lines.iter_mut().skip(2) {
            line.replace_range(.."  of ".len(), "     ");
        }
    }
    lines.extend(wrapped(&group.named(&group.what), "  ", width));
    if let Some(remedy) = &group.remedy {
        lines.extend(wrapped(&group.named(remedy), "  ", width));
    }
    if let Some(next) = &group.next {
        let each =
            if group.tables.len() > 1 && next.contains(ANY_TABLE) { ", for each" } else { "" };
        lines.push(format!("  next{each}: {}", palette.strong(group.named(next))));
    }
    lines
}

/// What needs no remedy: one line for each check, or for each finding.
fn listed(
    groups: &[Group<'_>],
    severity: Severity,
    is_all: bool,
    width: usize,
    palette: Palette,
) -> Vec<String> {
    let mut facts: Vec<(Check, String)> = Vec::new();
    let of_severity: Vec<&Group<'_>> = groups.iter().filter(|it| it.severity == severity).collect();
    for group in &of_severity {
        let alike: Vec<&&Group<'_>> = of_severity
            .iter()
            .filter(|it| it.check == group.check && !it.tables.is_empty())
            .collect();
        let tables: usize = alike.iter().map(|it| it.tables.len()).sum();
        let what = group.named(&group.what);
        let fact = match group.tables[..] {
            [] => what,
            _ if is_all => format!("{}: {what}", group.tables.join(", ")),
            [one] if tables == 1 => format!("{one}: {what}"),
            _ if alike.len() == 1 => format!("{}: {what}", plural(tables as u64, "table")),
            _ => format!("{}; --all tells of each", plural(tables as u64, "table")),
        };
        if facts.last().is_none_or(|(check, last)| (*check, last) != (group.check, &fact)) {
            facts.push((group.check, fact));
        }
    }
    if facts.is_empty() {
        return Vec::new();
    }
    let heading = match severity {
        Severity::Ok => palette.good("checked, and fine"),
        _ => palette.faint("does not apply"),
    };
    let facts: Vec<(&str, String)> =
        facts.into_iter().map(|(check, fact)| (check.as_str(), fact)).collect();
    let mut lines = vec![heading];
    lines.extend(labelled(&facts, width));
    lines
}

/// `1 problem, 2 warnings, 1 not checked; 14 fine, 2 do not apply`.
fn totals(findings: &[Finding]) -> String {
    let told = Severity::ALL.into_iter().filter_map(|severity| {
        let number = findings.iter().filter(|it| it.severity == severity).count() as u64;
        let text = match severity {
            Severity::Problem => plural(number, "problem"),
            Severity::Warning => plural(number, "warning"),
            Severity::Unknown => format!("{} not checked", count(number)),
            Severity::Note => plural(number, "note"),
            Severity::Skipped => format!("{} not applicable", count(number)),
            Severity::Ok => format!("{} fine", count(number)),
        };
        (number > 0).then_some(text)
    });
    format!("findings: {}", told.collect::<Vec<_>>().join(", "))
}
