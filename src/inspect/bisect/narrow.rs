//! The search within a commit: which of the rows that it took in makes the check fail.

use crate::config::TableSpec;
use crate::disposition::Status;
use crate::error::{Error, ErrorKind, Result};
use crate::inspect::bisect::CulpritRow;
use crate::inspect::bisect::row::read_row;
use crate::inspect::bisect::versions::Timeline;
use crate::inspect::replay::{fork, only};
use crate::inspect::scratch::Scratch;
use crate::pipeline::{FirstRows, Pipeline, Silent};
use crate::progress::{CommittedObject, Ledger, pending};
use crate::staging::{Identify, Listing, StagedObject, list_everything};
use crate::table::{self, LakeTable};

/// How far the search came.
pub(super) enum Narrowed {
    /// To this row of this object.
    Row { object: String, row: CulpritRow },
    /// To this object, and why not further.
    Object { object: String, why: String },
    /// No further than the commit, and why.
    Not(String),
}

/// The rows of one object that the commit took in.
struct Portion {
    object: StagedObject,
    /// Rows of the commit before these.
    before: u64,
    /// Rows of the object before these.
    from: u64,
    rows: u64,
    /// Whether the object ends with them.
    is_done: bool,
}

impl Portion {
    fn end(&self) -> u64 {
        self.before + self.rows
    }
}

/// The table with so many rows of the commit.
struct State {
    pipeline: Pipeline,
    table: LakeTable,
    rows: u64,
    /// Its folder, where it is one of ours.
    folder: Option<String>,
}

/// The search within one commit.
struct Search<'s, 'a> {
    timeline: &'s mut Timeline<'a>,
    portions: Vec<Portion>,
    /// What is staged of a full load that is still going on, and was applied before.
    applied: Vec<StagedObject>,
    /// The object that was applied in part before, if the commit does not go on with it.
    in_part: Option<(StagedObject, u64)>,
    scratch: &'s Scratch,
    tried: u64,
}

/// Searches among the rows that a commit took in, from the version before it on.
pub(super) async fn narrow(
    timeline: &mut Timeline<'_>,
    good: u64,
    objects: &[CommittedObject],
    scratch: &Scratch,
) -> Result<Narrowed> {
    let before = timeline.at(good).await?;
    let staging = timeline.pipeline.staging_folder(&timeline.spec.source)?;
    let listing = list_everything(&staging, true).await?;
    let identify = Identify::at(&staging);
    let only_one = match objects {
        [one] => Some(one.key.clone()),
        _ => None,
    };
    let give_up = |why: String| match &only_one {
        Some(object) => Narrowed::Object { object: object.clone(), why },
        None => Narrowed::Not(why),
    };
    let portions = match portions(objects, &listing, &identify).await? {
        Ok(portions) => portions,
        Err(why) => return Ok(give_up(why)),
    };
    let ledger = before.ledger();
    let applied = applied_loads(ledger, &listing, &identify, &portions).await?;
    let in_part = in_part(ledger, &listing, &portions);
    let mut search = Search { timeline, portions, applied, in_part, scratch, tried: 0 };
    match search.run(before).await? {
        Ok(narrowed) => Ok(narrowed),
        Err(why) => Ok(give_up(why)),
    }
}

/// What the commit took in as it is staged now, or why it cannot be applied again.
async fn portions(
    objects: &[CommittedObject],
    listing: &Listing,
    identify: &Identify,
) -> Result<Result<Vec<Portion>, String>> {
    let (mut portions, mut before) = (Vec::new(), 0);
    for taken in objects {
        let key = &taken.key;
        let staged = listing.objects.iter().find(|staged| staged.relative == *key);
        let Some(staged) = staged else {
            return Ok(Err(format!("{key} is not staged any more")));
        };
        if identify.identity(staged).await? != taken.identity {
            return Ok(Err(format!("{key} is another object now")));
        }
        let CommittedObject { from, rows, done: is_done, .. } = *taken;
        portions.push(Portion { object: staged.clone(), before, from, rows, is_done });
        before += rows;
    }
    Ok(Ok(portions))
}

/// Objects of the full load that were applied before, where the commit goes on with the load: in an
/// open load no object may be missing.
async fn applied_loads(
    ledger: &Ledger,
    listing: &Listing,
    identify: &Identify,
    portions: &[Portion],
) -> Result<Vec<StagedObject>> {
    if !portions.iter().any(|portion| portion.object.name.phase.is_full_load()) {
        return Ok(Vec::new());
    }
    let found = pending(ledger, listing, identify).await?;
    let is_applied = |object: &&StagedObject| {
        !found.objects.iter().any(|pending| pending.relative == object.relative)
    };
    Ok(ledger.load.staged(listing).filter(is_applied).cloned().collect())
}

fn in_part(
    ledger: &Ledger,
    listing: &Listing,
    portions: &[Portion],
) -> Option<(StagedObject, u64)> {
    let part = ledger.partial.as_ref()?;
    if portions.iter().any(|portion| portion.object.relative == part.object) {
        return None;
    }
    let staged = listing.objects.iter().find(|staged| staged.relative == part.object)?;
    Some((staged.clone(), part.rows))
}

