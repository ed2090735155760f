//! Turns a history into the rows of each object: the full load during changes, the changes cached
//! meanwhile, and the log afterwards, cut at random and sometimes written again.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::task::{Endpoint, TableTask};
use crate::support::history::{Change, Event, TableHistory, changes_key};
use crate::support::model::{Key, Op, Row, Rows, StagedRow, Value, key_of};

/// How the text of a bad row is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spoilt {
    /// The first key column is NULL.
    NullKey,
    /// This column contains letters.
    Letters(usize),
}

/// A row with values that only its file has.
#[derive(Clone, Debug)]
pub(super) struct LoggedRow {
    pub(super) row: StagedRow,
    /// The time of the commit, or of the copy in a full load.
    pub(super) timestamp: i64,
    pub(super) spoilt: Option<Spoilt>,
}

impl LoggedRow {
    /// A hand-written row; a bad one has letters in its last column for which they are invalid.
    pub(super) fn scripted(row: &StagedRow, history: &TableHistory) -> Self {
        let columns = &history.columns;
        let spoilt = columns.iter().rposition(|column| column.kind.can_be_spoilt());
        Self {
            row: row.clone(),
            timestamp: START,
            spoilt: spoilt.filter(|_| row.bad).map(Spoilt::Letters),
        }
    }
}

/// The rows of one object.
pub(super) struct Segment {
    pub(super) load: bool,
    pub(super) epoch: usize,
    pub(super) rows: Vec<LoggedRow>,
    pub(super) replays: bool,
}

const START: i64 = 1_709_600_000_000_000;

/// All segments of a table, in the order in which DMS writes them.
pub(super) fn segments(
    rng: &mut StdRng,
    history: &TableHistory,
    endpoint: &Endpoint,
    task: &TableTask,
) -> Vec<Segment> {
    let mut writer = Writer { history, endpoint, task, commit: START, counter: 0 };
    let mut segments = if task.loaded { writer.load(rng) } else { Vec::new() };
    let cached = if task.loaded {
        Vec::new()
    } else {
        // Without a full load, earlier rows are in the log.
        let inserted = history.initial.values().cloned().map(Change::Insert);
        inserted.map(|change| Event { epoch: 0, change }).collect()
    };
    let events: Vec<Event> = cached.into_iter().chain(history.events.iter().cloned()).collect();
    writer.log(rng, &events, &mut segments);
    segments
}

struct Writer<'a> {
    history: &'a TableHistory,
    endpoint: &'a Endpoint,
    task: &'a TableTask,
    commit: i64,
    counter: u64,
}

