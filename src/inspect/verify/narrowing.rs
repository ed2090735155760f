//! From parts that differ to the keys that do.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::error::Result;
use crate::inspect::verify::counting;
use crate::inspect::verify::encode::{Digest, Encoder, Key};
use crate::inspect::verify::lake;
use crate::inspect::verify::observer::Observer;
use crate::inspect::verify::pages::Pages;
use crate::inspect::verify::parts::{Parts, Tally};
use crate::inspect::verify::saved::Counted;
use crate::limits::Stop;
use crate::table::LakeTable;

/// At most so many rows are looked at one by one. Where more differ, a person needs no list.
const MOST_ROWS: u64 = 200_000;

/// The parts that differ.
pub(super) struct DifferingParts {
    /// Those that are narrowed.
    pub(super) narrowed: Vec<usize>,
    /// How many more there are.
    pub(super) beyond: u64,
}

impl DifferingParts {
    /// Compares rows and digests of each part.
    pub(super) fn of(source: &[Tally], lake: &[Tally]) -> Self {
        let (mut narrowed, mut beyond, mut rows) = (Vec::new(), 0, 0);
        let nothing = Tally::default();
        for (part, in_lake) in lake.iter().enumerate() {
            let at_source = source.get(part).unwrap_or(&nothing);
            if at_source == in_lake {
                continue;
            }
            let most = at_source.rows.max(in_lake.rows);
            if rows + most <= MOST_ROWS {
                narrowed.push(part);
                rows += most;
            } else {
                beyond += 1;
            }
        }
        Self { narrowed, beyond }
    }
}

/// What both sides have of a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sides {
    pub(super) source: Option<Digest>,
    pub(super) lake: Vec<Digest>,
}

impl Sides {
    /// Whether both sides have the same.
    pub(super) fn are_equal(&self) -> bool {
        match (&self.source, self.lake.as_slice()) {
            (None, []) => true,
            (Some(source), [lake]) => source == lake,
            _ => false,
        }
    }
}

/// The keys of these parts that differ.
///
/// # Errors
/// Those of reading either side.
pub(super) async fn differing_keys(
    pages: &mut Pages<'_, '_>,
    table: &LakeTable,
    encoder: &Arc<Encoder>,
    counted: &Counted,
    narrowed: &[usize],
    observer: &dyn Observer,
    stop: &Stop,
) -> Result<Vec<(Key, Sides)>> {
    if narrowed.is_empty() {
        return Ok(Vec::new());
    }
    let parts = Arc::new(counted.parts());
    let wanted: Arc<HashSet<usize>> = Arc::new(narrowed.iter().copied().collect());
    let in_lake = lake::rows_of_parts(table, encoder, &parts, &wanted, observer).await?;
    let mut keys: HashMap<Key, Sides> = HashMap::new();
    for (key, digest) in in_lake {
        keys.entry(key).or_default().lake.push(digest);
    }
    let at_source = match &*parts {
        Parts::Groups(_) => {
            let is_wanted = |key: &[u8]| wanted.contains(&parts.of(key));
            counting::rows(pages, encoder, None, None, is_wanted, stop).await?
        }
        Parts::Ranges(_) => {
            let mut found = Vec::new();
            for part in narrowed {
                let after = part.checked_sub(1).and_then(|before| counted.sql_ends.get(before));
                let until = counted.sql_ends.get(*part);
                found.extend(counting::rows(pages, encoder, after, until, |_| true, stop).await?);
            }
            found
        }
    };
    for (key, digest) in at_source {
        keys.entry(key).or_default().source = Some(digest);
    }
    let mut differing: Vec<(Key, Sides)> =
        keys.into_iter().filter(|(_, sides)| !sides.are_equal()).collect();
    differing.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    Ok(differing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_differ_are_narrowed_as_far_as_rows_can_be_listed() {
        let tally = |rows, sum| Tally { rows, sum };
        let source = [tally(1, 1), tally(150_000, 2), tally(100_000, 3), tally(10, 4)];
        let lake = [tally(1, 1), tally(150_000, 9), tally(100_001, 3), tally(9, 4), tally(1, 1)];
        let found = DifferingParts::of(&source, &lake);
        assert_eq!((found.narrowed, found.beyond), (vec![1, 3, 4], 1));
    }

    #[test]
    fn a_key_that_the_lake_has_twice_differs() {
        let sides = |source, lake: &[Digest]| Sides { source, lake: lake.to_vec() };
        assert!(sides(None, &[]).are_equal() && sides(Some(5), &[5]).are_equal());
        for (source, lake) in
            [(None, &[5][..]), (Some(5), &[]), (Some(5), &[6]), (Some(5), &[5, 5])]
        {
            assert!(!sides(source, lake).are_equal(), "{source:?} {lake:?}");
        }
    }
}
