//! Random net changes.

use std::collections::BTreeSet;

use dmslake::change::NetChanges;
use dmslake::schema::Column;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};

use super::domain::Shape;
use super::rows;
use crate::support::model::{Key, Row, Rows};

/// The effect of a batch on the model: each key is in one of the two, once.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes {
    pub(super) upserts: Vec<(Key, Row)>,
    pub(super) deletes: Vec<Key>,
}

/// The source of a table's random batches.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) shape: &'a Shape,
    /// The number of columns in the table.
    pub(super) width: usize,
    /// Keys that exist or may be inserted.
    pub(super) pool: &'a [Key],
    pub(super) rows: &'a Rows,
    /// The keys of each file as originally written, sorted.
    pub(super) files: &'a [Vec<Key>],
}

impl Source<'_> {
    /// A batch of a random kind.
    pub(super) fn changes(&self, rng: &mut StdRng) -> Changes {
        let (updated, deleted, all) = (0.0, 1.0, 1.0);
        match rng.random_range(0..14) {
            0 => Changes::default(),
            1 => self.drawn(rng, |_, is_there| !is_there, updated, 0.7),
            2 => self.drawn(rng, |_, is_there| is_there, deleted, 0.5),
            3 => self.drawn(rng, |_, is_there| is_there, updated, 0.5),
            // Whole files, their first and last rows, or one row of each.
            4 if !self.files.is_empty() => {
                let file: BTreeSet<&Key> = self.files.choose(rng).unwrap().iter().collect();
                self.drawn(rng, |key, is_there| is_there && file.contains(key), deleted, all)
            }
            5 => {
                let ends = |file: &'_ Vec<Key>| [file.first().cloned(), file.last().cloned()];
                let ends: BTreeSet<Key> = self.files.iter().flat_map(ends).flatten().collect();
                self.drawn(rng, |key, _| ends.contains(key), 0.5, all)
            }
            6 => {
                let each = self.files.iter().filter_map(|file| file.choose(rng).cloned());
                let each: BTreeSet<Key> = each.collect();
                self.drawn(rng, |key, _| each.contains(key), 0.3, all)
            }
            // Deletes everything, or inserts everything.
            7 => self.drawn(rng, |_, is_there| is_there, deleted, all),
            8 => self.drawn(rng, |_, is_there| !is_there, deleted, 0.5),
            9 => {
                let one = self.pool.choose(rng).cloned();
                self.drawn(rng, |key, _| Some(key) == one.as_ref(), 0.5, all)
            }
            _ => {
                let share = *[0.02, 0.1, 0.9].choose(rng).unwrap();
                self.drawn(rng, |_, _| true, 0.4, share)
            }
        }
    }

    /// A random share of the keys that `wanted` accepts; some of them are deleted. Most deleted
    /// keys exist, so that not all deletes are ignored.
    fn drawn(
        &self,
        rng: &mut StdRng,
        wanted: impl Fn(&Key, bool) -> bool,
        deleted: f64,
        share: f64,
    ) -> Changes {
        let mut changes = Changes::default();
        for key in self.pool {
            if !wanted(key, self.rows.contains_key(key)) || !rng.random_bool(share) {
                continue;
            }
            if rng.random_bool(deleted) {
                changes.deletes.push(key.clone());
            } else {
                changes.upserts.push((key.clone(), self.shape.row(rng, key, self.width)));
            }
        }
        if rng.random() {
            changes.upserts.shuffle(rng);
            changes.deletes.shuffle(rng);
        }
        changes
    }
}

impl Changes {
    pub(super) fn is_empty(&self) -> bool {
        self.upserts.is_empty() && self.deletes.is_empty()
    }

    /// The net changes as the reduction returns them, cut into batches anywhere.
    pub(super) fn net(&self, rng: &mut StdRng, columns: &[Column], keys: &[usize]) -> NetChanges {
        let size = *[1 << 20, 1 << 20, 100, 7].choose(rng).unwrap();
        let size = if self.upserts.len() + self.deletes.len() > 500 { size.max(300) } else { size };
        let upserts = self
            .upserts
            .chunks(size)
            .map(|part| rows::batch(columns, &part.iter().map(|(_, row)| row).collect::<Vec<_>>()));
        let deletes = self
            .deletes
            .chunks(size)
            .map(|part| rows::key_batch(columns, keys, &part.iter().collect::<Vec<_>>()));
        NetChanges {
            upserts: upserts.collect(),
            deletes: deletes.collect(),
            changes: (self.upserts.len() + self.deletes.len()) as u64,
            ..NetChanges::default()
        }
    }

    /// Applies it to the model; returns inserted, updated, deleted and ignored.
    pub(super) fn apply(self, rows: &mut Rows) -> [u64; 4] {
        let mut counts = [0; 4];
        for (key, row) in self.upserts {
            counts[usize::from(rows.insert(key, row).is_some())] += 1;
        }
        for key in self.deletes {
            counts[if rows.remove(&key).is_some() { 2 } else { 3 }] += 1;
        }
        counts
    }
}
