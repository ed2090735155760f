//! The baselines of dmslake's speed and size: `cargo bench`, or `cargo bench -- decode` for one
//! part (`decode`, `load`, `apply`, `guard`, `plan`, `merge`, `reload`, `job`, `memory`, `batches`,
//! `looking`, `package`).
//!
//! Every measured case runs in a process of its own, so that its peak memory is its own. Data
//! are the same in every run; `DMSLAKE_BENCH_ROWS` makes them fewer for a trial.

#![allow(clippy::unwrap_used, reason = "a benchmark ends at the first surprise")]
#![allow(
    clippy::cast_possible_wrap,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "nothing counted here is large"
)]

mod batches;
mod case;
mod child;
mod duckdb;
#[allow(dead_code, reason = "tests use the rest")]
#[path = "../support/events.rs"]
mod events;
mod folders;
#[allow(dead_code, unused_imports, reason = "only its counts are read here")]
#[path = "../support/hooked_store/mod.rs"]
mod hooked_store;
mod job;
#[allow(dead_code, reason = "tests use the rest")]
#[path = "../support/lake.rs"]
mod lake;
mod looking;
mod machine;
#[allow(dead_code, reason = "tests use the rest")]
#[path = "../support/mariadb.rs"]
mod mariadb;
mod memory;
mod merge;
#[allow(dead_code, reason = "tests use the rest")]
#[path = "../support/merge_builder.rs"]
mod merge_builder;
mod objects;
mod package;
mod plan;
mod reduction;
mod reload;
mod report;
mod rows;
#[allow(dead_code, reason = "tests use the rest")]
#[path = "../support/runtime_api.rs"]
mod runtime_api;
mod tables;

use objects::Staging;
use report::Report;

const PARTS: [&str; 12] = [
    "decode", "load", "apply", "guard", "plan", "merge", "reload", "job", "memory", "batches",
    "looking", "package",
];

fn main() {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if let Some(case) = child::asked(&arguments) {
        return child::answer(&case);
    }
    if let Some(unknown) = arguments.iter().find(|word| !PARTS.contains(&word.as_str())) {
        panic!("{unknown} is no part of this benchmark; the parts are {}", PARTS.join(", "));
    }
    let is_wanted = |part: &str| arguments.is_empty() || arguments.iter().any(|word| word == part);

    let folder = tempfile::tempdir().expect("a folder");
    let mut report = Report::begin();
    if ["decode", "load", "apply", "guard", "plan"].into_iter().any(is_wanted) {
        let staging = Staging::write(folder.path());
        report.note(&staging.described());
        if is_wanted("decode") {
            reduction::measure(&staging, &mut report);
        }
        if is_wanted("load") {
            tables::measure_load(&staging, &mut report);
        }
        if is_wanted("apply") {
            tables::measure_apply(&staging, &mut report);
        }
        if is_wanted("guard") {
            tables::measure_guard(&staging, &mut report);
        }
        if is_wanted("plan") {
            plan::measure(&staging, &mut report);
        }
    }
    if is_wanted("merge") {
        merge::measure(folder.path(), &mut report);
    }
    if is_wanted("reload") {
        reload::measure(folder.path(), &mut report);
    }
    if is_wanted("job") {
        job::measure(folder.path(), &mut report);
    }
    if is_wanted("memory") {
        memory::measure(folder.path(), &mut report);
    }
    if is_wanted("batches") {
        batches::measure(folder.path(), &mut report);
    }
    if is_wanted("looking") {
        looking::measure(folder.path(), &mut report);
    }
    if is_wanted("package") {
        package::measure(folder.path(), &mut report);
    }
    report.print();
}
