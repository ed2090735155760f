//! Thousands of small objects, one after another, each a commit of its own: what each costs, and
//! what the table has become by then. And one such object where every request takes a while.

mod course;
mod log;

pub(crate) use course::{Course, follow};

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::child::{self, Case, Run};
use crate::objects::{COPY_ON_WRITE, DELETION_VECTORS, number};
use crate::report::{Aim, Report, Wanted, count, median, megabytes};
use course::CHANGES;

const PART: &str = "batches";
const ROWS: u64 = 100_000;
const BATCHES: u64 = 5000;
/// The time that each request takes where round trips are counted, and the batches before that.
const DELAY: u64 = 30;
const WARM_UP: u64 = 8;
const PLOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bench/batches_plot.py");

pub(crate) fn measure(folder: &Path, report: &mut Report) {
    let rows = number("DMSLAKE_BENCH_ROWS").map_or(ROWS, |rows| rows / 100);
    let batches = number("DMSLAKE_BENCH_BATCHES").unwrap_or(BATCHES);
    let output = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let mut files = Vec::new();
    for merge in [COPY_ON_WRITE, DELETION_VECTORS] {
        let course = |name: &str, batches, delay| Course {
            folder: folder.join(name).join(merge),
            rows,
            batches,
            merge: merge.to_owned(),
            delay,
        };
        let csv = output.join(format!("batches-{merge}.csv"));
        let course_of_many = course("batches", batches, 0);
        let run = child::run(&Case::Follow { course: course_of_many, csv: csv.clone() }, false);
        print_course(merge, batches, &csv, &run, report);
        files.push(csv);

        let csv = output.join(format!("round-trips-{merge}.csv"));
        let course_of_few = course("round-trips", WARM_UP + 1, DELAY);
        let run = child::run(&Case::Follow { course: course_of_few, csv }, false);
        print_round_trips(merge, &run, report);
    }
    let plot = output.join("batches.svg");
    let status = Command::new("python3").arg(PLOT).arg(&plot).args(&files).status();
    match status {
        Ok(status) if status.success() => report.note(&format!("plot: {}", plot.display())),
        _ => report.note("no plot: python3 cannot import matplotlib (pip install matplotlib)"),
    }
}

/// The median of the first tenth of the batches against that of the last tenth.
fn print_course(merge: &str, batches: u64, csv: &Path, run: &Run, report: &mut Report) {
    let text = fs::read_to_string(csv).expect("it was written");
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().expect("a head").split(',').collect();
    let lines: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    let tenth = lines.len().div_ceil(10);
    let ends = |name: &str| {
        let at = names.iter().position(|found| *found == name).expect("a column");
        let of = |lines: &[Vec<&str>]| {
            let numbers: Vec<f64> =
                lines.iter().map(|line| line[at].parse().expect("a number")).collect();
            median(&numbers)
        };
        (of(&lines[..tenth]), of(&lines[lines.len() - tenth..]))
    };
    let (first, last) = ends("milliseconds");
    let (first_rest, last_rest) = ends("without_listing");
    let described: Vec<String> = ["requests", "bytes_written", "files", "log_entry_bytes"]
        .into_iter()
        .map(|name| {
            let (first, last) = ends(name);
            format!("{} {first:.0} -> {last:.0}", name.replace('_', " "))
        })
        .collect();
    report.line(
        &format!("{} batches of {CHANGES} changes one by one, {merge}", count(batches)),
        &format!("{first:.1} -> {last:.1} ms"),
        &megabytes(run.peak),
        &format!(
            "first -> last tenth; without listing folders {first_rest:.1} -> {last_rest:.1} ms, \
             {}; {}",
            described.join(", "),
            csv.display()
        ),
        PART,
    );
}

fn print_round_trips(merge: &str, run: &Run, report: &mut Report) {
    let [requests, round_trips] = run.outcome[..] else { panic!("two counts") };
    report.line(
        &format!("one warm batch of {CHANGES} changes, {DELAY} ms more per request, {merge}"),
        &format!("{:.0} ms", run.seconds * 1e3),
        &megabytes(run.peak),
        &format!("{requests} requests, {round_trips} round trips in sequence"),
        PART,
    );
    report.aim(&Aim {
        what: format!("{merge}: round trips in sequence, warm, one small object to its commit"),
        wanted: Wanted::AtMost(10.0),
        found: round_trips as f64,
    });
}
