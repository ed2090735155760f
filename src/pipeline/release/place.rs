//! Where a row is in the order of changes.

use crate::dms::{Classified, Phase, classify};
use crate::progress::RowPlace;
use crate::staging::StagedObject;

/// Where a row is in the order of changes: by phase, object and number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    phase: Phase,
    object: String,
    row: u64,
}

impl Place {
    pub(super) fn of(object: &StagedObject, row: u64) -> Self {
        Self { phase: object.name.phase.clone(), object: object.relative.clone(), row }
    }

    /// None if the object's name is none of DMS.
    pub(super) fn parse(place: &RowPlace) -> Option<Self> {
        let Classified::Changes(name) = classify(&place.object) else { return None };
        Some(Self { phase: name.phase, object: place.object.clone(), row: place.row })
    }

    /// Behind all rows of an object; none if its name is none of DMS.
    pub(super) fn end_of(object: &str) -> Option<Self> {
        Self::parse(&RowPlace { object: object.to_owned(), row: u64::MAX })
    }

    pub(super) fn is_of_load(&self) -> bool {
        self.phase.is_full_load()
    }

    /// As ledgers have it.
    pub(super) fn written(&self) -> RowPlace {
        RowPlace { object: self.object.clone(), row: self.row }
    }
}
