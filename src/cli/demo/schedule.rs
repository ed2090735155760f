//! When doorbells are sent, as S3 would: most of them at once, some twice, some after those of
//! later objects.

use std::collections::VecDeque;

use object_store::path::Path;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

const SEED: u64 = 7;
/// How many more objects are staged before a late doorbell is sent.
const LATE_BY: usize = 4;

/// The doorbells that were sent, and those that are still to be sent.
#[derive(Debug)]
pub(super) struct Doorbells {
    random: StdRng,
    /// Late doorbells, each with the number of objects that it still waits for.
    late: VecDeque<(usize, Path)>,
    sent: u64,
    twice: u64,
    late_count: u64,
}

impl Default for Doorbells {
    fn default() -> Self {
        let random = StdRng::seed_from_u64(SEED);
        Self { random, late: VecDeque::new(), sent: 0, twice: 0, late_count: 0 }
    }
}

impl Doorbells {
    /// The doorbells of the full load. The last object's is first, to show that the order does not
    /// matter.
    pub(super) fn of_full_load(&mut self, keys: &[Path]) -> Vec<Path> {
        self.late_count += keys.len() as u64 - 1;
        self.count(keys.iter().rev().cloned().collect())
    }

    /// The doorbells that are due when this change object is staged.
    pub(super) fn of_changes(&mut self, key: Path) -> Vec<Path> {
        let mut due = Vec::new();
        for (waits, _) in &mut self.late {
            *waits -= 1;
        }
        match self.random.random_range(0..12) {
            0..3 => {
                self.late_count += 1;
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

    /// The doorbells that are still due when everything is staged.
    pub(super) fn left_over(&mut self) -> Vec<Path> {
        let left = self.late.drain(..).map(|(_, key)| key).collect();
        self.count(left)
    }

    /// The number of doorbells sent.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// The number of objects whose doorbell was sent twice.
    pub(super) fn twice(&self) -> u64 {
        self.twice
    }

    /// The number of objects whose doorbell was sent after that of a later object.
    pub(super) fn late(&self) -> u64 {
        self.late_count
    }

    fn count(&mut self, due: Vec<Path>) -> Vec<Path> {
        self.sent += due.len() as u64;
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_object_gets_its_doorbell_and_late_ones_come_after_four_more() {
        let mut doorbells = Doorbells::default();
        let objects: Vec<Path> = (0..50).map(|number| Path::from(format!("{number:02}"))).collect();
        let mut sent: Vec<Path> = Vec::new();
        for (number, object) in objects.iter().enumerate() {
            for key in doorbells.of_changes(object.clone()) {
                let late_by = number - objects.iter().position(|it| *it == key).expect("staged");
                assert!(late_by == 0 || late_by == LATE_BY);
                sent.push(key);
            }
        }
        sent.extend(doorbells.left_over());
        assert!(objects.iter().all(|object| sent.contains(object)));
        assert_eq!(sent.len() as u64, 50 + doorbells.twice());
        assert!(doorbells.twice() > 2 && doorbells.late() > 2);
    }
}
