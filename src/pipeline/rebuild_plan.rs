//! What a rebuild needs and whether it is there; and its beginning.

use crate::config::TableSpec;
use crate::error::{Error, ErrorKind, Result};
use crate::pipeline::holds::named;
use crate::pipeline::rebuild::lost;
use crate::pipeline::{Estimate, Losses, Pipeline};
use crate::progress::{
    Doubt, Ledger, Missing, NewLoad, Partial, SeenObject, Unapplied, missing, pending,
};
use crate::staging::{Identify, list_everything};
use crate::table::{self, Rebuild, RepairedRows, TableState};

const MIXED: &str = "objects of an earlier load are staged beside those of the new one, and their \
                     times do not tell them apart: move the older ones out of staging";

/// What a rebuild would be made from, and what it would lose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RebuildPlan {
    /// Rows in the table now.
    pub rows: u64,
    /// Staged objects that are read anew.
    pub objects: u64,
    /// Their bytes as staged.
    pub bytes: u64,
    /// How long it would take, and what it would come to.
    pub estimate: Estimate,
    /// Why it would not equal its source: above all, what is no longer staged; a sentence for each.
    pub lost: Vec<String>,
    /// Whether a rebuild is under way already.
    pub is_under_way: bool,
    /// The objects, as they are remembered.
    seen: Vec<SeenObject>,
    /// When the full load was staged from which it is made, as far as times tell.
    load_begins: Option<i64>,
    /// Whether that is a new load.
    pub is_reload: bool,
}

impl Pipeline {
    /// Finds out whether everything is staged from which a table could be rebuilt. Nothing is
    /// changed.
    ///
    /// # Errors
    /// `TableRefused` if there is no table; what keeps table or staging from being seen.
    pub async fn plan_rebuild(&self, spec: &TableSpec) -> Result<RebuildPlan> {
        let location = self.lake_folder(&spec.source)?;
        let staging = self.staging_folder(&spec.source)?;
        let state = self.state_object(&spec.source)?;
        let (table, state) = tokio::try_join!(table::open(&location, None), state.read())?;
        let table = table.ok_or_else(|| {
            Error::new(ErrorKind::TableRefused, "there is no table that could be rebuilt")
                .with_remedy(format!("dmslake apply --table {}", spec.source))
        })?;
        let listing = list_everything(&staging, true).await?;
        let (ledger, identify) = (table.ledger(), Identify::at(&staging));
        let missing = missing(ledger, &listing, &identify).await?;
        let unapplied = state.as_ref().map(|state| &state.unapplied);
        let mut vanished = unapplied.map_or_else(Vec::new, |unapplied| {
            unapplied.vanished(&listing, ledger, staging.kind())
        });
        let mut lost = Vec::new();
        let found = pending(ledger, &listing, &identify).await?;
        let begins = found.reload.map(|load| load.begins.timestamp_millis());
        match (&found.reload, found.hold) {
            (Some(NewLoad { doubt: Some(Doubt::Mixed), .. }), Some(hold)) => {
                return Err(hold.with_remedy(MIXED));
            }
            (Some(load), _) => {
                vanished.retain(|seen| !load.is_after(seen));
                if load.doubt == Some(Doubt::Copied) {
                    lost.push(
                        "the full load seems to be the one that it was made from: if it was copied \
                         or put back, all changes since would be undone"
                            .to_owned(),
                    );
                }
                if !found.late.is_empty() {
                    lost.push(
                        "late objects are staged too: if all was copied, changes would be undone"
                            .to_owned(),
                    );
                }
                if load.has_gaps() {
                    lost.push("objects of the new load are missing between the others".to_owned());
                }
            }
            (None, _) => lost.extend(ledger.vanished_partial(&listing).map(|partial| {
                let Partial { object, rows, .. } = partial;
                format!("{object} vanished after {rows} of its rows were applied")
            })),
        }
        if ledger.emptied && begins.is_none() {
            lost.push("rows that an operator has removed (truncate) would come back".to_owned());
        }
        let vanished: Vec<String> = vanished.into_iter().map(|seen| seen.object).collect();
        lost.extend(sentences(&missing, &vanished));
        if begins.is_none() {
            lost.extend(state.as_ref().and_then(|state| repaired(state, ledger)));
        }
        let is_under_way = state.is_some_and(|state| state.rebuild_of(ledger).is_some());
        let seen = listing.objects.iter().map(|object| SeenObject::of(object, staging.kind()));
        let is_reload = found.reload.is_some();
        Ok(RebuildPlan {
            rows: table.rows(),
            estimate: Estimate::of(&table, &listing.objects, is_reload).await?,
            objects: listing.objects.len() as u64,
            bytes: listing.objects.iter().map(|object| object.size).sum(),
            lost,
            is_under_way,
            seen: seen.collect(),
            load_begins: begins.or(ledger.load.begins),
            is_reload,
        })
    }