impl Search<'_, '_> {
    async fn run(&mut self, before: LakeTable) -> Result<Result<Narrowed, String>> {
        let all = self.portions.last().map_or(0, Portion::end);
        let pipeline = self.timeline.pipeline.clone();
        let mut good = State { pipeline, table: before, rows: 0, folder: None };
        let mut bad = all;
        match self.with_rows(&good, all).await? {
            Ok((state, true)) => self.forget(&state),
            Ok((_, false)) => {
                return Ok(Err(
                    "the check holds when the objects of the commit are applied again to \
                               the version before it"
                        .to_owned(),
                ));
            }
            Err(why) => return Ok(Err(why)),
        }
        while bad - good.rows > 1 {
            if self.timeline.is_stopped() {
                return Ok(Err("it was stopped".to_owned()));
            }
            let middle = self.middle(good.rows, bad);
            match self.with_rows(&good, middle).await? {
                Ok((state, true)) => {
                    self.forget(&state);
                    bad = middle;
                }
                Ok((state, false)) => good = state,
                Err(why) => return Ok(self.object_at(good.rows, bad, why)),
            }
        }
        let portion = self.portions.iter().find(|portion| bad <= portion.end());
        let Some(Portion { object, before, from, .. }) = portion else {
            return Ok(Err("the commit took in no row".to_owned()));
        };
        let number = from + bad - before;
        let (pipeline, spec) = (&self.timeline.pipeline, self.timeline.spec);
        let read = read_row(pipeline, spec, &good.table, object, number).await?;
        let object = object.relative.clone();
        Ok(Ok(match read {
            Some(row) => Narrowed::Row { object, row },
            None => Narrowed::Object { object, why: format!("row {number} cannot be decoded") },
        }))
    }

    /// Where to divide: between two objects as long as there are several, and in the middle of one.
    fn middle(&self, good: u64, bad: u64) -> u64 {
        let middle = u64::midpoint(good, bad);
        let ends = self.portions.iter().map(Portion::end);
        let between = ends.filter(|end| (good + 1..bad).contains(end));
        between.min_by_key(|end| end.abs_diff(middle)).unwrap_or(middle)
    }

    /// The object to which all of these rows belong, and why not further; or only why, if there are
    /// several.
    fn object_at(&self, good: u64, bad: u64, why: String) -> Result<Narrowed, String> {
        let mut portions = self.portions.iter();
        match portions.find(|portion| portion.before <= good && bad <= portion.end()) {
            Some(Portion { object, .. }) => {
                Ok(Narrowed::Object { object: object.relative.clone(), why })
            }
            None => Err(why),
        }
    }

    /// The table with so many rows of the commit, of which some are there, and whether the check
    /// fails then; or why they cannot be applied.
    async fn with_rows(
        &mut self,
        base: &State,
        rows: u64,
    ) -> Result<Result<(State, bool), String>> {
        let (objects, first_rows) = self.staged_up_to(rows);
        let staging = only(self.timeline.pipeline.staging(), &objects);
        self.tried += 1;
        let folder = self.tried.to_string();
        let above = self.scratch.store(&folder)?;
        let from = (base.table.version(), base.table.ledger());
        let spec: &TableSpec = self.timeline.spec;
        let pipeline = fork(&base.pipeline, spec, from, staging, above).await?;
        let Some(forked) = pipeline.settings().tables.first() else {
            return Err(Error::new(ErrorKind::Internal, "a fork is about no table"));
        };
        let limits = self.timeline.limits;
        let report = pipeline.apply_first_rows(forked, &first_rows, limits, &Silent).await;
        if report.status != Status::Ok {
            let why = report.error.unwrap_or_default();
            return Ok(Err(format!("the commit cannot be applied again in parts: {why}")));
        }
        if self.timeline.is_stopped() {
            return Ok(Err("it was stopped".to_owned()));
        }
        let table = table::open(&pipeline.lake_folder(&spec.source)?, None).await?;
        let Some(table) = table else {
            return Err(Error::new(ErrorKind::Internal, "a fork holds no table"));
        };
        let fails = self.timeline.fails(&table, &self.told(rows)).await?;
        Ok(Ok((State { pipeline, table, rows, folder: Some(folder) }, fails)))
    }

    /// What is to be staged so that exactly so many rows of the commit are applied.
    fn staged_up_to(&self, rows: u64) -> (Vec<StagedObject>, FirstRows) {
        let mut objects = self.applied.clone();
        let mut first_rows = FirstRows::default();
        if let Some((object, rows)) = &self.in_part {
            objects.push(object.clone());
            first_rows = first_rows.and(object.relative.clone(), *rows);
        }
        for portion in self.portions.iter().filter(|portion| portion.before < rows) {
            objects.push(portion.object.clone());
            let taken = portion.rows.min(rows - portion.before);
            if taken < portion.rows || !portion.is_done {
                let name = portion.object.relative.clone();
                first_rows = first_rows.and(name, portion.from + taken);
            }
        }
        (objects, first_rows)
    }

    /// So many rows of the commit, as people read it.
    fn told(&self, rows: u64) -> String {
        let portion = self.portions.iter().find(|portion| rows <= portion.end());
        portion.map_or_else(String::new, |portion| {
            format!("row {} of {}", portion.from + rows - portion.before, portion.object.relative)
        })
    }

    fn forget(&self, state: &State) {
        if let Some(folder) = &state.folder {
            self.scratch.remove(folder);
        }
    }
}
