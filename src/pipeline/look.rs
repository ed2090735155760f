//! A look at a table: what its log and staging show, and what follows. A look changes nothing, so
//! `apply` and read-only callers share the same decision.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use crate::config::LookBack;
use crate::error::{Error, ErrorKind};
use crate::pipeline::rebuild::Rebuilding;
use crate::progress::{Ledger, SeenObject};
use crate::schema::ColumnChange;
use crate::staging::{Listing, StagedObject};
use crate::table::{LakeTable, TableState};

/// What a table's log and its staged objects show.
#[derive(Debug)]
pub struct Look {
    /// The table; none if there is none yet. Its ledger is the one to go on from.
    pub table: Option<LakeTable>,
    /// What is staged for it, as much of it as was asked for.
    pub listing: Listing,
    /// What is known of it beside its log.
    pub state: Option<TableState>,
    /// The rebuild of it that is under way, if one is; what follows is about that.
    pub rebuilding: Option<Rebuilding>,
    /// Change objects from before the full load, which the table begins without.
    pub before_load: u64,
    /// What follows.
    pub standing: Standing,
}

/// What follows from a look.
#[derive(Debug)]
pub enum Standing {
    /// Nothing is to be applied.
    CaughtUp,
    /// These objects are to be applied.
    Apply(Box<Work>),
    /// The table's columns are to be changed first.
    Reshape(Box<Reshaping>),
    /// DMS has loaded the table again, and the new load is complete: the table is to be rebuilt
    /// from it.
    Reload(Box<Reload>),
    /// The table was truncated at the source, and these changes have come since: it is to be
    /// emptied.
    Truncated(Vec<SeenObject>),
    /// The rebuilt table is complete and is to take the table's place.
    Replace,
    /// Nothing may be applied until a person has looked.
    Held(Box<Hold>),
}

impl Standing {
    /// The same for those who wait because of that; where nothing is to be done, or a person has to
    /// look, it is as it was.
    pub(super) fn waits_for(self, cause: Error) -> Self {
        let waiting = match self {
            Self::CaughtUp | Self::Held(_) => return self,
            Self::Apply(work) => work.seen,
            Self::Reshape(reshaping) => reshaping.seen,
            Self::Reload(reload) => reload.objects,
            Self::Truncated(seen) => seen,
            Self::Replace => Vec::new(),
        };
        Self::Held(Box::new(Hold { waiting, ..Hold::new(cause) }))
    }
}

/// A change of columns that is to be made before anything is applied.
#[derive(Debug)]
pub struct Reshaping {
    /// The changes.
    pub changes: Vec<ColumnChange>,
    /// The objects that are to be applied then.
    pub seen: Vec<SeenObject>,
}

/// A new load, and what came after it.
#[derive(Debug)]
pub struct Reload {
    /// When its first object was staged.
    pub begins: DateTime<Utc>,
    /// Its objects and the changes since.
    pub objects: Vec<SeenObject>,
}

/// What is to be applied.
#[derive(Debug)]
pub struct Work {
    /// Whole objects in order of application; of the first one, [`Ledger::partial`] may tell that
    /// some rows are applied already.
    pub objects: Vec<StagedObject>,
    /// What waits to be applied, as it is remembered: these objects first.
    pub seen: Vec<SeenObject>,
    /// Those of them, by their paths below the table's folder, that an operator lets pass although
    /// they exceed a limit of the configuration.
    pub let_pass: BTreeSet<String>,
    /// Those of the objects that are late: they are applied out of their turn, each by itself.
    pub late: Vec<String>,
    /// The progress with which the table begins, if there is no table yet.
    pub beginning: Ledger,
    /// What may leave the ledger's window; none if staging was not listed whole.
    pub bound: Option<LookBack>,
}

/// Why a table is held, and what waits for it.
#[derive(Debug)]
pub struct Hold {
    /// Why, with what a person does about it.
    pub cause: Error,
    /// Objects below the table's progress that were never applied.
    pub late: Vec<SeenObject>,
    /// The objects that wait to be applied, in order of application.
    pub waiting: Vec<SeenObject>,
    /// What is staged of a new load that is not applied yet, and behind it.
    pub reload: Vec<SeenObject>,
    /// Objects that were seen before, and have vanished without having been applied.
    pub vanished: Vec<SeenObject>,
    /// When the oldest object was staged that the hold is about, if it is about any.
    pub since: Option<DateTime<Utc>>,
}

impl Hold {
    /// Whether DMS has loaded the table again.
    #[must_use]
    pub fn is_reload(&self) -> bool {
        self.cause.kind() == ErrorKind::Reload
    }

    /// A hold that is about no object.
    pub(super) fn new(cause: Error) -> Self {
        let none = Vec::new;
        let (late, waiting, reload, vanished) = (none(), none(), none(), none());
        Self { cause, late, waiting, reload, vanished, since: None }
    }
}
