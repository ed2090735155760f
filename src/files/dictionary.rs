//! Which columns get a dictionary.

use arrow::array::{Array as _, ArrayRef};
use datafusion::common::hash_utils::{RandomState, create_hashes};

/// Values that are looked at: blocks of neighbours, which show runs, spread over the rows, which
/// shows what recurs further apart.
const BLOCKS: usize = 8;
const BLOCK_ROWS: usize = 512;

/// One value of so many must recur among those looked at. Values of four bytes that recur more
/// rarely than that take more room as a dictionary and places in it than they take plainly; of
/// longer values a dictionary would save little, and it has to be built to find that out.
const ONE_RECURS_OF: usize = 32;

/// Whether a dictionary makes values like these smaller. Told from a sample of them, the same for
/// the same values.
pub(super) fn pays(array: &ArrayRef) -> bool {
    let mut hashes = Vec::with_capacity(BLOCKS * BLOCK_ROWS);
    let stride = (array.len() / BLOCKS).max(BLOCK_ROWS);
    for first in (0..array.len()).step_by(stride).take(BLOCKS) {
        let block = array.slice(first, BLOCK_ROWS.min(array.len() - first));
        let mut of_block = [0; BLOCK_ROWS];
        let Ok(of_block) =
            create_hashes([&block], &RandomState::default(), &mut of_block[..block.len()])
        else {
            // Values that cannot be told apart here: the encoder finds out by itself.
            return true;
        };
        let valid = of_block.iter().enumerate().filter(|(row, _)| block.is_valid(*row));
        hashes.extend(valid.map(|(_, hash)| *hash));
    }
    let count = hashes.len();
    hashes.sort_unstable();
    hashes.dedup();
    count - hashes.len() > count / ONE_RECURS_OF
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int32Array, StringArray, new_null_array};
    use arrow::datatypes::DataType;
    use rand::rngs::StdRng;
    use rand::{Rng as _, SeedableRng as _};

    use super::*;

    const ROWS: i32 = 32 << 10;

    fn below(domain: i32) -> ArrayRef {
        let mut rng = StdRng::seed_from_u64(7);
        Arc::new((0..ROWS).map(|_| rng.random_range(0..domain)).collect::<Int32Array>())
    }

    #[test]
    fn values_that_recur_get_one() {
        let states = ["new", "paid", "sent"].into_iter().cycle().take(5_000).map(Some);
        assert!(pays(&(Arc::new(states.collect::<StringArray>()) as ArrayRef)));
        assert!(pays(&below(20_000)));
    }

    #[test]
    fn neighbours_that_are_alike_get_one() {
        let runs = (0..ROWS).map(|row| row / 3);
        assert!(pays(&(Arc::new(runs.collect::<Int32Array>()) as ArrayRef)));
    }

    #[test]
    fn values_of_their_own_get_none() {
        assert!(!pays(&(Arc::new((0..ROWS).collect::<Int32Array>()) as ArrayRef)));
        assert!(!pays(&below(300_000)));
        assert!(!pays(&new_null_array(&DataType::Utf8, 5_000)));
        assert!(!pays(&(Arc::new(StringArray::from(vec!["a", "b"])) as ArrayRef)));
        assert!(!pays(&(Arc::new(Int32Array::from(Vec::<i32>::new())) as ArrayRef)));
    }
}
