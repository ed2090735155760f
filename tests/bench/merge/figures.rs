//! What was measured, what it is measured against, and what was aimed at.

use crate::child::Run;
use crate::merge::LARGER;
use crate::merge::changes::Spread;
use crate::merge::contestant::{Contestant, Native};
use crate::merge::orders::Key;
use crate::report::{Aim, Report, Wanted, median, megabytes};

const PART: &str = "merge";
const VECTORS: Contestant = Contestant::Native(Native::Vectors);
const COPY_ON_WRITE: Contestant = Contestant::Native(Native::CopyOnWrite);
const MERGE_BUILDER: Contestant = Contestant::Native(Native::MergeBuilder);

/// Runs of one contestant with one batch.
pub(super) struct Figure {
    rows: u64,
    key: Key,
    changes: u64,
    spread: Spread,
    contestant: Contestant,
    seconds: Vec<f64>,
    /// In KiB.
    peak: u64,
}

impl Figure {
    pub(super) fn of(
        rows: u64,
        key: Key,
        changes: u64,
        spread: Spread,
        contestant: Contestant,
        runs: &[Run],
    ) -> Self {
        let seconds = runs.iter().map(|run| run.seconds).collect();
        let peak = runs.iter().map(|run| run.peak).max().unwrap_or_default();
        Self { rows, key, changes, spread, contestant, seconds, peak }
    }

    fn median(&self) -> f64 {
        median(&self.seconds)
    }

    fn case(&self) -> String {
        case_name(self.rows, self.key, self.changes, self.spread)
    }
}

/// Such as `10M-integer-10k-random`.
pub(super) fn case_name(rows: u64, key: Key, changes: u64, spread: Spread) -> String {
    let short = |count: u64| match count {
        1_000_000.. if count.is_multiple_of(1_000_000) => format!("{}M", count / 1_000_000),
        1000.. if count.is_multiple_of(1000) => format!("{}k", count / 1000),
        _ => count.to_string(),
    };
    format!("{}-{}-{}-{}", short(rows), key.name(), short(changes), spread.name())
}

/// All figures, in the order in which they were measured.
#[derive(Default)]
pub(super) struct Figures(Vec<Figure>);

impl Figures {
    pub(super) fn add(&mut self, figure: Figure) {
        self.0.push(figure);
    }

    /// The figures with their ratios, and the aims that they were measured for.
    pub(super) fn print(&self, base_rows: u64, report: &mut Report) {
        for figure in &self.0 {
            let spread: Vec<String> =
                figure.seconds.iter().map(|each| format!("{each:.2}")).collect();
            report.line(
                &format!("{}: {}", figure.case(), figure.contestant.name()),
                &format!("{:.3} s", figure.median()),
                &megabytes(figure.peak),
                &format!("{} s{}", spread.join(" "), self.ratios(figure)),
                PART,
            );
        }
        for aim in self.aims(base_rows) {
            report.aim(&aim);
        }
    }

    /// How a figure of dmslake stands against the others with the same batch.
    fn ratios(&self, figure: &Figure) -> String {
        if ![VECTORS, COPY_ON_WRITE].contains(&figure.contestant) {
            return String::new();
        }
        let spark = Contestant::Spark { vectors: figure.contestant == VECTORS };
        // What a merge cannot do without: reading and writing the files, or reading their keys.
        let least = match figure.contestant {
            VECTORS => ("pyarrow reads the keys", Contestant::Keys),
            _ => ("pyarrow reads and writes", Contestant::PyArrow),
        };
        let others = [("MergeBuilder", MERGE_BUILDER), ("Spark", spark), least];
        let mut ratios = Vec::new();
        for (name, contestant) in others {
            if let Some(other) = self.beside(figure, contestant) {
                let faster = other.median() / figure.median();
                ratios.push(format!("; {faster:.2} x as fast as {name}"));
            }
        }
        if let Some(other) = self.beside(figure, MERGE_BUILDER) {
            let share = figure.peak as f64 / other.peak as f64;
            ratios.push(format!("; {share:.2} of MergeBuilder's memory"));
        }
        ratios.concat()
    }

    /// Another contestant's figure with the same batch.
    fn beside(&self, figure: &Figure, contestant: Contestant) -> Option<&Figure> {
        self.find(contestant, figure.rows, figure.key, figure.changes, figure.spread)
    }

    fn find(
        &self,
        contestant: Contestant,
        rows: u64,
        key: Key,
        changes: u64,
        spread: Spread,
    ) -> Option<&Figure> {
        self.0.iter().find(|figure| {
            figure.contestant == contestant
                && (figure.rows, figure.key, figure.changes) == (rows, key, changes)
                && figure.spread == spread
        })
    }

    fn aims(&self, base_rows: u64) -> Vec<Aim> {
        let find = |contestant, rows, spread| {
            self.find(contestant, rows, Key::Integer, base_rows / 1000, spread)
        };
        let mut aims = Vec::new();
        for ours in [VECTORS, COPY_ON_WRITE] {
            let is_vectors = ours == VECTORS;
            let mut aim = |what: &str, wanted: Wanted, found: Option<f64>| {
                let what = format!("{}: {what}", ours.name());
                aims.extend(found.map(|found| Aim { what, wanted, found }));
            };
            let against = |other: Contestant, spread, ratio: fn(&Figure, &Figure) -> f64| {
                Some(ratio(find(ours, base_rows, spread)?, find(other, base_rows, spread)?))
            };
            let faster = |ours: &Figure, other: &Figure| other.median() / ours.median();
            let slower = |ours: &Figure, other: &Figure| ours.median() / other.median();
            let memory = |ours: &Figure, other: &Figure| ours.peak as f64 / other.peak as f64;

            aim(
                "10 k random keys, times as fast as MergeBuilder",
                Wanted::AtLeast(if is_vectors { 40.0 } else { 1.2 }),
                against(MERGE_BUILDER, Spread::Random, faster),
            );
            aim(
                "10 k random keys, memory of MergeBuilder's",
                Wanted::AtMost(0.25),
                against(MERGE_BUILDER, Spread::Random, memory),
            );
            if !is_vectors {
                aim(
                    "10 k random keys, time of pyarrow's to read and write those files",
                    Wanted::AtMost(1.2),
                    against(Contestant::PyArrow, Spread::Random, slower),
                );
            }
            aim(
                "10 k recent keys, times as fast as MergeBuilder",
                Wanted::AtLeast(if is_vectors { 4.0 } else { 3.0 }),
                against(MERGE_BUILDER, Spread::Recent, faster),
            );
            let spark = Contestant::Spark { vectors: is_vectors };
            let against_spark = self.0.iter().filter(|figure| figure.contestant == ours);
            let against_spark =
                against_spark.filter_map(|ours| Some(faster(ours, self.beside(ours, spark)?)));
            aim(
                "the worst of all batches, times as fast as Spark",
                Wanted::AtLeast(if is_vectors { 50.0 } else { 5.0 }),
                against_spark.min_by(f64::total_cmp),
            );
            let larger = find(ours, base_rows * LARGER, Spread::Random);
            let grown = |ratio: fn(&Figure, &Figure) -> f64| {
                Some(ratio(larger?, find(ours, base_rows, Spread::Random)?))
            };
            aim(
                "10 k random keys, time on the table of five times the rows",
                Wanted::AtMost(5.5),
                grown(slower),
            );
            aim(
                "10 k random keys, memory on the table of five times the rows",
                Wanted::AtMost(1.2),
                grown(memory),
            );
        }
        aims
    }
}
