//! One batch of changes merged into a large table: dmslake in both modes, `deltalake`'s
//! `MergeBuilder` from the same build, Spark, and what the same work costs by hand, all on copies
//! of the same tables; their results are read by DuckDB and must be equal.

pub(crate) mod changes;
pub(crate) mod contestant;
mod figures;
pub(crate) mod orders;
pub(crate) mod python;
pub(crate) mod target;

use std::path::{Path, PathBuf};

use tokio::runtime::Runtime;

use crate::child::Run;
use crate::folders;
use crate::objects::number;
use crate::report::Report;
use changes::{Batch, Spread};
use contestant::Contestant;
use figures::{Figure, Figures};
use orders::Key;
use python::Spark;
use target::Target;

const ROWS: u64 = 10_000_000;
const FILES: u64 = 20;
/// The larger tables have so many times the rows and files.
const LARGER: u64 = 5;
const RUNS: usize = 3;
/// Whoever needs minutes runs no more often than this.
const RUNS_OF_THE_SLOW: usize = 2;

/// What is measured: one batch merged into one table.
struct Case {
    key: Key,
    rows: u64,
    files: u64,
    changes: u64,
    spread: Spread,
}

impl Case {
    fn name(&self) -> String {
        figures::case_name(self.rows, self.key, self.changes, self.spread)
    }
}

/// All batches on the table with the integer key, of the others the batches of middle size; and
/// on the larger tables one batch each.
fn cases(rows: u64) -> Vec<Case> {
    let few = [rows / 1000];
    let all = [rows / 10_000, rows / 1000, rows / 100];
    let mut cases = Vec::new();
    for (key, sizes) in [(Key::Integer, &all[..]), (Key::Hex, &few), (Key::Pair, &few)] {
        for &changes in sizes {
            for spread in Spread::ALL {
                cases.push(Case { key, rows, files: FILES, changes, spread });
            }
        }
    }
    for key in [Key::Integer, Key::Hex, Key::Pair] {
        let (rows, files) = (rows * LARGER, FILES * LARGER);
        cases.push(Case { key, rows, files, changes: few[0], spread: Spread::Random });
    }
    cases
}

/// Measures the cases whose name holds one of the words in `DMSLAKE_BENCH_ONLY`, or all.
pub(crate) fn measure(folder: &Path, report: &mut Report) {
    let base_rows = number("DMSLAKE_BENCH_ROWS").unwrap_or(ROWS);
    let runs = number("DMSLAKE_BENCH_RUNS").map_or(RUNS, |runs| runs as usize);
    let only = std::env::var("DMSLAKE_BENCH_ONLY").unwrap_or_default();
    let is_wanted =
        |case: &Case| only.is_empty() || only.split(',').any(|word| case.name().contains(word));

    assert!(
        python::version("duckdb").is_some(),
        "DuckDB reads the results: pip install duckdb duckdb-extension-delta"
    );
    let mut contest = Contest::open(folder, base_rows, runs, report);
    for case in cases(base_rows).iter().filter(|case| is_wanted(case)) {
        contest.measure(case, report);
    }
    contest.figures.print(base_rows, report);
}

/// Everyone who takes part, and what they have shown.
struct Contest {
    folder: PathBuf,
    base_rows: u64,
    runs: usize,
    spark: Option<Spark>,
    has_pyarrow: bool,
    figures: Figures,
    copies: u64,
    is_spark_warm: bool,
}

impl Contest {
    fn open(folder: &Path, base_rows: u64, runs: usize, report: &mut Report) -> Self {
        let mut found = |package: &str, name: &str| {
            let version = python::version(package);
            match &version {
                Some(version) => report.note(&format!("{name} {version}")),
                None => report.note(&format!(
                    "{name} is left out: python3 cannot import {package} (pip install {package})"
                )),
            }
            version.is_some()
        };
        let has_pyarrow = found("pyarrow", "pyarrow");
        let has_spark = found("pyspark", "PySpark");
        found("duckdb", "DuckDB");
        Self {
            folder: folder.to_owned(),
            base_rows,
            runs,
            spark: has_spark.then(Spark::start),
            has_pyarrow,
            figures: Figures::default(),
            copies: 0,
            is_spark_warm: false,
        }
    }

