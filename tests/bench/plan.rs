//! How far a plan is from what applying then does: a part of the backlog is planned, and applied.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use dmslake::clock::{Clock, SystemClock};
use dmslake::config::Settings;
use dmslake::inspect::{PlanAsked, plan};
use dmslake::memory::peak_bytes;
use dmslake::pipeline::{Limits, Pipeline, Scope, Silent};
use dmslake::price;

use crate::child::{self, Case, Run};
use crate::folders::{copy, remove};
use crate::objects::{COPY_ON_WRITE, DELETION_VECTORS, Format, Staging};
use crate::report::{Aim, Report, Wanted, count, median, megabytes};
use crate::tables::load_into;

const PART: &str = "plan";
const RUNS: usize = 3;
/// Objects of the backlog that are pending.
const PENDING: [usize; 3] = [1, 10, 100];
/// What a plan and an application both tell, in the order of an outcome.
const TOLD: [&str; 6] = ["commits", "bytes read", "bytes written", "memory", "seconds", "dollars"];

pub(crate) fn measure(staging: &Staging, report: &mut Report) {
    let base = staging.lake("base");
    load_into(staging, &base);
    for merge in [COPY_ON_WRITE, DELETION_VECTORS] {
        for objects in PENDING {
            let pending = pending(staging, objects);
            let mut runs: [Vec<Run>; 2] = Default::default();
            for _ in 0..RUNS {
                let lake = staging.lake("plan");
                remove(&lake);
                copy(&base, &lake);
                for (applies, runs) in [false, true].into_iter().zip(&mut runs) {
                    let (staging, lake, merge) = (pending.clone(), lake.clone(), merge.to_owned());
                    runs.push(child::run(&Case::Plan { staging, lake, merge, applies }, false));
                }
            }
            print(merge, (objects, staging.rows / 100), &runs, report);
        }
    }
}

/// A staging folder with the first objects of the backlog.
fn pending(staging: &Staging, objects: usize) -> PathBuf {
    let from = staging.backlog(Format::Parquet).join("shop/orders");
    let to = staging.lake(&format!("pending-{objects}"));
    fs::create_dir_all(to.join("shop/orders")).expect("a folder");
    let mut names: Vec<_> = fs::read_dir(&from)
        .expect("objects")
        .map(|entry| entry.expect("an object").file_name())
        .collect();
    names.sort();
    for name in names.into_iter().take(objects) {
        fs::copy(from.join(&name), to.join("shop/orders").join(&name)).expect("copied");
    }
    to
}

fn print(
    merge: &str,
    (objects, changes): (usize, u64),
    [plans, applications]: &[Vec<Run>; 2],
    report: &mut Report,
) {
    let of = |runs: &[Run], at: usize| {
        let numbers: Vec<f64> = runs.iter().map(|run| run.outcome[at] as f64).collect();
        median(&numbers)
    };
    let errors = TOLD.iter().enumerate().map(|(at, name)| {
        let (planned, actual) = (of(plans, at), of(applications, at));
        (*name, (planned - actual).abs() / actual.max(1.0))
    });
    let errors: Vec<(&str, f64)> = errors.collect();
    let told: Vec<String> =
        errors.iter().map(|(name, error)| format!("{name} {:.1} %", error * 100.0)).collect();
    let worst = errors.iter().map(|(_, error)| *error).fold(0.0, f64::max);
    let seconds = |runs: &[Run]| of(runs, 4) / 1e6;
    let what = format!("a plan of {objects} objects of {} changes, {merge}", count(changes));
    let peak = plans.iter().map(|run| run.peak).max().unwrap_or_default();
    report.line(
        &what,
        &format!("{:.2} s, applied in {:.2} s", seconds(plans), seconds(applications)),
        &megabytes(peak),
        &format!("off by: {}", told.join(", ")),
        PART,
    );
    report.aim(&Aim {
        what: format!("{what}: the number that is furthest off, in percent"),
        wanted: Wanted::AtMost(30.0),
        found: worst * 100.0,
    });
}

/// Plans what is staged, or applies it. Comes to what both tell: seconds in millionths, dollars in
/// thousand millionths.
pub(crate) async fn plan_or_apply(settings: Settings, applies: bool) -> Run {
    let begun = SystemClock.instant();
    let table = settings.tables[0].clone();
    let pipeline = Pipeline::open(settings, Arc::new(SystemClock)).await;
    let pipeline = pipeline.unwrap_or_else(|error| panic!("{}", error.chain()));
    let cores = std::thread::available_parallelism().expect("it is known").get();
    let megabytes = u32::try_from(cores).expect("few") * price::MEGABYTES_OF_A_PROCESSOR;
    let limits = Limits::default();
    let (commits, bytes, memory, seconds, dollars) = if applies {
        let report = pipeline.apply(&table, &Scope::Everything, &limits, &Silent).await;
        assert!(report.is_caught_up(), "{report:?}");
        let dollars = price::of_time(report.seconds, f64::from(megabytes) / 1024.0)
            + price::of_requests(&report.effort.requests);
        (report.commits, report.effort.bytes, peak_bytes(), report.seconds, dollars)
    } else {
        let asked =
            PlanAsked { most_bytes: u64::MAX, function_megabytes: megabytes, applies_here: true };
        let plan = plan(&pipeline, &table, &asked, &limits, &Silent).await;
        let plan = plan.unwrap_or_else(|error| panic!("{}", error.chain())).expect("no stop");
        (plan.commits, plan.bytes, plan.peak_memory_bytes, plan.seconds, plan.dollars)
    };
    let memory = memory.expect("Linux tells it");
    let counts = [commits, bytes.read, bytes.written, memory].map(|count| count as i64);
    let parts = [seconds * 1e6, dollars * 1e9].map(|part| part as i64);
    let outcome = counts.into_iter().chain(parts).collect();
    Run { seconds: begun.elapsed().as_secs_f64(), peak: 0, outcome, version: 0 }
}
