//! How a table stands, in one word, and the command that follows from it.

use serde::Serialize;

use crate::disposition::{Action, disposition};
use crate::error::ErrorKind;

/// How a table stands. The worst comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It cannot be seen: why is an error.
    Unreadable,
    /// Nothing is applied until a person has acted.
    Held,
    /// An operator lets it wait.
    Paused,
    /// DMS loads it again, or it is rebuilt beside the one that readers see.
    Reloading,
    /// What is pending is left to a job.
    HandedOver,
    /// Something is pending.
    Behind,
    /// There is neither a table nor an object that is staged for it.
    Absent,
    /// All that is staged is applied.
    Ok,
}

impl State {
    /// All states, the worst first.
    pub const ALL: [Self; 8] = [
        Self::Unreadable,
        Self::Held,
        Self::Paused,
        Self::Reloading,
        Self::HandedOver,
        Self::Behind,
        Self::Absent,
        Self::Ok,
    ];

    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Held => "held",
            Self::Paused => "paused",
            Self::Reloading => "reloading",
            Self::HandedOver => "handed-over",
            Self::Behind => "behind",
            Self::Absent => "absent",
            Self::Ok => "ok",
        }
    }

    /// That of a table for which this error ends a look.
    pub(super) fn after(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Paused => Self::Paused,
            ErrorKind::HandedOver => Self::HandedOver,
            ErrorKind::Reloading => Self::Reloading,
            kind => match disposition(kind).action {
                Action::Hold | Action::Quarantine | Action::Wait => Self::Held,
                Action::Retry | Action::GiveBack | Action::Fail => Self::Unreadable,
            },
        }
    }
}

/// The first command that a remedy names, as it is typed; none if it names none.
pub(super) fn command_in(remedy: &str) -> Option<String> {
    let from = remedy.find("dmslake ")?;
    let rest = &remedy[from..];
    // Commands stand in sentences, and table names have dots.
    let ends =
        [";", ", ", ". ", ": ", " (", ")", " while ", " when ", " tells ", " lets ", " on a "];
    let end = ends.iter().filter_map(|end| rest.find(end)).min().unwrap_or(rest.len());
    Some(rest[..end].trim_end_matches('.').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disposition::remedy_for;
    use crate::error::Error;

    #[test]
    fn a_command_is_taken_out_of_its_sentence() {
        let next = |kind| command_in(&remedy_for(&Error::new(kind, "it is"), "shop.orders"));
        let expected = [
            (ErrorKind::Paused, Some("dmslake resume shop.orders")),
            (ErrorKind::Reload, Some("dmslake rebuild shop.orders")),
            (ErrorKind::LateObject, Some("dmslake rebuild shop.orders")),
            (ErrorKind::VanishedObject, Some("dmslake resume shop.orders --accept-loss")),
            (ErrorKind::JobFailed, Some("dmslake job start shop.orders")),
            (ErrorKind::HandedOver, Some("dmslake job status shop.orders")),
            (ErrorKind::TableRefused, Some("dmslake rebuild shop.orders")),
            (ErrorKind::SchemaRefused, None),
        ];
        for (kind, command) in expected {
            assert_eq!(next(kind).as_deref(), command, "{kind:?}");
        }
    }
}
