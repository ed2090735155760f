//! The guard of a table: what of a slice is older than what was applied, and whether a late object
//! can be placed.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use chrono::TimeDelta;

use crate::change::{Changes, CurrentRows, Newest, SequenceSpan, without_older};
use crate::config::{OWN, TableSpec};
use crate::error::{Error, ErrorKind, Result};
use crate::pipeline::Pipeline;
use crate::pipeline::slice::{Slice, Turn};
use crate::progress::{GuardProgress, Ledger, WhyUntraced};
use crate::tombstones::Tombstones;

/// The folder of tombstones, below the one of this program.
pub(super) const TOMBSTONES: &str = "tombstones";

/// The guard of one slice.
pub(super) struct Guard {
    tombstones: Tombstones,
    /// What it can tell before the slice, and then after it.
    progress: GuardProgress,
    /// The greatest sequence applied before.
    newest: Option<String>,
    turn: Turn,
    is_load: bool,
    /// The object, where it is one that is late.
    object: String,
}

/// The changes of a slice that are not older than what was applied.
pub(super) struct Guarded {
    pub(super) changes: Changes,
    /// How many are.
    pub(super) older: u64,
}

impl Guard {
    /// For a slice of a table with that progress; none of a table that is not guarded.
    pub(super) fn of(
        pipeline: &Pipeline,
        spec: &TableSpec,
        progress: &Ledger,
        slice: &Slice,
    ) -> Result<Option<Self>> {
        if !spec.is_guarded() {
            return Ok(None);
        }
        let last = slice.portions.last().map(|portion| &portion.object);
        Ok(Some(Self {
            tombstones: pipeline.tombstones(spec)?,
            progress: progress
                .guard
                .clone()
                .unwrap_or_else(|| GuardProgress::beginning_at(progress)),
            newest: progress.sequence.clone(),
            turn: slice.turn,
            is_load: slice.is_of_load(),
            object: last.map_or_else(String::new, |last| last.relative.clone()),
        }))
    }

    /// The changes without those that are older than what was applied. In the order of their objects
    /// nothing is read for that: only where sequences go back, and for late objects.
    ///
    /// # Errors
    /// `LateObject` if a late object cannot be placed among what was applied; those of `current`;
    /// as [`Tombstones::since`].
    pub(super) async fn guarded(
        &mut self,
        changes: Changes,
        current: &dyn CurrentRows,
    ) -> Result<Guarded> {
        if self.is_load || changes.is_empty() {
            return Ok(Guarded { changes, older: 0 });
        }
        let span = changes.span();
        let known = span.map(|span| (span.first.to_owned(), span.last.to_owned()));
        let keep_values = changes.keep_values();
        let in_turn = self.turn == Turn::Due && !self.must_compare(span, keep_values);
        let (first, last) = match (&known, self.turn) {
            (Some((first, last)), _) => (first.as_str(), last.as_str()),
            (None, Turn::Late) => return Err(self.unplaced("changes of it have no sequence")),
            (None, Turn::Due | Turn::Asked) => ("", ""),
        };
        let compares = match self.turn {
            Turn::Due => !in_turn,
            Turn::Late => {
                if let Some(why) = self.progress.cannot_place(first) {
                    return Err(self.unplaced(why.as_str()));
                }
                if keep_values {
                    return Err(self.unplaced("its changes keep values of their rows"));
                }
                true
            }
            Turn::Asked => {
                match self.newest.as_deref().max(Some(last)).filter(|last| !last.is_empty()) {
                    Some(last) => self.progress.lost_track_up_to(last, WhyUntraced::OutOfTurn),
                    None => self.progress.lost_track(WhyUntraced::OutOfTurn),
                }
                true
            }
        };
        if !compares {
            return Ok(Guarded { changes, older: 0 });
        }
        let mut newest = Newest::of(&changes)?;
        let keys = Arc::clone(newest.schema());
        let take_in = |batch: &RecordBatch| newest.take_in(batch);
        self.tombstones.since(first, &mut self.progress, &keys, take_in).await?;
        // What has just turned out to be lost may be what it had to be compared with.
        if let (Turn::Late, Some(why)) = (self.turn, self.progress.cannot_place(first)) {
            return Err(self.unplaced(why.as_str()));
        }
        let (changes, older) = without_older(changes, newest, current).await?;
        Ok(Guarded { changes, older })
    }