    /// Gives up a rebuild that is under way: the table goes on as it is. True if one was.
    ///
    /// # Errors
    /// As [`crate::table::StateObject::update`].
    pub async fn cancel_rebuild(&self, spec: &TableSpec) -> Result<bool> {
        let state = self.state_object(&spec.source)?.read().await?;
        let Some(rebuild) = state.and_then(|state| state.rebuild) else {
            return Ok(false);
        };
        let cancel = |state: &mut TableState| {
            if state.rebuild.as_ref().is_some_and(|it| it.id == rebuild.id) {
                state.rebuild = None;
            }
        };
        self.update_state(spec, cancel).await?;
        self.forget_shadow(spec, rebuild.id).await;
        Ok(true)
    }

    /// Begins the rebuild that was planned, or goes on with one that is under way. Whoever applies
    /// the table next builds it; readers see the old rows until all of the new ones are there.
    ///
    /// # Errors
    /// `VanishedObject` if rows would be lost and that is not accepted; as
    /// [`crate::table::StateObject::update`].
    pub async fn begin_rebuild(
        &self,
        spec: &TableSpec,
        plan: &RebuildPlan,
        losses: Losses,
    ) -> Result<()> {
        let accepts_loss = losses == Losses::Accepted;
        if !plan.lost.is_empty() && !accepts_loss {
            return Err(lost(&format!("the table cannot be rebuilt: {}", plan.lost.join("; "))));
        }
        let (id, now) = (self.clock().attempt_id(), self.clock().now());
        let begin = |state: &mut TableState| {
            let RebuildPlan { load_begins, is_reload, .. } = *plan;
            let is_same = |it: &Rebuild| {
                (it.load_begins, it.is_reload) == (load_begins, is_reload)
                    && (it.accepts_loss || !accepts_loss)
            };
            if plan.is_under_way && state.rebuild.as_ref().is_some_and(is_same) {
                return;
            }
            state.rebuild = Some(Rebuild {
                id,
                since: now,
                load_begins,
                is_reload,
                accepts_loss,
                compared: false,
                changes: Vec::new(),
            });
            state.reshape = None;
            // All of it is yet to be applied to what is built.
            state.unapplied = Unapplied::of(plan.seen.clone());
            if accepts_loss {
                state.gave_up(&plan.lost, now);
            }
        };
        self.update_state(spec, begin).await?;
        Ok(())
    }
}

/// What an operator has repaired, and a rebuild meets as it was staged.
fn repaired(state: &TableState, ledger: &Ledger) -> Option<String> {
    let rows = |known: &RepairedRows| {
        let RepairedRows { object, first, last, .. } = known;
        if first == last {
            format!("row {first} of {object}")
        } else {
            format!("rows {first} to {last} of {object}")
        }
    };
    let repaired: Vec<String> = state.repaired_rows(ledger).map(rows).collect();
    let named = named(repaired.iter().map(String::as_str));
    (!repaired.is_empty()).then(|| {
        format!("what was repaired by quarantine release --set waits in quarantine again: {named}")
    })
}

pub(super) fn sentences(missing: &Missing, vanished: &[String]) -> Vec<String> {
    let mut lost = Vec::new();
    if let Some((loads, of_all)) = missing.loads {
        lost.push(format!("{loads} of {of_all} objects of its full load are no longer staged"));
    }
    if missing.is_unknown {
        lost.push(
            "how many change objects were applied to it was not recorded when it began".to_owned(),
        );
    }
    if missing.are_others {
        lost.push("the change objects that are staged are not those that were applied".to_owned());
    }
    if missing.changes > 0 {
        lost.push(format!("{} change objects are no longer staged", missing.changes));
    }
    if !vanished.is_empty() {
        let they = if vanished.len() == 1 { "it was" } else { "they were" };
        lost.push(format!("{} vanished before {they} applied", vanished.join(", ")));
    }
    lost
}
