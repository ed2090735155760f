//! Whether everything of a table was deleted from staging, as DMS does at a TRUNCATE.

use crate::progress::Ledger;
use crate::staging::Listing;

impl Ledger {
    /// Whether a listing shows nothing that is applied although some of it was staged after that
    /// time, in milliseconds, and so cannot have expired: all of it was deleted. What was applied
    /// before an operator, or a TRUNCATE, emptied the table tells nothing any more.
    ///
    /// Such a listing is the same where DMS begins to load the table again: it deletes everything
    /// first. Only a change object tells the two apart, because DMS writes none before the load.
    #[must_use]
    pub fn is_all_deleted(&self, listing: &Listing, cannot_expire: i64) -> bool {
        let proves = |applied: i64| applied > cannot_expire && Some(applied) > self.emptied_behind;
        self.newest_applied().is_some_and(proves)
            && listing.objects.iter().all(|object| self.cdc.is_behind(object))
    }

    /// Newest last-modified time of the objects applied, as far as they are remembered, in
    /// milliseconds.
    #[must_use]
    pub fn newest_applied(&self) -> Option<i64> {
        self.load.newest.max(self.cdc.newest())
    }
}
