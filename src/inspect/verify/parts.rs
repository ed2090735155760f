//! Parts of a table, in which rows are counted and their digests added up.

use serde::{Deserialize, Serialize};

use crate::inspect::verify::encode::{Digest, Key};

/// How rows are divided.
#[derive(Clone, Debug)]
pub(super) enum Parts {
    /// By ranges of keys: the greatest key of each, in ascending order. Behind the last range is one
    /// that has no end.
    Ranges(Vec<Key>),
    /// By a hash of the key, into so many groups.
    Groups(usize),
}

impl Parts {
    /// How many parts there are.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Ranges(ends) => ends.len() + 1,
            Self::Groups(groups) => *groups,
        }
    }

    /// The part of a key.
    pub(super) fn of(&self, key: &[u8]) -> usize {
        match self {
            Self::Ranges(ends) => ends.partition_point(|end| &**end < key),
            Self::Groups(groups) => {
                let hash = blake3::hash(key);
                let mut first = [0; 8];
                first.copy_from_slice(&hash.as_bytes()[..8]);
                let group = u64::from_le_bytes(first) % (*groups as u64).max(1);
                usize::try_from(group).unwrap_or_default()
            }
        }
    }
}

/// How many rows a part has, and the sum of their digests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tally {
    /// Rows.
    pub(super) rows: u64,
    /// The sum of their digests, which does not depend on their order.
    pub(super) sum: Digest,
}

impl Tally {
    /// Takes in a row.
    pub(super) fn add(&mut self, digest: Digest) {
        self.rows += 1;
        self.sum = self.sum.wrapping_add(digest);
    }

    /// Takes in what another has taken in.
    pub(super) fn merge(&mut self, other: Self) {
        self.rows += other.rows;
        self.sum = self.sum.wrapping_add(other.sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_belongs_to_the_range_whose_end_is_not_below_it() {
        let key = |byte: u8| Key::from([byte]);
        let parts = Parts::Ranges(vec![key(3), key(7)]);
        let found: Vec<usize> = [0, 3, 4, 7, 8].iter().map(|byte| parts.of(&[*byte])).collect();
        assert_eq!((found, parts.len()), (vec![0, 0, 1, 1, 2], 3));
    }

    #[test]
    fn every_key_has_one_group() {
        let parts = Parts::Groups(5);
        let mut sizes = [0; 5];
        (0..500_u32).for_each(|key| sizes[parts.of(&key.to_be_bytes())] += 1);
        assert!(sizes.iter().all(|size| (50..200).contains(size)), "{sizes:?}");
    }
}
