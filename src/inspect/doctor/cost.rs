//! Whether a table could cost much less.

use crate::config::TableSpec;
use crate::disposition::remedy_of;
use crate::inspect::doctor::{Check, Finding, Severity};
use crate::inspect::upkeep::Upkeep;
use crate::price::MEGABYTES_OF_A_PROCESSOR;
use crate::table::LakeTable;

/// By how its newest commits went, on a function with one processor.
pub(super) async fn compare(spec: &TableSpec, table: &LakeTable) -> Finding {
    let gigabytes = f64::from(MEGABYTES_OF_A_PROCESSOR) / 1024.0;
    let finding =
        |severity, what: String| Finding::new(severity, Check::Cost, what).of(&spec.source);
    let next = format!("dmslake plan {}", spec.source);
    let upkeep = match Upkeep::of(table).await {
        Ok(Some(upkeep)) => upkeep,
        Ok(None) => {
            return finding(Severity::Skipped, "too few commits tell what it costs".to_owned());
        }
        Err(error) => {
            let what = finding(Severity::Unknown, error.chain());
            return what.with_advice(remedy_of(&error)).then(next);
        }
    };
    if let Some(advice) = upkeep.advice(gigabytes) {
        let what = "it could cost much less".to_owned();
        return finding(Severity::Warning, what).with_advice(advice).then(next);
    }
    let now = upkeep.monthly(gigabytes)[0].dollars();
    finding(Severity::Ok, format!("about {now:.2} USD a month for commits"))
}
