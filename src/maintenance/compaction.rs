//! Which files to rewrite together, so that few files are small and few overlap.
//!
//! A *run* is a set of files no two of which overlap in their keys: what a full load in key order
//! makes, or a compaction. Each commit of random keys adds a run, and a key has to be looked for
//! in all of them. Runs are therefore merged, smallest first, and a larger one is only taken in
//! once the smaller ones together have half its size. So a row is rewritten as often as the
//! logarithm of the table's size says, not with every compaction.

use std::collections::BTreeMap;

use crate::files::FileLayout;
use crate::maintenance::live_file::LiveFile;
use crate::maintenance::policy::{FEWEST_SMALL, MOST_RUNS, RUN_RATIO, SMALL_SHARE};

/// Files of one partition whose live rows become new files, in the order of their keys.
#[derive(Debug)]
pub(super) struct Compaction {
    pub(super) files: Vec<LiveFile>,
    pub(super) reason: String,
}

/// The next compaction that pays; none if the files are as they should be. Without keys
/// nothing overlaps in a way that matters: rows are only gathered. Two runs are merged even if
/// they have more than so many bytes; it is for the caller to refuse them.
pub(super) fn choose(
    files: &[LiveFile],
    layout: &FileLayout,
    most_bytes: u64,
) -> Option<Compaction> {
    let mut partitions: BTreeMap<_, Vec<&LiveFile>> = BTreeMap::new();
    for file in files {
        partitions.entry(file.partition()).or_default().push(file);
    }
    partitions.into_values().find_map(|files| {
        let runs = if layout.keys().is_empty() { vec![files] } else { runs(files) };
        overlapping(&runs, most_bytes)
            .or_else(|| runs.iter().find_map(|run| small(run, layout.target_file_size())))
    })
}

/// Divides files into few runs, each in the order of its keys.
fn runs(mut files: Vec<&LiveFile>) -> Vec<Vec<&LiveFile>> {
    // The larger of two that begin alike belongs to the older, larger run.
    files.sort_by(|a, b| a.least().cmp(&b.least()).then(b.bytes.cmp(&a.bytes)));
    let mut runs: Vec<Vec<&LiveFile>> = Vec::new();
    for file in files {
        match runs.iter_mut().find(|run| run.iter().all(|other| !file.overlaps(other))) {
            Some(run) => run.push(file),
            None => runs.push(vec![file]),
        }
    }
    runs
}

/// The runs to merge, if there are too many.
fn overlapping(runs: &[Vec<&LiveFile>], most_bytes: u64) -> Option<Compaction> {
    if runs.len() <= MOST_RUNS {
        return None;
    }
    let mut by_size: Vec<(u64, &Vec<&LiveFile>)> =
        runs.iter().map(|run| (live_bytes(run), run)).collect();
    by_size.sort_by_key(|(bytes, _)| *bytes);
    let mut chosen: Vec<LiveFile> = Vec::new();
    let mut chosen_bytes = 0;
    let mut chosen_runs = 0;
    for (bytes, run) in by_size {
        if chosen_runs > 1 && chosen_bytes + bytes > most_bytes {
            break;
        }
        if chosen_runs > 0 && bytes > RUN_RATIO * chosen_bytes {
            if chosen_runs > 1 {
                break;
            }
            // One small run alone: the next ones may be alike.
            chosen.clear();
            (chosen_bytes, chosen_runs) = (0, 0);
        }
        chosen.extend(run.iter().copied().cloned());
        chosen_bytes += bytes;
        chosen_runs += 1;
    }
    let reason = format!(
        "{} runs of files overlap in their keys, {MOST_RUNS} may: {chosen_runs} merged",
        runs.len()
    );
    (chosen_runs > 1).then_some(Compaction { files: chosen, reason })
}

/// Small neighbours of one run. The largest is at most half of them, so that rows move into
/// files of at least twice the size.
fn small(run: &[&LiveFile], target_file_size: u64) -> Option<Compaction> {
    let is_small = |file: &LiveFile| file.live_bytes() < target_file_size / SMALL_SHARE;
    let neighbours = run.chunk_by(|a, b| is_small(a) == is_small(b));
    for group in neighbours.filter(|group| is_small(group[0])) {
        let mut rest = group;
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = |file: &&&LiveFile| {
                bytes += file.live_bytes();
                bytes <= target_file_size
            };
            let count = rest.iter().take_while(fits).count().max(1);
            let (bin, behind) = rest.split_at(count);
            if bin.len() >= FEWEST_SMALL && largest(bin) * 2 <= live_bytes(bin) {
                let reason = format!(
                    "{} neighbours are smaller than a {SMALL_SHARE}th of the target size",
                    bin.len()
                );
                return Some(Compaction { files: bin.iter().copied().cloned().collect(), reason });
            }
            rest = behind;
        }
    }
    None
}

fn live_bytes(files: &[&LiveFile]) -> u64 {
    files.iter().map(|file| file.live_bytes()).sum()
}

fn largest(files: &[&LiveFile]) -> u64 {
    files.iter().map(|file| file.live_bytes()).max().unwrap_or_default()
}
