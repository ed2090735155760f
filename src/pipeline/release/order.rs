//! Whether a change of a key came after a row in quarantine, as far as log and staging tell.

use std::collections::BTreeSet;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{UInt8Type, UInt64Type};

use crate::decode::{BEFORE, OPERATION, ROW, open};
use crate::dms::Operation;
use crate::error::{Error, ErrorKind, Result};
use crate::merge::KeyFinder;
use crate::pipeline::release::halves::Half;
use crate::pipeline::release::intake::{Intake, Portion, RowId};
use crate::pipeline::release::place::Place;
use crate::pipeline::release::reading::{Candidate, is_of_others, keeps_values};
use crate::pipeline::release::staged::{Staged, StillStaged};
use crate::progress::{Mark, Missing, Released, missing};
use crate::staging::{Identity, StagedObject};
use crate::table::{LakeTable, file_changes};

/// What is known of a change's place among those that were applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// No change of its key came after it.
    Newest,
    /// One did.
    Superseded,
    /// That cannot be told, and why.
    Untold(String),
}

/// Which changes are looked for.
#[derive(Clone, Copy)]
pub(super) struct Behind<'a> {
    /// Those behind this place.
    pub(super) first: &'a Place,
    /// Of these keys, by the columns of these names.
    pub(super) names: &'a [String],
    pub(super) keys: &'a RecordBatch,
    /// But not these rows: they are staged, and not in the table.
    pub(super) absent: &'a BTreeSet<RowId>,
}

/// The same, ready to be looked for in batches.
#[derive(Clone, Copy)]
struct Sought<'a> {
    names: &'a [String],
    finder: &'a KeyFinder,
    absent: &'a BTreeSet<RowId>,
}

/// Changes of some keys that came after some place.
#[derive(Debug)]
pub(super) struct Later {
    /// For each key the last change that gives or takes the whole row.
    whole: Vec<Option<Place>>,
    /// For each key the last change that keeps values of the row.
    kept: Vec<Option<Place>>,
    /// Where rows end that cannot be read, and why.
    unread: Vec<(Place, String)>,
    /// Where objects end that are gone, but did not touch the keys.
    gone: Vec<Place>,
    released: Released,
    foreign: Vec<u64>,
}

impl Later {
    /// Finds the changes.
    ///
    /// # Errors
    /// `TableRefused` if DMS has loaded the table again; `Unavailable` if staging or log cannot be
    /// read.
    pub(super) async fn than(
        behind: Behind<'_>,
        staged: &mut Staged<'_>,
        table: &LakeTable,
        intake: &Intake,
    ) -> Result<Self> {
        let Behind { first, names, keys, absent } = behind;
        let finder = KeyFinder::new(table.files(), names, keys)?;
        let sought = Sought { names, finder: &finder, absent };
        let count = keys.num_rows();
        let mut later = Self {
            whole: vec![None; count],
            kept: vec![None; count],
            unread: Vec::new(),
            gone: Vec::new(),
            released: table.ledger().released.as_deref().cloned().unwrap_or_default(),
            foreign: intake.foreign.clone(),
        };
        if intake.is_complete {
            for portion in &intake.portions {
                let end = Place::of(&portion.object, portion.from + portion.rows);
                if end <= *first {
                    continue;
                }
                let found = staged.find(&portion.object.relative).await?;
                match found.filter(|(_, identity)| *identity == portion.identity) {
                    Some((object, identity)) => {
                        let rows = (portion.from, portion.from + portion.rows);
                        later.read((&object, &identity), rows, sought, staged, table).await?;
                    }
                    None => later.miss(portion, end, &finder, table).await?,
                }
            }
            return Ok(later);
        }
        let still = staged.taken_in(table).await?.ok_or_else(loaded_again)?;
        let all = missing(table.ledger(), &staged.listing, staged.identify()).await?;
        if all != Missing::default() {
            let why = "the log no longer tells what came after it, and not all of that is staged";
            later.unread.extend(Place::end_of(LAST).map(|last| (last, why.to_owned())));
        }
        for StillStaged { object, identity, rows } in still {
            if Place::of(&object, u64::MAX) > *first {
                later.read((&object, &identity), (0, rows), sought, staged, table).await?;
            }
        }
        Ok(later)
    }

    /// What is known of a change of a row.
    pub(super) fn standing(&self, half: &Half, row: &Candidate) -> Standing {
        let place = &row.place;
        let is_behind = |found: &Option<Place>| found.as_ref().is_some_and(|it| it > place);
        if is_behind(&self.whole[half.key]) || row.emptied_since {
            return Standing::Superseded;
        }
        if is_behind(&self.kept[half.key]) {
            return untold("a newer change keeps values of the row as they were");
        }
        if let Some((_, why)) = self.unread.iter().find(|(end, _)| end > place) {
            return untold(why);
        }
        let is_before = |up_to: &Option<crate::progress::RowPlace>| {
            up_to.as_ref().and_then(Place::parse).is_some_and(|up_to| *place < up_to)
        };
        let are_gone = self.gone.iter().any(|end| end > place);
        if is_before(&self.released.unseen_up_to) || (are_gone && is_before(&self.released.up_to)) {
            return untold("rows that come after it were released before it");
        }
        let foreign =
            self.foreign.iter().find(|version| row.version.is_none_or(|it| **version > it));
        if let Some(version) = foreign {
            return untold(&format!("another writer has changed rows since, in version {version}"));
        }
        Standing::Newest
    }

