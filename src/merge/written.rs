//! Data files that a commit had written before it lost its race.

use crate::files::{Rewritten, TouchedFile};

/// The replacements of touched files that stand in the store already, though no commit refers to
/// them. They serve the plan that is made anew for the same net changes, wherever the file that
/// they replace and its changes are what they were.
#[derive(Clone, Debug, Default)]
pub struct WrittenFiles(Vec<(TouchedFile, Rewritten)>);

impl WrittenFiles {
    pub(super) fn new(replaced: Vec<(TouchedFile, Rewritten)>) -> Self {
        Self(replaced)
    }

    /// What was written in the place of this file.
    pub(super) fn instead_of(&self, file: &TouchedFile) -> Option<&Rewritten> {
        let is_same = |other: &TouchedFile| {
            other.add.path == file.add.path
                && other.add.deletion_vector == file.add.deletion_vector
                && other.matches == file.matches
        };
        self.0.iter().find(|(other, _)| is_same(other)).map(|(_, rewritten)| rewritten)
    }
}
