//! The reference: a plain map that replays changes one by one.

use std::collections::BTreeMap;

use super::column::Column;

/// A value of the source. Its order is only for maps.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Value {
    Null,
    /// `0000-00-00` as a date or a datetime; the lake cannot represent it.
    ZeroDate,
    Bool(bool),
    Int(i128),
    Decimal {
        unscaled: i128,
        scale: u8,
    },
    /// The bits of a double.
    Double(u64),
    Text(String),
    Bytes(Vec<u8>),
    /// Days since 1970.
    Day(i32),
    /// Microseconds since 1970.
    Instant(i64),
}

impl Value {
    pub(crate) fn double(value: f64) -> Self {
        Self::Double(value.to_bits())
    }

    fn in_lake(&self) -> Self {
        if *self == Self::ZeroDate { Self::Null } else { self.clone() }
    }
}

/// One value for each column that the table ever has; NULL if the column does not exist.
pub(crate) type Row = Vec<Value>;
/// The values of a row's key columns.
pub(crate) type Key = Vec<Value>;
/// Rows by key.
pub(crate) type Rows = BTreeMap<Key, Row>;

/// The value of `Op`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Insert,
    Update,
    Delete,
}

/// One row of a staged object.
#[derive(Clone, Debug)]
pub(crate) struct StagedRow {
    pub(crate) op: Op,
    /// The row before an update, where before images are written.
    pub(crate) before: Option<Row>,
    /// The after image, or for a delete the before image.
    pub(crate) image: Row,
    /// Columns whose value the object does not supply.
    pub(crate) unset: Vec<bool>,
    /// The row cannot be decoded: it must be counted as quarantined and change nothing.
    pub(crate) bad: bool,
    /// Its change sequence; none in full load.
    pub(crate) sequence: Option<String>,
    /// When it was committed at the source, in microseconds; none in full load, and of rows by hand.
    pub(crate) committed: Option<i64>,
}

/// The effect of a row on a key.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Effect {
    Upsert(Key),
    Delete(Key),
}

impl Effect {
    fn key(&self) -> &Key {
        let (Self::Upsert(key) | Self::Delete(key)) = self;
        key
    }
}

impl StagedRow {
    fn effects(&self, keys: &[usize]) -> Vec<Effect> {
        let key = key_of(&self.image, keys);
        if self.bad {
            return Vec::new();
        }
        if self.op == Op::Delete {
            return vec![Effect::Delete(key)];
        }
        match self.before.as_ref().map(|row| key_of(row, keys)) {
            Some(old) if self.op == Op::Update && old != key => {
                vec![Effect::Delete(old), Effect::Upsert(key)]
            }
            _ => vec![Effect::Upsert(key)],
        }
    }
}

/// The outcomes of changes, as specified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) rows: u64,
    pub(crate) inserted: u64,
    pub(crate) updated: u64,
    pub(crate) deleted: u64,
    pub(crate) superseded: u64,
    pub(crate) ignored: u64,
    pub(crate) quarantined: u64,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.rows += other.rows;
        self.inserted += other.inserted;
        self.updated += other.updated;
        self.deleted += other.deleted;
        self.superseded += other.superseded;
        self.ignored += other.ignored;
        self.quarantined += other.quarantined;
    }
}

/// The state of one table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub(crate) rows: Rows,
    /// The greatest change sequence of each key; none of a table that is not guarded.
    newest: Option<BTreeMap<Key, String>>,
}

impl Model {
    /// Of a table that is guarded or not.
    pub(crate) fn new(guarded: bool) -> Self {
        Self { rows: Rows::new(), newest: guarded.then(BTreeMap::new) }
    }

    /// Whether the guard drops a change of that key; otherwise its sequence is taken in.
    fn is_older(&mut self, key: &Key, sequence: Option<&String>) -> bool {
        let (Some(newest), Some(sequence)) = (&mut self.newest, sequence) else { return false };
        if newest.get(key).is_some_and(|newest| newest > sequence) {
            return true;
        }
        newest.insert(key.clone(), sequence.clone());
        false
    }

