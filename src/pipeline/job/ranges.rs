//! Cuts the keys of a round into ranges of about equal size, by the first key of each block of its
//! runs: those are quantiles of each run.

use crate::pipeline::job::format::{Block, KeyBytes, ReduceTask, Run, RunPart};

/// The tasks that reduce these runs, one for each range, in key order. `range_rows` is about how many
/// changes a range has, and `range_bytes` how many bytes of them.
pub(super) fn ranges(
    runs: &[&Run],
    is_load: bool,
    range_rows: u64,
    range_bytes: u64,
) -> Vec<ReduceTask> {
    let mut blocks: Vec<&Block> = runs.iter().flat_map(|run| &run.blocks).collect();
    blocks.sort_by(|a, b| a.first.0.cmp(&b.first.0));
    let mut bounds: Vec<KeyBytes> = Vec::new();
    let (mut rows, mut bytes) = (0, 0);
    for block in &blocks {
        let is_full = rows >= range_rows || bytes >= range_bytes;
        let least = bounds.last().or(blocks.first().map(|first| &first.first));
        if is_full && least.is_some_and(|least| least.0 < block.first.0) {
            bounds.push(block.first.clone());
            (rows, bytes) = (0, 0);
        }
        rows += block.segment.rows;
        bytes += block.decoded;
    }
    let from = std::iter::once(None).chain(bounds.iter().cloned().map(Some));
    let below = bounds.iter().cloned().map(Some).chain([None]);
    let task = |(from, below): (Option<KeyBytes>, Option<KeyBytes>)| {
        let parts = runs.iter().filter_map(|run| part(run, from.as_ref(), below.as_ref()));
        let runs = parts.collect();
        ReduceTask { from, below, runs, is_load }
    };
    from.zip(below).map(task).collect()
}

/// The blocks of a run that may hold keys of a range.
fn part(run: &Run, from: Option<&KeyBytes>, below: Option<&KeyBytes>) -> Option<RunPart> {
    let begins = |block: &Block| from.is_none_or(|from| block.first.0 <= from.0);
    // The last block that begins at or before the range may reach into it.
    let first = run.blocks.partition_point(begins).saturating_sub(1);
    let first = if from.is_none() { 0 } else { first };
    let end = below.map_or(run.blocks.len(), |below| {
        run.blocks.partition_point(|block| block.first.0 < below.0)
    });
    let blocks: Vec<_> = run.blocks.get(first..end)?.iter().map(|block| block.segment).collect();
    (!blocks.is_empty()).then(|| RunPart { object: run.object.clone(), blocks })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::job::scratch::Segment;

    fn run(object: &str, firsts: &[u8]) -> Run {
        let block = |(at, first): (usize, &u8)| Block {
            first: KeyBytes(vec![*first]),
            segment: Segment { at: at as u64, bytes: 1, rows: 10 },
            decoded: 10,
        };
        Run { object: object.to_owned(), blocks: firsts.iter().enumerate().map(block).collect() }
    }

    /// For each task, its bounds and the blocks that it reads of each run.
    fn shown(tasks: &[ReduceTask]) -> Vec<String> {
        let bound =
            |key: &Option<KeyBytes>| key.as_ref().map_or("-".into(), |k| k.0[0].to_string());
        let parts = |task: &ReduceTask| {
            let part = |part: &RunPart| {
                let blocks = part.blocks.iter().map(|block| block.at.to_string());
                format!(" {}{}", part.object, blocks.collect::<String>())
            };
            task.runs.iter().map(part).collect::<String>()
        };
        let line = |task| {
            let ReduceTask { from, below, .. }: &ReduceTask = task;
            format!("{}..{}{}", bound(from), bound(below), parts(task))
        };
        tasks.iter().map(line).collect()
    }

    #[test]
    fn every_key_is_in_one_range_and_every_block_that_may_hold_it_is_read() {
        let (a, b) = (run("a", &[1, 5, 9]), run("b", &[3, 5, 7]));
        let tasks = ranges(&[&a, &b], false, 20, 1000);
        assert_eq!(shown(&tasks), ["-..5 a0 b0", "5..7 a1 b1", "7..- a12 b2"]);
        assert_eq!(shown(&ranges(&[&a, &b], false, 1000, 1000)), ["-..- a012 b012"]);
    }

    #[test]
    fn blocks_that_begin_with_one_key_are_never_cut_apart() {
        let (a, b) = (run("a", &[4]), run("b", &[4]));
        assert_eq!(shown(&ranges(&[&a, &b], false, 1, 1)), ["-..- a0 b0"]);
        assert_eq!(ranges(&[], false, 1, 1).len(), 1);
    }
}
