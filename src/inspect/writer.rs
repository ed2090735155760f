//! Who wrote a commit, as people name it.

use crate::table::Commit;

/// The name of the program that wrote a commit: `dmslake`, `Spark`, `Trino`, `delta-rs`, or what its
/// `engineInfo` begins with; `unknown` if it has none.
pub(super) fn writer_of(commit: &Commit) -> String {
    if commit.ours.is_some() {
        return "dmslake".to_owned();
    }
    let Some(engine) = commit.engine.as_deref() else { return "unknown".to_owned() };
    let name = engine.split(['/', ':', ' ']).next().unwrap_or_default();
    match name {
        "Apache-Spark" | "Databricks-Runtime" => "Spark".to_owned(),
        "" => "unknown".to_owned(),
        name => match name.split_once("-4") {
            // Trino writes `Trino-476`.
            Some(("Trino", _)) => "Trino".to_owned(),
            _ => name.to_owned(),
        },
    }
}