    /// Applies one slice, row by row, and returns the expected counts of its commit.
    pub(crate) fn apply<'a>(
        &mut self,
        columns: &[Column],
        keys: &[usize],
        slice: impl IntoIterator<Item = (usize, &'a StagedRow)>,
    ) -> Counts {
        let mut counts = Counts::default();
        // Per key: whether it existed before, and whether it exists after the last change.
        let mut last: BTreeMap<Key, (bool, bool)> = BTreeMap::new();
        for (epoch, row) in slice {
            let mut effects = row.effects(keys);
            counts.quarantined += u64::from(row.bad);
            counts.rows += u64::from(row.bad) + effects.len() as u64;
            let all = effects.len();
            effects.retain(|effect| !self.is_older(effect.key(), row.sequence.as_ref()));
            counts.superseded += (all - effects.len()) as u64;
            for effect in &effects {
                let (key, upserts) = (effect.key(), matches!(effect, Effect::Upsert(_)));
                let before = last.get(key).map(|&(before, _)| before);
                counts.superseded += u64::from(before.is_some());
                let before = before.unwrap_or_else(|| self.rows.contains_key(key));
                last.insert(key.clone(), (before, upserts));
            }
            self.replay(columns, epoch, row, &effects);
        }
        for fate in last.values() {
            let fate = match fate {
                (true, true) => &mut counts.updated,
                (false, true) => &mut counts.inserted,
                (true, false) => &mut counts.deleted,
                (false, false) => &mut counts.ignored,
            };
            *fate += 1;
        }
        counts
    }

    fn replay(&mut self, columns: &[Column], epoch: usize, row: &StagedRow, effects: &[Effect]) {
        let mut kept = None;
        for effect in effects {
            match effect {
                Effect::Delete(key) => kept = self.rows.remove(key),
                Effect::Upsert(key) => {
                    // An unsupplied value is that of the row before its key changed.
                    let earlier =
                        if effects.len() == 2 { kept.take() } else { self.rows.get(key).cloned() };
                    let image = complete(columns, epoch, row, earlier.as_ref());
                    self.rows.insert(key.clone(), image);
                }
            }
        }
    }
}

fn complete(columns: &[Column], epoch: usize, row: &StagedRow, earlier: Option<&Row>) -> Row {
    let value = |(position, column): (usize, &Column)| {
        if !column.stands_in(epoch) {
            Value::Null
        } else if row.unset[position] {
            earlier.map_or(Value::Null, |earlier| earlier[position].clone())
        } else {
            row.image[position].in_lake()
        }
    };
    columns.iter().enumerate().map(value).collect()
}

/// The key of a row.
pub(crate) fn key_of(row: &Row, keys: &[usize]) -> Key {
    keys.iter().map(|&position| row[position].clone()).collect()
}

/// The first differences between expected and found rows, by key; none if equal.
pub(crate) fn differences(columns: &[Column], expected: &Rows, found: &Rows) -> Option<String> {
    let mut lines = Vec::new();
    for (key, row) in expected {
        match found.get(key) {
            None => lines.push(format!("{key:?} is missing")),
            Some(other) => {
                for (position, column) in columns.iter().enumerate() {
                    if row[position] != other[position] {
                        lines.push(format!(
                            "{key:?} column {}: expected {:?}, found {:?}",
                            column.lake, row[position], other[position]
                        ));
                    }
                }
            }
        }
    }
    let surplus = found.keys().filter(|key| !expected.contains_key(*key));
    lines.extend(surplus.map(|key| format!("{key:?} should not be there")));
    if lines.is_empty() {
        return None;
    }
    let more = lines.len().saturating_sub(8);
    lines.truncate(8);
    Some(format!("{}\n… and {more} more", lines.join("\n")))
}

/// Upper-case hexadecimal digits of bytes.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut digits = String::new();
    for byte in bytes {
        write!(digits, "{byte:02X}").expect("a text takes everything");
    }
    digits
}
