//! A full load, and a backlog applied to it, through the pipeline on the local disk.

use std::path::Path;

use crate::child::{self, Case, LAMBDA_MEMORY, Run};
use crate::folders::{copy, remove};
use crate::objects::{COPY_ON_WRITE, DELETION_VECTORS, Format, Sequences, Staging};
use crate::report::{Aim, Report, Wanted, median};

const RUNS: usize = 3;

/// Appends the full load to no table yet.
pub(crate) fn measure_load(staging: &Staging, report: &mut Report) {
    for format in Format::ALL {
        let runs: Vec<Run> = (0..RUNS).map(|_| load(staging, format)).collect();
        let what = format!("full load append, {}", format.name());
        report.runs(&what, (staging.rows, "rows"), &runs, "load");
    }
}

fn load(staging: &Staging, format: Format) -> Run {
    let lake = staging.lake("load");
    remove(&lake);
    let case = Case::Apply { staging: staging.load(format), lake, merge: COPY_ON_WRITE.into() };
    let run = child::run(&case, false);
    assert_eq!(run.outcome, [staging.rows, staging.rows].map(|rows| rows as i64));
    run
}

/// Applies the backlog to the table of the full load.
pub(crate) fn measure_apply(staging: &Staging, report: &mut Report) {
    let base = staging.lake("base");
    load_into(staging, &base);
    let mut agreed: Option<Vec<i64>> = None;
    for (format, in_lambda, merge) in [
        (Format::Csv, false, COPY_ON_WRITE),
        (Format::Parquet, false, COPY_ON_WRITE),
        (Format::Parquet, true, COPY_ON_WRITE),
        (Format::Csv, false, DELETION_VECTORS),
        (Format::Parquet, false, DELETION_VECTORS),
    ] {
        let runs: Vec<Run> = (0..RUNS)
            .map(|_| {
                let lake = staging.lake("apply");
                remove(&lake);
                copy(&base, &lake);
                let (staging, merge) = (staging.backlog(format), merge.to_owned());
                child::run(&Case::Apply { staging, lake, merge }, in_lambda)
            })
            .collect();
        for run in &runs {
            let agreed = agreed.get_or_insert_with(|| run.outcome.clone());
            assert_eq!(&run.outcome, agreed, "changes taken in, rows gained");
        }
        let budget =
            if in_lambda { format!(", function of {LAMBDA_MEMORY} MB") } else { String::new() };
        let commits = runs[0].version - 1;
        let what =
            format!("apply a backlog, {}, {merge}{budget}, commits: {commits}", format.name());
        report.runs(&what, (staging.rows, "changes"), &runs, "apply");
        if merge == DELETION_VECTORS {
            let seconds: Vec<f64> = runs.iter().map(|run| run.seconds).collect();
            report.aim(&Aim {
                what: format!("{what}: thousands of changes per second"),
                wanted: Wanted::AtLeast(500.0),
                found: staging.rows as f64 / median(&seconds) / 1e3,
            });
        }
    }
}

/// Applies the backlog with change sequences, to a table that is guarded and to one that is not.
pub(crate) fn measure_guard(staging: &Staging, report: &mut Report) {
    let base = staging.lake("base");
    load_into(staging, &base);
    for merge in [COPY_ON_WRITE, DELETION_VECTORS] {
        let mut agreed: Option<Vec<i64>> = None;
        for (sequences, guard) in [(Sequences::Read, "off"), (Sequences::Guard, "sequence")] {
            let runs: Vec<Run> = (0..RUNS)
                .map(|_| {
                    let lake = staging.lake("guard");
                    remove(&lake);
                    copy(&base, &lake);
                    let (staging, merge) = (staging.backlog_with_sequences(), merge.to_owned());
                    let case = Case::ApplyWithSequences { staging, lake, merge, sequences };
                    child::run(&case, false)
                })
                .collect();
            for run in &runs {
                let agreed = agreed.get_or_insert_with(|| run.outcome.clone());
                assert_eq!(&run.outcome, agreed, "changes taken in, rows gained");
            }
            let what =
                format!("apply a backlog with change sequences, CSV, {merge}, guard: {guard}");
            report.runs(&what, (staging.rows, "changes"), &runs, "guard");
        }
    }
}

/// Makes the table of the full load, if it is not there.
pub(crate) fn load_into(staging: &Staging, lake: &Path) {
    let (staging, lake) = (staging.load(Format::Parquet), lake.to_owned());
    child::run(&Case::Apply { staging, lake, merge: COPY_ON_WRITE.into() }, false);
}
