//! Decides which columns get a dictionary.

use arrow::array::{Array as _, ArrayRef};
use datafusion::common::hash_utils::{RandomState, create_hashes};

/// The sample: blocks of adjacent values, which reveal runs, spread over all rows, which reveals
/// values that recur further apart.
const BLOCKS: usize = 8;
const BLOCK_ROWS: usize = 512;

/// One in this many sampled values must recur. If four-byte values recur less often, a dictionary
/// takes more space than plain encoding. For longer values it would save little, and building it
/// takes time.
const ONE_RECURS_OF: usize = 32;

/// Whether a dictionary makes these values smaller. Estimated from a sample, deterministically.
pub(super) fn pays(array: &ArrayRef) -> bool {
    let mut hashes = Vec::with_capacity(BLOCKS * BLOCK_ROWS);
    let stride = (array.len() / BLOCKS).max(BLOCK_ROWS);
    for first in (0..array.len()).step_by(stride).take(BLOCKS) {
        let block = array.slice(first, BLOCK_ROWS.min(array.len() - first));
        let mut of_block = [0; BLOCK_ROWS];
        let Ok(of_block) =
            create_hashes([&block], &RandomState::default(), &mut of_block[..block.len()])
        else {
            // These values cannot be compared here, so the encoder decides.
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
