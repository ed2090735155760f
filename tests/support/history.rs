//! Random histories of a source table: what happened to it, in order.

use std::collections::BTreeMap;

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};

use super::column::{Column, Kind, Taste};
use super::model::{Key, Row, Rows, Value, key_of};

/// What a history may contain.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches")]
pub(crate) struct Shape {
    pub(crate) taste: Taste,
    /// With deletes and changes of keys.
    pub(crate) deletes: bool,
    /// Needs before images.
    pub(crate) key_changes: bool,
    /// There may be a data column called `Op`.
    pub(crate) op_as_data: bool,
    /// A data column may look like a before image.
    pub(crate) before_prefix: Option<String>,
    /// NOT NULL columns may contain zero dates.
    pub(crate) zero_dates_required: bool,
    /// Name of the timestamp column, if it is stored.
    pub(crate) stored_timestamp: Option<String>,
    pub(crate) changes: usize,
}

/// One change at the source.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Insert(Row),
    Update { before: Row, after: Row },
    Delete(Row),
}

/// A change, and the schema epoch in which it happened.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) epoch: usize,
    pub(crate) change: Change,
}

/// The whole life of a table. The full load starts before the first event.
#[derive(Clone, Debug)]
pub(crate) struct TableHistory {
    pub(crate) schema: String,
    pub(crate) table: String,
    /// All columns that the table ever has; a row has a value for each.
    pub(crate) columns: Vec<Column>,
    /// Positions of the key columns.
    pub(crate) keys: Vec<usize>,
    /// Position of the stored timestamp column, which is no source column.
    pub(crate) stored_timestamp: Option<usize>,
    pub(crate) initial: Rows,
    pub(crate) events: Vec<Event>,
    /// The number of first events that happen during the full load.
    pub(crate) during_load: usize,
    /// The source at the end.
    pub(crate) last: Rows,
    pub(crate) last_epoch: usize,
}

const NAMES: &[&str] = &[
    "name",
    "größe",
    "camelCase",
    "order",
    "net.amount",
    "it's",
    "Note",
    "unit price",
    "total;sum",
    "flag",
    "created_at",
    "x1",
    "deleted",
    "version",
    "source",
    "target",
    "txn",
    "ROW",
];

impl TableHistory {
    /// A random history of a table with this name.
    pub(crate) fn random(rng: &mut StdRng, schema: &str, table: &str, shape: &Shape) -> Self {
        let epochs = rng.random_range(1..=4);
        let (columns, keys) = columns(rng, shape, epochs);
        let stored_timestamp = shape.stored_timestamp.as_ref().map(|_| columns.len() - 1);
        let mut source = Source {
            pool: key_pool(rng, &columns, &keys, &shape.taste),
            stored_timestamp,
            rows: BTreeMap::new(),
            epoch: 0,
            columns,
            keys,
        };
        let initial_rows = *[0, 3, 12, 25].choose(rng).expect("sizes");
        for _ in 0..initial_rows {
            source.insert(rng, shape);
        }
        let initial = source.rows.clone();
        let during_load =
            if initial.is_empty() { 0 } else { rng.random_range(0..=shape.changes / 3) };
        let mut events = Vec::new();
        while events.len() < shape.changes {
            let left = shape.changes - during_load.min(shape.changes - 1);
            // The guide excludes changes of structure during the load.
            if events.len() > during_load
                && source.epoch + 1 < epochs
                && rng.random_ratio(
                    u32::try_from(epochs).expect("few"),
                    u32::try_from(left.max(epochs)).expect("few"),
                )
            {
                source.next_epoch();
            }
            if let Some(change) = source.change(rng, shape) {
                events.push(Event { epoch: source.epoch, change });
            }
        }
        Self {
            schema: schema.to_owned(),
            table: table.to_owned(),
            last_epoch: source.epoch,
            columns: source.columns,
            keys: source.keys,
            stored_timestamp,
            initial,
            events,
            during_load,
            last: source.rows,
        }
    }

    /// Whether a column belongs to the source and not to DMS.
    pub(crate) fn is_source(&self, position: usize) -> bool {
        self.stored_timestamp != Some(position)
    }
}

/// The table while its history is generated.
struct Source {
    columns: Vec<Column>,
    keys: Vec<usize>,
    stored_timestamp: Option<usize>,
    /// The only keys that the table ever has, so that they recur.
    pool: Vec<Key>,
    rows: Rows,
    epoch: usize,
}

impl Source {
    fn change(&mut self, rng: &mut StdRng, shape: &Shape) -> Option<Change> {
        let existing: Vec<Key> = self.rows.keys().cloned().collect();
        let Some(key) = existing.choose(rng) else { return self.insert(rng, shape) };
        let before = self.rows[key].clone();
        match rng.random_range(0..100) {
            0..30 => self.insert(rng, shape),
            30..45 if shape.deletes => {
                self.rows.remove(key);
                Some(Change::Delete(before))
            }
            45..58 if shape.key_changes => {
                let new = self.free_key(rng)?;
                let mut after = self.changed(rng, shape, &before);
                for (value, &position) in new.iter().zip(&self.keys) {
                    after[position] = value.clone();
                }
                self.rows.remove(key);
                self.rows.insert(new, after.clone());
                Some(Change::Update { before, after })
            }
            58..63 => Some(Change::Update { after: before.clone(), before }),
            _ => {
                let after = self.changed(rng, shape, &before);
                self.rows.insert(key.clone(), after.clone());
                Some(Change::Update { before, after })
            }
        }
    }

