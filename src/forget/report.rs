//! What is found of forgotten keys, what was done, and what is out of reach.

use serde::Serialize;

use crate::forget::counts;
use crate::forget::erase::Erased;
use crate::forget::staged::StagedRows;
use crate::forget::survey::{Place, Survey};

/// What becomes, or would become, of the rows of keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Forgotten {
    /// The name and the version of this schema: `forget/1`.
    pub schema: &'static str,
    /// `schema.table`
    pub table: String,
    /// How many keys were asked for, each counted once.
    pub keys: u64,
    /// The newest version that was searched last.
    pub version: u64,
    /// What was found at first.
    pub found: Found,
    /// What was done; none of a plan.
    pub done: Option<Done>,
    /// The search of all files after it; none of a plan.
    pub proof: Option<Proof>,
    /// Staged objects that hold changes of the keys.
    pub staged: StagedRows,
    /// What is out of reach, and what to do about it.
    pub beyond: Vec<Beyond>,
}

/// What holds rows of the keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Found {
    /// Rows of the newest version.
    pub rows: u64,
    /// Files of the newest version that hold rows of the keys, masked ones too.
    pub current_files: u64,
    /// Files of older versions alone.
    pub older_files: u64,
    /// Files of the change data feed.
    pub change_files: u64,
    /// Files that no version names.
    pub unnamed_files: u64,
    /// Bytes of all these files.
    pub bytes: u64,
    /// Versions that can be opened and show a row of the keys.
    pub versions: u64,
    /// Files that no longer exist, or that no entry names, and whose statistics in the
    /// log may tell of the keys.
    pub gone_files: u64,
    /// Commits whose description has a condition with a key.
    pub conditions: u64,
    /// Rows of the keys that are in quarantine, or were in a version of it that is kept.
    pub quarantined_rows: u64,
    /// Objects that jobs, rebuilds and writers that died have left, which are deleted unread.
    pub left_objects: u64,
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Done {
    /// The version whose commit tells of it; none if no version held the keys.
    pub version: Option<u64>,
    /// Rows that the newest version no longer has.
    pub rows_deleted: u64,
    /// Files that were written in the place of others.
    pub files_written: u64,
    /// Their bytes.
    pub bytes_written: u64,
    /// Files that were deleted.
    pub files_deleted: u64,
    /// Commits of the log that name other files now.
    pub commits_amended: u64,
    /// Checkpoints that do.
    pub checkpoints_amended: u64,
    /// Rows that were given up in quarantine, or taken out of its older versions.
    pub quarantined_rows: u64,
}

/// The last search: of every file of the table and its quarantine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// Files that were opened: all that there are.
    pub files_searched: u64,
    /// Files that hold rows of the keys.
    pub files_found: u64,
    /// Rows of the keys that stay in quarantine, because others hold the table.
    pub quarantined_rows: u64,
}

/// Something that forgetting does not reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Beyond {
    /// What.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl Forgotten {
    /// Whether a search of all files has shown that the keys are gone from all of them.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        self.proof.is_some_and(|proof| proof.files_found + proof.quarantined_rows == 0)
    }

    /// Whether anything of the table or its quarantine holds the keys.
    #[must_use]
    pub fn has_found(&self) -> bool {
        let Found { bytes, gone_files, conditions, quarantined_rows, left_objects, .. } =
            self.found;
        bytes + gone_files + conditions + quarantined_rows + left_objects > 0
    }
}

impl Found {
    /// What a search has found; `quarantined_rows` are looked for elsewhere.
    pub(super) fn of(survey: &Survey, rows: u64) -> Self {
        let files = |place: Place| survey.at(place).count() as u64;
        let held = survey.held.iter().map(|file| file.add.size.unsigned_abs());
        let left = survey.leftovers.iter().map(|left| left.meta.size);
        Self {
            rows,
            current_files: files(Place::Current),
            older_files: files(Place::Retained),
            change_files: files(Place::Changes),
            unnamed_files: survey.leftovers.len() as u64,
            bytes: held.chain(left).sum(),
            versions: counts::versions(&survey.log, &survey.held),
            gone_files: survey.gone.len() as u64,
            conditions: survey.log.told,
            quarantined_rows: 0,
            left_objects: 0,
        }
    }
}

impl Done {
    /// Takes in what was done to a table.
    pub(super) fn take(&mut self, erased: &Erased) {
        self.files_written += erased.files_written;
        self.bytes_written += erased.bytes_written;
        self.files_deleted += erased.files_deleted;
        self.commits_amended += erased.commits;
        self.checkpoints_amended += erased.checkpoints;
    }
}

impl Proof {
    /// Takes in a search.
    pub(super) fn take(&mut self, survey: &Survey) {
        self.files_searched += survey.searched;
        self.files_found += (survey.held.len() + survey.leftovers.len()) as u64;
    }
}
