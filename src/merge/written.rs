//! Data files that a commit wrote before it lost a race.

use crate::files::{Rewritten, TouchedFile};

/// Replacements of touched files that are already in the store, although no commit refers to them.
/// A new plan for the same net changes reuses a replacement if the replaced file and its changes
/// are still the same.
#[derive(Clone, Debug, Default)]
pub struct WrittenFiles(Vec<(TouchedFile, Rewritten)>);

impl WrittenFiles {
    pub(super) fn new(replaced: Vec<(TouchedFile, Rewritten)>) -> Self {
        Self(replaced)
    }

    /// The replacement that was written for this file.
    pub(super) fn instead_of(&self, file: &TouchedFile) -> Option<&Rewritten> {
        let is_same = |other: &TouchedFile| {
            other.add.path == file.add.path
                && other.add.deletion_vector == file.add.deletion_vector
                && other.matches == file.matches
        };
        self.0.iter().find(|(other, _)| is_same(other)).map(|(_, rewritten)| rewritten)
    }
}
