//! Detects two tasks that write the same table: the change sequences of their objects alternate.
//!
//! After a resume, DMS goes back once, to its own recovery point, and continues from there. If two
//! tasks write into the same folder, every other object goes back behind its predecessor and
//! continues where its own task left off, after the object before that.

use serde::{Deserialize, Serialize};

/// This many alternations in a row cannot be resumes: each resume would have repeated only the last
/// object.
const MOST_TURNS: u8 = 6;

/// The last change sequences of the last two objects, and how often objects alternated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turns {
    newest: String,
    #[serde(skip_serializing_if = "String::is_empty", default)]
    before: String,
    taken: u8,
    /// Whether the newest object continued after the one before it.
    has_risen: bool,
}

impl Turns {
    /// Records the first and the last change sequence of the next object.
    pub(super) fn follow(&mut self, first: &str, last: &str) {
        let rises = first > self.newest.as_str();
        let goes_on_behind_the_other = !self.before.is_empty() && first > self.before.as_str();
        if rises && self.has_risen || !rises && !goes_on_behind_the_other {
            self.taken = 0;
        } else if !rises {
            self.taken = self.taken.saturating_add(1);
        }
        self.has_risen = rises;
        self.before = std::mem::replace(&mut self.newest, last.to_owned());
    }

    /// Extends the newest object up to this change sequence.
    pub(super) fn extend(&mut self, last: &str) {
        last.clone_into(&mut self.newest);
    }

    /// Whether objects alternated more often than resumes of one task could explain.
    #[must_use]
    pub fn are_of_two_tasks(&self) -> bool {
        self.taken > MOST_TURNS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(objects: impl IntoIterator<Item = (u32, u32)>) -> Turns {
        let mut turns = Turns::default();
        for (first, last) in objects {
            turns.follow(&format!("{first:05}"), &format!("{last:05}"));
        }
        turns
    }

    #[test]
    fn two_tasks_are_found_wherever_they_cut_their_objects() {
        for shift in [0, 1, 5, 9] {
            let both = (0..8).flat_map(|at| {
                let (first, last) = (10 * at + 1, 10 * at + 10);
                [(first, last), (first + shift, last + shift)]
            });
            assert!(after(both).are_of_two_tasks(), "shifted by {shift}");
        }
    }

    #[test]
    fn one_task_may_resume_again_and_again() {
        let rising = (0..50).map(|at| (10 * at + 1, 10 * at + 10));
        assert!(!after(rising.clone()).are_of_two_tasks());
        // Goes back by three objects, ten times.
        let deep = (0..10).flat_map(|round| {
            (0..6).map(move |at| (30 * round + 10 * at + 1, 30 * round + 10 * at + 10))
        });
        assert!(!after(deep).are_of_two_tasks());
        // Repeats the last object, but not every time.
        let shallow =
            rising.enumerate().flat_map(|(at, object)| vec![object; 1 + usize::from(at % 3 == 0)]);
        assert!(!after(shallow).are_of_two_tasks());
    }
}
