//! DMS's S3 target: turns the history of a table into staged objects, under the settings of a
//! random task, with the rows of each object.

mod configuration;
mod csv;
mod log;
mod names;
mod parquet;
mod task;

pub(crate) use configuration::{Bounds, configuration};
pub(crate) use task::{Endpoint, TableTask};

use bytes::Bytes;
use rand::Rng;
use rand::rngs::StdRng;

use super::history::TableHistory;
use super::model::{Model, StagedRow};
use log::{LoggedRow, Segment};

/// An object as DMS stages it, and its content.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    /// Its name below the table's folder.
    pub(crate) relative: String,
    pub(crate) bytes: Bytes,
    /// Whether the full load wrote it.
    pub(crate) load: bool,
    /// The schema epoch of its columns.
    pub(crate) epoch: usize,
    pub(crate) rows: Vec<StagedRow>,
    /// Its change sequence goes back behind an earlier object's.
    pub(crate) replays: bool,
}

/// A staged table: everything that the judge needs.
#[derive(Clone, Debug)]
pub(crate) struct StagedTable {
    pub(crate) history: TableHistory,
    pub(crate) task: TableTask,
    /// In the order in which DMS stages them.
    pub(crate) objects: Vec<Written>,
}

/// A field of a staged row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Op,
    Timestamp,
    Source(usize),
    Before(usize),
    Sequence,
}

/// How one object is written.
struct Form<'a> {
    history: &'a TableHistory,
    endpoint: &'a Endpoint,
    task: &'a TableTask,
    load: bool,
    epoch: usize,
}

impl Form<'_> {
    /// The object's fields, in the order in which DMS writes them.
    fn fields(&self) -> Vec<Field> {
        let mut fields = Vec::new();
        if if self.load { self.endpoint.op_in_load } else { self.endpoint.op_in_cdc } {
            fields.push(Field::Op);
        }
        if self.endpoint.timestamp.is_some() {
            fields.push(Field::Timestamp);
        }
        fields.extend(self.layout());
        fields
    }

    /// The columns of the source and those added by rules.
    fn layout(&self) -> Vec<Field> {
        let columns = self.history.columns.iter().enumerate();
        let standing = columns
            .filter(|(at, column)| self.history.is_source(*at) && column.stands_in(self.epoch));
        let source: Vec<usize> = standing.map(|(position, _)| position).collect();
        let mut fields: Vec<Field> = source.iter().map(|&at| Field::Source(at)).collect();
        if self.endpoint.sequence.is_some() && self.task.sequence_first {
            fields.push(Field::Sequence);
        }
        if self.endpoint.before_prefix.is_some() {
            let with_before = source.iter().filter(|&&at| self.task.has_before(self.history, at));
            fields.extend(with_before.map(|&at| Field::Before(at)));
        }
        if self.endpoint.sequence.is_some() && !self.task.sequence_first {
            fields.push(Field::Sequence);
        }
        fields
    }

    fn name(&self, field: Field) -> String {
        match field {
            Field::Op => "Op".into(),
            Field::Timestamp => self.endpoint.timestamp.clone().expect("there is one"),
            Field::Source(at) => self.history.columns[at].name.clone(),
            Field::Before(at) => {
                let prefix = self.endpoint.before_prefix.as_ref().expect("there is one");
                format!("{prefix}{}", self.history.columns[at].name)
            }
            Field::Sequence => self.endpoint.sequence.clone().expect("there is one"),
        }
    }
}

/// Stages a whole history.
pub(crate) fn stage(
    rng: &mut StdRng,
    history: TableHistory,
    endpoint: &Endpoint,
    task: TableTask,
) -> StagedTable {
    let mut objects = Vec::new();
    let mut names = names::Names::new(rng, endpoint, &task);
    for segment in log::segments(rng, &history, endpoint, &task) {
        let Segment { load, epoch, rows, replays } = segment;
        let form = Form { history: &history, endpoint, task: &task, load, epoch };
        let relative = names.next(rng, load);
        let bytes = encode(rng, &form, &rows);
        let rows = rows.into_iter().map(|logged| logged.row).collect();
        objects.push(Written { relative, bytes, load, epoch, rows, replays });
    }
    StagedTable { history, task, objects }
}

/// An object with hand-written rows.
#[derive(Clone)]
pub(crate) struct Scripted {
    pub(crate) relative: String,
    pub(crate) load: bool,
    pub(crate) epoch: usize,
    pub(crate) rows: Vec<StagedRow>,
}

/// Stages hand-written objects; the source's last state is the result of replaying them.
pub(crate) fn stage_scripted(
    rng: &mut StdRng,
    mut history: TableHistory,
    endpoint: &Endpoint,
    task: TableTask,
    script: Vec<Scripted>,
) -> StagedTable {
    let mut objects = Vec::new();
    let mut model = Model::new(task.guarded);
    for Scripted { relative, load, epoch, rows } in script {
        let form = Form { history: &history, endpoint, task: &task, load, epoch };
        let logged: Vec<LoggedRow> =
            rows.iter().map(|row| LoggedRow::scripted(row, &history)).collect();
        let bytes = encode(rng, &form, &logged);
        model.apply(&history.columns, &history.keys, rows.iter().map(|row| (epoch, row)));
        history.last_epoch = history.last_epoch.max(epoch);
        objects.push(Written { relative, bytes, load, epoch, rows, replays: false });
    }
    history.last = model.rows;
    StagedTable { history, task, objects }
}

fn encode(rng: &mut StdRng, form: &Form<'_>, rows: &[LoggedRow]) -> Bytes {
    if rows.is_empty() && rng.random_bool(0.3) {
        return Bytes::new();
    }
    if form.task.csv { csv::encode(rng, form, rows) } else { parquet::encode(rng, form, rows) }
}
