//! Decoding and reduction to net changes, against DuckDB on the same objects in the same run.

use crate::child::{self, Case, Run};
use crate::duckdb;
use crate::objects::{Format, Staging};
use crate::report::{Aim, Report, Wanted, median};

const RUNS: usize = 5;
const PART: &str = "decode";

pub(crate) fn measure(staging: &Staging, report: &mut Report) {
    let reference = duckdb::version();
    if reference.is_none() {
        report.note("DuckDB is left out: python3 cannot import duckdb (pip install duckdb)");
    }
    for format in Format::ALL {
        let case = Case::Reduce { staging: staging.backlog(format) };
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            ours.push(child::run(&case, false));
            if reference.is_some() {
                theirs.push(duckdb::run(&staging.backlog(format), format));
            }
        }
        let agreed = &ours[0].outcome;
        for run in ours.iter().chain(&theirs) {
            assert_eq!(&run.outcome, agreed, "upserts, deletes, sum of amounts, notes");
        }
        let name = format.name();
        let taken = (staging.rows, "rows");
        let what_ours = format!("decode + net changes, {name}");
        report.runs(&what_ours, taken, &ours, PART);
        if let Some(version) = &reference {
            let what = format!("the same by DuckDB {version}, 2 threads, {name}");
            report.runs(&what, taken, &theirs, PART);
            report.aim(&Aim {
                what: format!("{what_ours}: times as fast as DuckDB"),
                wanted: Wanted::AtLeast(1.0),
                found: seconds(&theirs) / seconds(&ours),
            });
        }
    }
}

fn seconds(runs: &[Run]) -> f64 {
    median(&runs.iter().map(|run| run.seconds).collect::<Vec<_>>())
}
