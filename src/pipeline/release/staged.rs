//! What is staged now of the objects whose rows are in quarantine, and what comes after them.

use std::collections::HashMap;

use crate::config::TableSpec;
use crate::decode::DecodeContext;
use crate::error::Result;
use crate::pipeline::Pipeline;
use crate::progress::{Mark, taken_in};
use crate::schema::TableSchema;
use crate::staging::{Identify, Identity, Listing, StagedObject, list_everything};
use crate::storage::Location;
use crate::table::LakeTable;

const MEMORY: usize = 256 << 20;

/// The staging folder of a table, as it was listed.
pub(super) struct Staged<'a> {
    pub(super) pipeline: &'a Pipeline,
    pub(super) spec: &'a TableSpec,
    pub(super) folder: Location,
    pub(super) listing: Listing,
    identify: Identify,
    identities: HashMap<String, Identity>,
}

/// An object that the table has taken in and that is still staged.
#[derive(Clone, Debug)]
pub(super) struct StillStaged {
    pub(super) object: StagedObject,
    pub(super) identity: Identity,
    /// How many of its rows the table has.
    pub(super) rows: u64,
}

impl<'a> Staged<'a> {
    pub(super) async fn list(pipeline: &'a Pipeline, spec: &'a TableSpec) -> Result<Self> {
        let folder = pipeline.staging_folder(&spec.source)?;
        let listing = list_everything(&folder, true).await?;
        let identify = Identify::at(&folder);
        Ok(Self { pipeline, spec, folder, listing, identify, identities: HashMap::new() })
    }

    pub(super) fn identify(&self) -> &Identify {
        &self.identify
    }

    /// The staged object of that name, with its identity.
    ///
    /// # Errors
    /// `Unavailable` if its content must be read to identify it, and cannot be.
    pub(super) async fn find(&mut self, name: &str) -> Result<Option<(StagedObject, Identity)>> {
        let objects = &self.listing.objects;
        let Some(object) = objects.iter().find(|object| object.relative == name) else {
            return Ok(None);
        };
        let object = object.clone();
        if let Some(identity) = self.identities.get(name) {
            return Ok(Some((object, identity.clone())));
        }
        let identity = self.identify.identity(&object).await?;
        self.identities.insert(name.to_owned(), identity.clone());
        Ok(Some((object, identity)))
    }

    /// The objects that a table has taken in and that are staged, in order; none if DMS has loaded
    /// the table again.
    ///
    /// # Errors
    /// As [`Self::find`].
    pub(super) async fn taken_in(&mut self, table: &LakeTable) -> Result<Option<Vec<StillStaged>>> {
        let taken = taken_in(table.ledger(), &self.listing, &self.identify).await?;
        let Some(taken) = taken else { return Ok(None) };
        let mut still = Vec::with_capacity(taken.len());
        for taken in taken {
            if let Some((object, identity)) = self.find(&taken.object.relative).await? {
                still.push(StillStaged { object, identity, rows: taken.rows.unwrap_or(u64::MAX) });
            }
        }
        Ok(Some(still))
    }

    /// How its objects are decoded into a table with these columns.
    pub(super) fn context<'c>(&'c self, lake: &'c TableSchema) -> DecodeContext<'c> {
        let dms = &self.pipeline.settings().dms;
        DecodeContext::one_by_one(self.spec, dms, &self.folder, lake, MEMORY)
    }
}

impl StillStaged {
    /// What identifies it, as the quarantine has it.
    pub(super) fn mark(&self) -> String {
        Mark::of(&self.object, &self.identity).identity.to_string()
    }
}
