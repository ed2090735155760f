//! What is too much for the function, in every way that there is: one process that applies, a job by
//! one thread and by two, a job whose tasks `PySpark` schedules, and Spark's own MERGE in a warm JVM.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;
use serde_json::json;

use crate::folders;
use crate::merge::python::{self, Warm};
use crate::objects::{COPY_ON_WRITE, DELETION_VECTORS, Format, number, settings_text};
use crate::report::{Aim, Report, Wanted, count, megabytes};
use crate::rows;

const ROWS: u64 = 10_000_000;
/// The load, and the larger table, have so many times the rows of the smaller one.
const LOADED: u64 = 2;
const LARGER: u64 = 5;
const LOAD_OBJECTS: u64 = 20;
const CDC_OBJECTS: u64 = 100;
const DMSLAKE: &str = env!("CARGO_BIN_EXE_dmslake");
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bench");
const DRIVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/infra/glue/apply_table.py");

/// What one run took.
#[derive(Debug, Deserialize)]
struct Took {
    seconds: f64,
    cpu: f64,
    /// KiB of all processes at once, and of the largest.
    together: u64,
    largest: u64,
    lines: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Apply,
    OneSlot,
    TwoSlots,
    PySpark,
    Spark,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::Apply => "dmslake apply",
            Self::OneSlot => "dmslake job run --slots 1",
            Self::TwoSlots => "dmslake job run --slots 2",
            Self::PySpark => "dmslake by PySpark, local[2]",
            Self::Spark => "Spark's own, local[2], warm",
        }
    }
}

/// One thing to be done, from copies of the same folders each time.
struct Work<'a> {
    name: String,
    /// What is staged.
    staging: &'a Path,
    /// The lake before; none if there is no table yet.
    before: Option<PathBuf>,
    merge: &'a str,
    taken: u64,
}

/// Measures everything; cases whose names hold none of the words in `DMSLAKE_BENCH_ONLY` are left out.
pub(crate) fn measure(folder: &Path, report: &mut Report) {
    let rows = number("DMSLAKE_BENCH_ROWS").unwrap_or(ROWS);
    let only = std::env::var("DMSLAKE_BENCH_ONLY").unwrap_or_default();
    let is_wanted =
        |work: &Work<'_>| only.is_empty() || only.split(',').any(|word| work.name.contains(word));
    assert!(
        python::version("duckdb").is_some(),
        "DuckDB reads the results: pip install duckdb duckdb-extension-delta"
    );
    let mut ways = vec![Way::Apply, Way::OneSlot, Way::TwoSlots];
    let mut spark = None;
    if let Some(version) = python::version("pyspark") {
        report.note(&format!("PySpark {version}"));
        ways.extend([Way::PySpark, Way::Spark]);
        spark = Some(Spark::start());
    } else {
        report.note("Spark is left out: python3 cannot import pyspark (pip install pyspark)");
    }
    let kept = folders::tables(folder).join("job");
    let mut bench = Bench { folder: folder.join("job"), spark, ways };
    let load = staged(&kept, "load", rows * LOADED, |folder| stage_load(folder, rows * LOADED));
    let work = Work {
        name: format!("load of {}", count(rows * LOADED)),
        staging: &load,
        before: None,
        merge: COPY_ON_WRITE,
        taken: rows * LOADED,
    };
    bench.warm_up(&kept);
    if is_wanted(&work) {
        bench.measure(&work, report);
    }
    for existing in [rows, rows * LARGER] {
        for changes in [rows / 10, rows] {
            let name = format!("{} changes into {}", count(changes), count(existing));
            let backlog = format!("changes-{changes}-into");
            let staging = staged(&kept, &backlog, existing, |folder| {
                stage_changes(folder, changes, existing);
            });
            for merge in [COPY_ON_WRITE, DELETION_VECTORS] {
                let name = format!("{name}, {merge}");
                let before = Some(PathBuf::new());
                let mut work = Work { name, staging: &staging, before, merge, taken: changes };
                // Vectors for the smaller batches; what changes most rows is no case for them.
                if !is_wanted(&work) || (merge == DELETION_VECTORS && changes == rows) {
                    continue;
                }
                work.before = Some(bench.table(&kept, existing, merge));
                bench.measure(&work, report);
            }
        }
    }
}

