//! When doorbells ring: as S3's do, mostly at once, some twice, some after their successors'.

use std::collections::VecDeque;

use object_store::path::Path;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

const SEED: u64 = 7;
/// So many objects are staged and rung for before a late doorbell rings.
const LATE_BY: usize = 4;

/// What has rung, and what is still to ring.
#[derive(Debug)]
pub(super) struct Rings {
    random: StdRng,
    /// Late doorbells, with how many objects each still waits for.
    late: VecDeque<(usize, Path)>,
    rung: u64,
    twice: u64,
    after_successor: u64,
}

impl Default for Rings {
    fn default() -> Self {
        let random = StdRng::seed_from_u64(SEED);
        Self { random, late: VecDeque::new(), rung: 0, twice: 0, after_successor: 0 }
    }
}

impl Rings {
    /// Rings for the full load: the last object first, which shows that it does not matter.
    pub(super) fn of_full_load(&mut self, keys: &[Path]) -> Vec<Path> {
        self.after_successor += keys.len() as u64 - 1;
        self.count(keys.iter().rev().cloned().collect())
    }

    /// Rings that are due when this change object is staged.
    pub(super) fn of_changes(&mut self, key: Path) -> Vec<Path> {
        let mut due = Vec::new();
        for (waits, _) in &mut self.late {
            *waits -= 1;
        }
        match self.random.random_range(0..12) {
            0..3 => {
                self.after_successor += 1;
                self.late.push_back((LATE_BY, key));
            }
            3..5 => {
                self.twice += 1;
                due.extend([key.clone(), key]);
            }
            _ => due.push(key),
        }
        while let Some((0, _)) = self.late.front() {
            due.extend(self.late.pop_front().map(|(_, key)| key));
        }
        self.count(due)
    }

    /// Rings that are still due when everything is staged.
    pub(super) fn left_over(&mut self) -> Vec<Path> {
        let left = self.late.drain(..).map(|(_, key)| key).collect();
        self.count(left)
    }

    /// Doorbells in all.
    pub(super) fn rung(&self) -> u64 {
        self.rung
    }

    /// Objects for which it rang a second time.
    pub(super) fn twice(&self) -> u64 {
        self.twice
    }

    /// Objects for which it rang later than for a successor.
    pub(super) fn after_successor(&self) -> u64 {
        self.after_successor
    }

    fn count(&mut self, due: Vec<Path>) -> Vec<Path> {
        self.rung += due.len() as u64;
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_object_is_rung_for_and_the_late_after_four_more() {
        let mut rings = Rings::default();
        let objects: Vec<Path> = (0..50).map(|number| Path::from(format!("{number:02}"))).collect();
        let mut rung: Vec<Path> = Vec::new();
        for (number, object) in objects.iter().enumerate() {
            for key in rings.of_changes(object.clone()) {
                let late_by = number - objects.iter().position(|it| *it == key).expect("staged");
                assert!(late_by == 0 || late_by == LATE_BY);
                rung.push(key);
            }
        }
        rung.extend(rings.left_over());
        assert!(objects.iter().all(|object| rung.contains(object)));
        assert_eq!(rung.len() as u64, 50 + rings.twice());
        assert!(rings.twice() > 2 && rings.after_successor() > 2);
    }
}