    /// Takes in the changes in rows of an object.
    async fn read(
        &mut self,
        (object, identity): (&StagedObject, &Identity),
        (from, to): (u64, u64),
        sought: Sought<'_>,
        staged: &Staged<'_>,
        table: &LakeTable,
    ) -> Result<()> {
        let context = staged.context(table.schema());
        let mark = Mark::of(object, identity).identity.to_string();
        let reading = async {
            let mut reader = open(&context, object, from).await?;
            while let Some(batch) = reader.next().await? {
                let is_behind = batch.changes[ROW].as_primitive::<UInt64Type>().values().last();
                let is_behind = is_behind.is_some_and(|last| *last > to);
                self.take_in(&batch.changes, (object, &mark), to, sought)?;
                if is_behind {
                    break;
                }
            }
            Ok::<_, Error>(())
        };
        match reading.await {
            Err(error) if !is_of_others(&error) => {
                tracing::debug!(object = object.relative, "{}", error.chain());
                let why = format!("{} came after it and cannot be read now", object.relative);
                self.unread.push((Place::of(object, to), why));
                Ok(())
            }
            outcome => outcome,
        }
    }

    fn take_in(
        &mut self,
        changes: &RecordBatch,
        (object, mark): (&StagedObject, &str),
        to: u64,
        Sought { names, finder, absent }: Sought<'_>,
    ) -> Result<()> {
        let columns = |prefix: &str| -> Option<Vec<ArrayRef>> {
            let column = |key: &String| changes.column_by_name(&format!("{prefix}{key}")).cloned();
            names.iter().map(column).collect()
        };
        let numbers = changes[ROW].as_primitive::<UInt64Type>();
        let operations = changes[OPERATION].as_primitive::<UInt8Type>();
        let mut hits: Vec<(usize, usize, bool)> = Vec::new();
        if let Some(after) = columns("") {
            finder.probe_each(&after, |row, key| {
                let is_delete = operations.value(row) == Operation::Delete.code();
                hits.push((row, key as usize, is_delete || !keeps_values(changes, row)));
            })?;
        }
        if let Some(before) = before(changes, names) {
            let after = hits.clone();
            finder.probe_each(&before, |row, key| {
                let is_same = after.iter().any(|hit| (hit.0, hit.1) == (row, key as usize));
                // The key is taken away from the row, whatever values it keeps.
                if !is_same && operations.value(row) == Operation::Update.code() {
                    hits.push((row, key as usize, true));
                }
            })?;
        }
        for (row, key, is_whole) in hits {
            let number = numbers.value(row);
            if number <= to && !absent.contains(&(mark.to_owned(), number)) {
                let last = if is_whole { &mut self.whole[key] } else { &mut self.kept[key] };
                *last = last.take().max(Some(Place::of(object, number)));
            }
        }
        Ok(())
    }

    /// Takes in rows of an object that is gone: statistics may show that they are of other keys.
    async fn miss(
        &mut self,
        portion: &Portion,
        end: Place,
        finder: &KeyFinder,
        table: &LakeTable,
    ) -> Result<()> {
        let log_store = table.delta().log_store();
        let moved = file_changes(&log_store, portion.version).await?;
        let is_excluded = match moved.filter(|_| !portion.deletes) {
            Some(moved) => !finder.may_hold(&moved.added)?.contains(&true),
            None => false,
        };
        if is_excluded {
            self.gone.push(end);
        } else {
            let name = &portion.object.relative;
            let why = format!("{name} came after it, and is no longer staged as it was");
            self.unread.push((end, why));
        }
        Ok(())
    }
}

/// A name that is behind all others.
const LAST: &str = "99999999-999999999.csv";

/// The keys that updates take away, each value from the after image where there is no other.
fn before(changes: &RecordBatch, names: &[String]) -> Option<Vec<ArrayRef>> {
    let column = |key: &String| {
        let after = changes.column_by_name(key)?;
        let Some(image) = changes.column_by_name(&format!("{BEFORE}{key}")) else {
            return Some(after.clone());
        };
        let is_given = arrow::compute::is_not_null(image).ok()?;
        arrow::compute::kernels::zip::zip(&is_given, image, after).ok()
    };
    names.iter().map(column).collect()
}

fn untold(why: &str) -> Standing {
    Standing::Untold(why.to_owned())
}

pub(super) fn loaded_again() -> Error {
    Error::new(ErrorKind::TableRefused, "DMS has loaded the table again").with_remedy(
        "dmslake apply, which builds it from the new load: rows in quarantine are set aside again",
    )
}