/// A staging folder that is filled if it is not there yet.
fn staged(kept: &Path, what: &str, rows: u64, fill: impl FnOnce(&Path)) -> PathBuf {
    let folder = kept.join(format!("{what}-{rows}"));
    if !folder.exists() {
        let unfinished = kept.join("unfinished");
        folders::remove(&unfinished);
        fs::create_dir_all(unfinished.join("shop/orders")).expect("a folder");
        fill(&unfinished);
        fs::rename(&unfinished, &folder).expect("renamed");
    }
    folder
}

fn stage_load(staging: &Path, rows: u64) {
    let each = rows / LOAD_OBJECTS;
    for object in 0..LOAD_OBJECTS {
        let name = format!("LOAD{:08X}.csv", object + 1);
        put(staging, &name, &rows::loaded(object * each, each));
    }
}

fn stage_changes(staging: &Path, changes: u64, existing: u64) {
    let each = changes / CDC_OBJECTS;
    for object in 0..CDC_OBJECTS {
        let name = format!("20261103-1000{:05}.csv", object * 600);
        put(staging, &name, &rows::changes(object, each, existing));
    }
}

fn put(staging: &Path, name: &str, rows: &[rows::Row]) {
    fs::write(staging.join("shop/orders").join(name), Format::Csv.bytes(rows)).expect("written");
}

struct Bench {
    folder: PathBuf,
    spark: Option<Spark>,
    ways: Vec<Way>,
}

impl Bench {
    /// A lake with a table of so many rows, made by a job.
    fn table(&mut self, kept: &Path, rows: u64, merge: &str) -> PathBuf {
        let lake = kept.join(format!("table-{rows}-{merge}"));
        if !lake.exists() {
            let load = staged(kept, "load", rows, |folder| stage_load(folder, rows));
            let config = self.configure(&load, &lake, merge);
            run(&["job", "run", "--slots", "2", "--config"], &config);
        }
        lake
    }

    fn configure(&self, staging: &Path, lake: &Path, merge: &str) -> PathBuf {
        fs::create_dir_all(&self.folder).expect("a folder");
        let config = self.folder.join("dmslake.toml");
        fs::write(&config, settings_text(staging, lake, merge)).expect("written");
        config
    }

    /// Spark's first load and merge take far longer than those that follow, so they are not counted.
    fn warm_up(&mut self, kept: &Path) {
        const FEW: u64 = 100_000;
        let Some(spark) = &mut self.spark else { return };
        let load = staged(kept, "load", FEW, |folder| stage_load(folder, FEW));
        let changes = staged(kept, "changes-warm-into", FEW, |folder| {
            stage_changes(folder, FEW / 10, FEW);
        });
        for vectors in [false, true] {
            let table = self.folder.join(format!("warm-{vectors}"));
            spark.ask("load", &load, &table, vectors);
            spark.ask("merge", &changes, &table, vectors);
        }
    }

    fn measure(&mut self, work: &Work<'_>, report: &mut Report) {
        let mut agreed: Option<Vec<i64>> = None;
        let mut all = Vec::new();
        for way in self.ways.clone() {
            let lake = self.folder.join("lake");
            folders::remove(&lake);
            if let Some(before) = &work.before {
                folders::copy(before, &lake);
            }
            let took = self.run(way, work, &lake);
            let digest = python::digest(&lake.join("shop/orders"), true);
            let agreed = agreed.get_or_insert_with(|| digest.clone());
            assert_eq!(&digest, agreed, "{}: {} came to other rows", work.name, way.name());
            report.line(
                &format!("{}: {}", work.name, way.name()),
                &format!(
                    "{:.1} s, CPU {:.1} s, {:.0} k rows/s",
                    took.seconds,
                    took.cpu,
                    work.taken as f64 / took.seconds / 1e3
                ),
                &format!("{}, largest {}", megabytes(took.together), megabytes(took.largest)),
                &stages(&took),
                "job",
            );
            all.push((way, took));
        }
        folders::remove(&self.folder.join("lake"));
        aims(&work.name, &all, report);
    }