    fn insert(&mut self, rng: &mut StdRng, shape: &Shape) -> Option<Change> {
        let key = self.free_key(rng)?;
        let mut row: Row = (0..self.columns.len()).map(|at| self.value(rng, shape, at)).collect();
        for (value, &position) in key.iter().zip(&self.keys) {
            row[position] = value.clone();
        }
        self.rows.insert(key, row.clone());
        Some(Change::Insert(row))
    }

    /// The row with some of its values changed, never the key.
    fn changed(&self, rng: &mut StdRng, shape: &Shape, before: &Row) -> Row {
        let mut after = before.clone();
        for (position, value) in after.iter_mut().enumerate() {
            if !self.keys.contains(&position) && rng.random_bool(0.4) {
                *value = self.value(rng, shape, position);
            }
        }
        after
    }

    fn value(&self, rng: &mut StdRng, shape: &Shape, position: usize) -> Value {
        let column = &self.columns[position];
        let absent = !column.stands_in(self.epoch) || self.stored_timestamp == Some(position);
        if absent || column.nullable && rng.random_bool(0.2) {
            return Value::Null;
        }
        loop {
            let value = column.kind.value(rng, &shape.taste);
            if value != Value::ZeroDate || column.nullable || shape.zero_dates_required {
                return value;
            }
        }
    }

    fn free_key(&self, rng: &mut StdRng) -> Option<Key> {
        let free: Vec<&Key> =
            self.pool.iter().filter(|key| !self.rows.contains_key(*key)).collect();
        free.choose(rng).map(|key| (*key).clone())
    }

    fn next_epoch(&mut self) {
        self.epoch += 1;
        let gone: Vec<usize> = (0..self.columns.len())
            .filter(|&position| self.columns[position].until == self.epoch)
            .collect();
        for row in self.rows.values_mut() {
            for &position in &gone {
                row[position] = Value::Null;
            }
        }
    }
}

fn columns(rng: &mut StdRng, shape: &Shape, epochs: usize) -> (Vec<Column>, Vec<usize>) {
    let key = |name: &str, kind| Column {
        name: name.into(),
        lake: name.into(),
        kind,
        nullable: false,
        from: 0,
        until: usize::MAX,
    };
    let int = Kind::Int { bits: 32, unsigned: false };
    let mut columns = match rng.random_range(0..6) {
        0 | 1 => vec![key("id", int)],
        2 => vec![key("Id", Kind::Int { bits: 64, unsigned: true })],
        3 => vec![key("code", Kind::Varchar)],
        4 => vec![key("order id", int), key("line", Kind::Varchar)],
        _ => vec![key("at", Kind::DateTime), key("n", Kind::Decimal { precision: 5, scale: 0 })],
    };
    let key_names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
    let mut names: Vec<String> = NAMES.iter().map(|&name| name.to_owned()).collect();
    if shape.op_as_data {
        names.push("Op".into());
    }
    if let Some(prefix) = &shape.before_prefix {
        names.push(format!("{prefix}margin"));
    }
    // Without quotes, a header cannot contain such a name.
    names.retain(|name| !shape.taste.harmless || !name.contains(';'));
    names.shuffle(rng);
    let data_columns = rng.random_range(1..8);
    for name in names.drain(..data_columns) {
        let until = if rng.random_bool(0.1) { rng.random_range(1..=epochs) } else { usize::MAX };
        columns.push(data_column(rng, name, 0, until));
    }
    // The key is not always first.
    let keep_first = usize::from(columns[0].name == "Op" || rng.random_bool(0.6));
    columns[keep_first..].shuffle(rng);
    if columns[0].name == "Op" {
        columns.swap(0, 1);
    }
    // A first field called `Op` is DMS's, so no data column with this name may be first.
    columns[0].until = usize::MAX;
    for from in 1..epochs {
        let name = names.pop().expect("enough names");
        let until = if rng.random_bool(0.1) { from + 1 } else { usize::MAX };
        columns.push(Column { nullable: true, ..data_column(rng, name, from, until) });
    }
    if let Some(name) = &shape.stored_timestamp {
        columns.push(key(name, Kind::DateTime));
    }
    for column in &mut columns {
        let refused = column.name.contains([' ', ',', ';', '{', '}', '(', ')', '=', '\t', '\n']);
        if refused || rng.random_bool(0.1) && shape.stored_timestamp.as_ref() != Some(&column.name)
        {
            column.lake = format!("lake_{}", column.name.replace([' ', ';'], "_"));
        }
    }
    let position = |name: &String| columns.iter().position(|column| column.name == *name);
    let keys = key_names.iter().map(|name| position(name).expect("keys are columns")).collect();
    (columns, keys)
}

fn data_column(rng: &mut StdRng, name: String, from: usize, until: usize) -> Column {
    Column {
        lake: name.clone(),
        name,
        kind: Kind::any(rng),
        nullable: rng.random_bool(0.8),
        from,
        until,
    }
}

fn key_pool(rng: &mut StdRng, columns: &[Column], keys: &[usize], taste: &Taste) -> Vec<Key> {
    // An empty before image of a key cannot be distinguished from none.
    let taste = Taste { never_empty: true, ..taste.clone() };
    let mut pool = std::collections::BTreeSet::new();
    let size = rng.random_range(12..40);
    while pool.len() < size {
        let key: Key = keys.iter().map(|&at| columns[at].kind.value(rng, &taste)).collect();
        if !key.contains(&Value::ZeroDate) {
            pool.insert(key);
        }
    }
    pool.into_iter().collect()
}

/// The key of a change's row, as it is afterwards.
pub(crate) fn changes_key(before: &Row, after: &Row, keys: &[usize]) -> bool {
    key_of(before, keys) != key_of(after, keys)
}