    /// For rows that an operator releases from quarantine.
    #[cfg(feature = "cli")]
    pub(super) fn of_released(
        pipeline: &Pipeline,
        spec: &TableSpec,
        progress: &Ledger,
    ) -> Result<Option<Self>> {
        if !spec.is_guarded() {
            return Ok(None);
        }
        let known = progress.guard.clone();
        Ok(Some(Self {
            tombstones: pipeline.tombstones(spec)?,
            progress: known.unwrap_or_else(|| GuardProgress::beginning_at(progress)),
            newest: progress.sequence.clone(),
            turn: Turn::Late,
            is_load: false,
            object: String::new(),
        }))
    }

    /// Whether a change of that sequence can be compared with all that was applied.
    #[cfg(feature = "cli")]
    pub(super) fn can_place(&self, sequence: &str) -> bool {
        self.progress.cannot_place(sequence).is_none()
    }

    /// Takes in that a released change of that sequence keeps values of its row: what comes before it
    /// can no longer be placed.
    #[cfg(feature = "cli")]
    pub(super) fn released_keeping(&mut self, sequence: Option<&str>) {
        match sequence {
            Some(sequence) => self.progress.lost_track_up_to(sequence, WhyUntraced::KeptValues),
            None => self.progress.lost_track(WhyUntraced::KeptValues),
        }
    }

    /// Released changes without those that are older than what was applied; `first` is the least of
    /// their sequences, and `out_of_turn` the greatest of those that could not be placed. None if
    /// what the others are compared with turns out to be lost.
    ///
    /// # Errors
    /// Those of `current`; as [`Tombstones::since`].
    #[cfg(feature = "cli")]
    pub(super) async fn released(
        &mut self,
        changes: Changes,
        first: &str,
        out_of_turn: Option<&str>,
        current: &dyn CurrentRows,
    ) -> Result<Option<Guarded>> {
        let could_place = self.can_place(first);
        let mut newest = Newest::of(&changes)?;
        let keys = Arc::clone(newest.schema());
        let take_in = |batch: &RecordBatch| newest.take_in(batch);
        self.tombstones.since(first, &mut self.progress, &keys, take_in).await?;
        if could_place && !self.can_place(first) {
            return Ok(None);
        }
        if let Some(last) = out_of_turn {
            self.progress.lost_track_up_to(last, WhyUntraced::OutOfTurn);
        }
        let (changes, older) = without_older(changes, newest, current).await?;
        Ok(Some(Guarded { changes, older }))
    }

    /// Takes in the sequences of changes that are applied in their turn, and tells whether they must
    /// be compared with what was applied: where sequences go back.
    pub(super) fn must_compare(
        &mut self,
        span: Option<SequenceSpan<'_>>,
        keep_values: bool,
    ) -> bool {
        let Some(SequenceSpan { first, last, ascends }) = span else {
            self.progress.lost_track(WhyUntraced::NoSequence);
            return false;
        };
        self.progress.found_track(first, last);
        if keep_values {
            self.progress.lost_track_up_to(last, WhyUntraced::KeptValues);
        }
        let goes_back = !ascends || self.newest.as_deref().is_some_and(|newest| newest >= first);
        self.newest = self.newest.take().max(Some(last.to_owned()));
        goes_back
    }

    /// Leaves the tombstones of deleted keys.
    ///
    /// # Errors
    /// As [`Tombstones::leave`].
    pub(super) async fn leave_tombstones(
        &mut self,
        deletes: &[RecordBatch],
        pipeline: &Pipeline,
    ) -> Result<()> {
        let clock = pipeline.clock();
        let (name, now) = (clock.attempt_id(), clock.now());
        self.tombstones.leave(deletes, &mut self.progress, name, now).await
    }

    /// What it can tell after the slice.
    pub(super) fn into_progress(self) -> GuardProgress {
        self.progress
    }

    fn unplaced(&self, why: &str) -> Error {
        Error::new(
            ErrorKind::LateObject,
            "an object appeared below the table's progress, and it cannot be told where its \
             changes belong",
        )
        .with("object", &self.object)
        .with("because", why)
    }
}

impl Pipeline {
    /// Where the tombstones of a table are.
    pub(super) fn tombstones(&self, spec: &TableSpec) -> Result<Tombstones> {
        let folder = self.lake_folder_of(&spec.source, &[OWN, TOMBSTONES])?;
        let days = TimeDelta::days(spec.tombstone_retention_days.into());
        Ok(Tombstones::new(folder, days))
    }
}