    fn run(&mut self, way: Way, work: &Work<'_>, lake: &Path) -> Took {
        if way == Way::Spark {
            let spark = self.spark.as_mut().expect("it takes part");
            let what = if work.before.is_some() { "merge" } else { "load" };
            let vectors = work.merge == DELETION_VECTORS;
            return spark.ask(what, work.staging, &lake.join("shop/orders"), vectors);
        }
        // A table goes on from its staging folder: what was loaded may have expired.
        let config = self.configure(work.staging, lake, work.merge);
        match way {
            Way::Apply => run(&["apply", "--config"], &config),
            Way::OneSlot => run(&["job", "run", "--slots", "1", "--config"], &config),
            Way::TwoSlots => run(&["job", "run", "--slots", "2", "--config"], &config),
            Way::PySpark => {
                let mut command = Command::new("python3");
                command.env("PYSPARK_SUBMIT_ARGS", "--master local[2] pyspark-shell");
                command.arg(format!("{SCRIPTS}/measured.py")).args(["python3", DRIVER]);
                command.args(["--binary", DMSLAKE, "--config"]).arg(&config);
                took(command)
            }
            Way::Spark => unreachable!("above"),
        }
    }
}

fn run(arguments: &[&str], config: &Path) -> Took {
    let mut command = Command::new("python3");
    command.arg(format!("{SCRIPTS}/measured.py")).arg(DMSLAKE).args(arguments).arg(config);
    took(command)
}

fn took(mut command: Command) -> Took {
    let output = command.stderr(Stdio::inherit()).output().expect("it starts");
    let took: Took = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(output.status.success(), "{command:?}: {:?}", took.lines);
    took
}

/// The stages that the driver printed, each with its seconds.
fn stages(took: &Took) -> String {
    let stage = |line: &String| {
        let (stage, rest) = line.split_once(": ")?;
        let (tasks, seconds) = rest.strip_suffix(" s")?.split_once(" tasks, ")?;
        Some(format!("{stage} {tasks}×: {seconds} s"))
    };
    took.lines.iter().filter_map(stage).collect::<Vec<_>>().join(", ")
}

fn aims(name: &str, all: &[(Way, Took)], report: &mut Report) {
    let of = |way: Way| all.iter().find(|(found, _)| *found == way).map(|(_, took)| took);
    let mut aim = |what: &str, wanted, one: Option<f64>, other: Option<f64>| {
        if let (Some(one), Some(other)) = (one, other) {
            report.aim(&Aim { what: format!("{name}: {what}"), wanted, found: one / other });
        }
    };
    let cpu = |way| of(way).map(|took| took.cpu);
    let seconds = |way| of(way).map(|took| took.seconds);
    aim("CPU of a job by CPU of apply", Wanted::AtMost(1.3), cpu(Way::TwoSlots), cpu(Way::Apply));
    aim(
        "CPU of Spark's own by CPU of a job",
        Wanted::AtLeast(5.0),
        cpu(Way::Spark),
        cpu(Way::TwoSlots),
    );
    aim(
        "time of one slot by time of two",
        Wanted::AtLeast(1.7),
        seconds(Way::OneSlot),
        seconds(Way::TwoSlots),
    );
}

/// Spark alone, in a JVM that stays warm.
struct Spark(Warm);

impl Spark {
    fn start() -> Self {
        Self(Warm::start("job_spark"))
    }

    fn ask(&mut self, what: &str, staging: &Path, table: &Path, vectors: bool) -> Took {
        self.0.ask(&json!({ "what": what, "staging": staging, "table": table, "vectors": vectors }))
    }
}
