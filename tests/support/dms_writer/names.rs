//! Names of staged objects.

use chrono::{DateTime, Duration, TimeDelta, Utc};
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::task::{Endpoint, TableTask};

/// The naming scheme of a table's full-load objects.
#[derive(Clone, Copy, Debug)]
enum LoadSeries {
    Plain,
    Segments,
    Numbered,
    Partitions,
}

/// Names the objects of a table in ascending order.
pub(super) struct Names {
    series: LoadSeries,
    width: usize,
    load: u64,
    /// When the last CDC object was created.
    now: DateTime<Utc>,
    /// The last stamp had nine digits.
    short: bool,
    date_folders: Option<(&'static str, &'static str)>,
    suffixes: &'static [&'static str],
}

impl Names {
    pub(super) fn new(rng: &mut StdRng, endpoint: &Endpoint, task: &TableTask) -> Self {
        let series = [
            LoadSeries::Plain,
            LoadSeries::Plain,
            LoadSeries::Segments,
            LoadSeries::Numbered,
            LoadSeries::Partitions,
        ];
        let start: DateTime<Utc> = "2022-11-29T23:59:58.985Z".parse().expect("a time");
        Self {
            series: *series.choose(rng).expect("a choice"),
            width: *[8, 8, 5].choose(rng).expect("a choice"),
            load: 0,
            now: start,
            short: false,
            date_folders: endpoint.date_folders,
            suffixes: match (task.csv, endpoint.gzip) {
                (true, true) => &[".csv.gz", ".csv"],
                (true, false) => &[".csv"],
                (false, _) => &[".parquet"],
            },
        }
    }

    pub(super) fn next(&mut self, rng: &mut StdRng, load: bool) -> String {
        let suffix = *self.suffixes.choose(rng).expect("a choice");
        let stem = if load { self.next_load() } else { self.next_change(rng) };
        format!("{stem}{suffix}")
    }

    fn next_load(&mut self) -> String {
        // Every series counts from one.
        let (series, counter) = (self.load / 2, 1 + self.load % 2);
        self.load += 1;
        let number = self.load;
        let width = self.width;
        match self.series {
            LoadSeries::Plain => format!("LOAD{number:0width$X}"),
            LoadSeries::Segments => format!("SEGMENT{series}_LOAD{counter:0width$X}"),
            LoadSeries::Numbered => format!("LOAD_{series}_{counter:0width$X}"),
            LoadSeries::Partitions => format!("p{series}/LOAD{counter:0width$X}"),
        }
    }

    fn next_change(&mut self, rng: &mut StdRng) -> String {
        // A stamp of ten digits may follow one of nine in the same millisecond.
        let same_millisecond = self.short && rng.random_bool(0.1);
        if !same_millisecond {
            self.now += match rng.random_range(0..5) {
                0 => Duration::milliseconds(1),
                1 => Duration::hours(9),
                2 => Duration::days(40),
                _ => Duration::milliseconds(rng.random_range(1..90_000)),
            };
        }
        self.short = !same_millisecond && rng.random_bool(0.5);
        let tenth = if self.short { "" } else { "7" };
        let stamp = format!("{}{tenth}", self.now.format("%Y%m%d-%H%M%S%3f"));
        match self.date_folders {
            None => stamp,
            Some((sequence, delimiter)) => {
                // Around midnight the folder may be off by a day.
                let off = if rng.random_bool(0.1) { TimeDelta::days(1) } else { TimeDelta::zero() };
                format!("{}/{stamp}", folder(self.now - off, sequence, delimiter))
            }
        }
    }
}

fn folder(day: DateTime<Utc>, sequence: &str, delimiter: &str) -> String {
    let between = match delimiter {
        "SLASH" => "/",
        "DASH" => "-",
        "UNDERSCORE" => "_",
        _ => "",
    };
    let parts = match sequence {
        "YYYYMMDDHH" => &["%Y", "%m", "%d", "%H"][..],
        "YYYYMM" => &["%Y", "%m"],
        "MMYYYYDD" => &["%m", "%Y", "%d"],
        "DDMMYYYY" => &["%d", "%m", "%Y"],
        _ => &["%Y", "%m", "%d"],
    };
    day.format(&parts.join(between)).to_string()
}