impl Writer<'_> {
    /// Reads the table in key order, part by part, with changes between the parts.
    fn load(&mut self, rng: &mut StdRng) -> Vec<Segment> {
        let history = self.history;
        let keys: Vec<&Key> = history.initial.keys().collect();
        let parts = if keys.is_empty() { 1 } else { rng.random_range(1..=4) };
        let mut source = history.initial.clone();
        let mut happened = 0;
        let mut segments: Vec<Segment> = Vec::new();
        let mut read_to: Option<Key> = None;
        for part in 1..=parts {
            let until = history.during_load * part / parts;
            for event in &history.events[happened..until] {
                happen(&mut source, &event.change, &history.keys);
            }
            happened = until;
            let last_part = part == parts;
            let bound = keys.get(keys.len() * part / parts).filter(|_| !last_part);
            let in_part = source.iter().filter(|(key, _)| {
                read_to.as_ref().is_none_or(|read| *key > read)
                    && bound.is_none_or(|bound| key <= bound)
            });
            let images: Vec<Row> = in_part.map(|(_, row)| row.clone()).collect();
            let mut rows = Vec::new();
            for image in images {
                self.bad_copy(rng, Op::Insert, &image, true, &mut rows);
                rows.push(self.row(Op::Insert, None, image, true));
            }
            // A row may be copied twice.
            if let Some(earlier) = segments.last().filter(|_| rng.random_bool(0.1)) {
                rows.extend(earlier.rows.iter().take(1).cloned());
            }
            if let Some(bound) = bound {
                read_to = Some((*bound).clone());
            }
            segments.push(Segment { load: true, epoch: 0, rows, replays: false });
        }
        segments
    }

    fn log(&mut self, rng: &mut StdRng, events: &[Event], segments: &mut Vec<Segment>) {
        let first_counter = self.counter;
        let mut at = 0;
        let mut written = 0;
        let mut highest: Option<u64> = None;
        let mut checkpoint = 0;
        while at < events.len() {
            let epoch = events[at].epoch;
            let wanted = *[1, 2, 3, 5, 8, 20].choose(rng).expect("sizes");
            let same = events[at..].iter().take(wanted).take_while(|event| event.epoch == epoch);
            let end = at + same.count();
            if self.task.resume_keeps_sequence {
                self.counter = first_counter + at as u64;
            }
            let replays = highest.is_some_and(|highest| self.counter < highest);
            let mut rows = Vec::new();
            for event in &events[at..end] {
                self.change(rng, event, &mut rows);
            }
            highest = highest.max(Some(self.counter));
            segments.push(Segment { load: false, epoch, rows, replays });
            if rng.random_bool(0.05) {
                segments.push(Segment { load: false, epoch, rows: Vec::new(), replays: false });
            }
            at = end;
            written += 1;
            // Old object layouts do not recur, because the checkpoint follows a schema change.
            if events.get(at).is_some_and(|event| event.epoch != epoch) {
                checkpoint = at;
            }
            if self.task.resumes && written > 1 && rng.random_bool(0.2) {
                at = rng.random_range(checkpoint..=at);
                checkpoint = at;
            }
        }
    }

    fn change(&mut self, rng: &mut StdRng, event: &Event, rows: &mut Vec<LoggedRow>) {
        self.counter += 1;
        // MySQL's log has whole seconds, so many changes share one.
        if rng.random_bool(0.3) {
            self.commit += 1_000_000 * rng.random_range(1..100);
        }
        let (op, before, image) = match &event.change {
            Change::Insert(row) => (Op::Insert, None, row),
            Change::Update { before, after } => (Op::Update, Some(before), after),
            Change::Delete(row) => (Op::Delete, None, row),
        };
        self.bad_copy(rng, op, image, false, rows);
        let mut logged = self.row(op, before, image.clone(), false);
        if let Some(before) = before.filter(|_| self.task.partial) {
            self.leave_out(rng, before, &mut logged.row, event.epoch);
        }
        rows.push(logged);
    }

    /// Marks unchanged columns as not supplied. A key change must be complete if its old row may be
    /// missing when it is applied, because otherwise the row could not be reconstructed.
    fn leave_out(&self, rng: &mut StdRng, before: &Row, row: &mut StagedRow, epoch: usize) {
        let applied_once =
            !self.task.resumes && (!self.task.loaded || self.history.during_load == 0);
        if changes_key(before, &row.image, &self.history.keys) && !applied_once {
            return;
        }
        for (position, unset) in row.unset.iter_mut().enumerate() {
            let may = self.history.is_source(position)
                && self.history.columns[position].stands_in(epoch)
                && !self.history.keys.contains(&position);
            *unset = may && before[position] == row.image[position] && rng.random_bool(0.7);
        }
    }

    fn row(&self, op: Op, before: Option<&Row>, mut image: Row, load: bool) -> LoggedRow {
        if let Some(position) = self.history.stored_timestamp {
            image[position] = Value::Instant(self.commit);
        }
        let unset = vec![false; image.len()];
        let before = before.filter(|_| self.endpoint.before_prefix.is_some()).cloned();
        let has_sequence = !load && self.endpoint.sequence.is_some();
        let sequence = has_sequence.then(|| format!("2024030512000000{:019}", self.counter));
        let committed = (!load).then_some(self.commit);
        let row = StagedRow { op, before, image, unset, bad: false, sequence, committed };
        LoggedRow { row, timestamp: self.commit, spoilt: None }
    }

    /// Sometimes adds a broken copy of a change before it.
    fn bad_copy(
        &self,
        rng: &mut StdRng,
        op: Op,
        image: &Row,
        load: bool,
        rows: &mut Vec<LoggedRow>,
    ) {
        if !self.task.bad_rows || rng.random_bool(0.9) {
            return;
        }
        let mut logged = self.row(op, None, image.clone(), load);
        let letters = self.history.columns.iter().enumerate().filter(|(position, column)| {
            self.history.is_source(*position)
                && column.kind.can_be_spoilt()
                && image[*position] != Value::Null
                && (op != Op::Delete || self.history.keys.contains(position))
        });
        let letters: Vec<usize> = letters.map(|(position, _)| position).collect();
        let spoilt = match letters.choose(rng) {
            Some(&position) if self.task.csv => Spoilt::Letters(position),
            _ => Spoilt::NullKey,
        };
        logged.row.bad = true;
        logged.spoilt = Some(spoilt);
        rows.push(logged);
    }
}

fn happen(source: &mut Rows, change: &Change, keys: &[usize]) {
    match change {
        Change::Insert(row) => {
            source.insert(key_of(row, keys), row.clone());
        }
        Change::Update { before, after } => {
            source.remove(&key_of(before, keys));
            source.insert(key_of(after, keys), after.clone());
        }
        Change::Delete(row) => {
            source.remove(&key_of(row, keys));
        }
    }
}