    fn contestants(&self, case: &Case) -> Vec<Contestant> {
        let is_larger = case.rows > self.base_rows;
        let takes_part = |contestant: &Contestant| match contestant {
            Contestant::Native(_) => true,
            Contestant::Spark { .. } => self.spark.is_some() && !is_larger,
            Contestant::DuckDb => !is_larger,
            Contestant::PyArrow | Contestant::Keys => self.has_pyarrow,
        };
        Contestant::ALL.into_iter().filter(takes_part).collect()
    }

    fn measure(&mut self, case: &Case, report: &mut Report) {
        let runtime = Runtime::new().expect("a runtime");
        let kept = folders::tables(&self.folder);
        let target = Target::ready(&kept, case.key, case.rows, case.files);
        let target = runtime.block_on(target);
        report.note(&format!("{}: {}", case.name(), target.described()));
        let batch = Batch::ready(&target, case.changes, case.spread);
        let contestants = self.contestants(case);
        self.warm_up_spark(&runtime, &target, &batch);
        let mut agreed: Option<Vec<i64>> = None;
        let mut measured: Vec<Vec<Run>> = vec![Vec::new(); contestants.len()];
        // Taking turns spreads whatever else the machine does over all of them.
        for round in 0..self.runs {
            for (contestant, runs) in contestants.iter().zip(&mut measured) {
                if round >= RUNS_OF_THE_SLOW && contestant.is_slow(case.rows > self.base_rows) {
                    continue;
                }
                let table = self.copy(&runtime, &target, *contestant);
                let run = self.run(*contestant, &target, &table, &batch);
                eprintln!("{} {}: {:.3} s", case.name(), contestant.name(), run.seconds);
                if contestant.commits() {
                    let fates = batch.fates.map(|rows| rows as i64);
                    assert_eq!(run.outcome, fates, "{}", contestant.name());
                }
                if round == 0 && contestant.merges() {
                    let digest = python::digest(&table, contestant.commits());
                    let agreed = agreed.get_or_insert_with(|| digest.clone());
                    assert_eq!(&digest, agreed, "{} merged otherwise", contestant.name());
                    let [inserted, _, deleted] = batch.fates;
                    assert_eq!(digest[0], (case.rows + inserted - deleted) as i64, "rows");
                }
                runs.push(run);
                folders::remove(&table);
            }
        }
        for (contestant, runs) in contestants.into_iter().zip(measured) {
            let Case { key, rows, changes, spread, .. } = *case;
            self.figures.add(Figure::of(rows, key, changes, spread, contestant, &runs));
        }
    }

    /// Spark's first merges take far longer than those that follow, so they are not counted.
    fn warm_up_spark(&mut self, runtime: &Runtime, target: &Target, batch: &Batch) {
        if self.spark.is_none() || std::mem::replace(&mut self.is_spark_warm, true) {
            return;
        }
        for vectors in [true, false] {
            let contestant = Contestant::Spark { vectors };
            let table = self.copy(runtime, target, contestant);
            let run = self.run(contestant, target, &table, batch);
            eprintln!("{} warms up: {:.3} s", contestant.name(), run.seconds);
            folders::remove(&table);
        }
    }

    /// A copy in a folder that had none before: Spark remembers tables by their folder.
    fn copy(&mut self, runtime: &Runtime, target: &Target, contestant: Contestant) -> PathBuf {
        self.copies += 1;
        let table = target.folder().with_file_name(format!("copy-{}", self.copies));
        runtime.block_on(target.copy(&table, contestant.masks_rows()));
        table
    }

    fn run(&mut self, contestant: Contestant, target: &Target, table: &Path, batch: &Batch) -> Run {
        match contestant {
            Contestant::Native(native) => native.run(target.key, table, batch),
            Contestant::DuckDb => python::rewrite("duckdb", target.key, table, batch),
            Contestant::PyArrow => python::rewrite("pyarrow", target.key, table, batch),
            Contestant::Keys => python::rewrite("keys", target.key, table, batch),
            Contestant::Spark { .. } => {
                let spark = self.spark.as_mut().expect("it takes part");
                spark.merge(target.key, table, batch)
            }
        }
    }
}
