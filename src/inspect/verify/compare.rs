//! Rows of both sides, compared key by key and column by column.

use std::collections::{BTreeSet, HashMap};

use arrow::array::RecordBatch;

use crate::error::Result;
use crate::inspect::verify::encode::{Digest, Encoder, Key};
use crate::inspect::verify::narrowing::Sides;
use crate::inspect::verify::verification::Kind;

/// How a key differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Differs {
    pub(super) kind: Kind,
    /// The columns with other values.
    pub(super) columns: Vec<String>,
}

/// What both sides have of a key, and how that differs, if it does.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) sides: Sides,
    pub(super) differs: Option<Differs>,
}

/// A row: its digest, and its values one by one.
#[derive(Clone, Debug)]
pub(super) struct ValuedRow {
    pub(super) digest: Digest,
    pub(super) values: Vec<Box<[u8]>>,
}

/// Rows by their keys.
pub(super) type ByKey = HashMap<Key, Vec<ValuedRow>>;

/// The rows of these batches that have one of these keys.
pub(super) fn by_key(encoder: &Encoder, keys: &[Key], batches: &[RecordBatch]) -> Result<ByKey> {
    let asked: BTreeSet<&Key> = keys.iter().collect();
    let mut rows = ByKey::new();
    for batch in batches {
        let (in_bytes, each) = (encoder.encode(batch)?, encoder.each_value(batch)?);
        for row in 0..in_bytes.len() {
            let key = Key::from(in_bytes.key(row));
            if asked.contains(&key) {
                let values = each.iter().map(|column| column.row(row).data().into()).collect();
                let found = ValuedRow { digest: in_bytes.digest(row, encoder), values };
                rows.entry(key).or_default().push(found);
            }
        }
    }
    Ok(rows)
}

/// Compares what both sides have of these keys, each once.
pub(super) fn compare(
    encoder: &Encoder,
    keys: &[Key],
    at_source: &[RecordBatch],
    in_lake: &[RecordBatch],
) -> Result<Vec<(Key, Found)>> {
    let at_source = by_key(encoder, keys, at_source)?;
    let in_lake = by_key(encoder, keys, in_lake)?;
    let none = Vec::new();
    let found = keys.iter().map(|key| {
        let source = at_source.get(key).and_then(|rows| rows.first());
        let lake = in_lake.get(key).unwrap_or(&none);
        let digests = lake.iter().map(|row| row.digest).collect();
        let sides = Sides { source: source.map(|row| row.digest), lake: digests };
        (key.clone(), Found { differs: differs(encoder, source, lake), sides })
    });
    Ok(found.collect())
}

/// How the lake's rows of a key differ from the source's, if they do.
pub(super) fn differs(
    encoder: &Encoder,
    source: Option<&ValuedRow>,
    lake: &[ValuedRow],
) -> Option<Differs> {
    let of_kind = |kind| Some(Differs { kind, columns: Vec::new() });
    match (source, lake) {
        (None, []) => None,
        (Some(_), []) => of_kind(Kind::Missing),
        (None, _) => of_kind(Kind::Extra),
        (Some(source), [one]) if source.digest == one.digest => None,
        (Some(source), [one]) => {
            let pairs = source.values.iter().zip(&one.values);
            let named = encoder.value_names().zip(pairs);
            let other = named.filter(|(_, (source, lake))| source != lake);
            let columns = other.map(|(name, _)| name.to_owned()).collect();
            Some(Differs { kind: Kind::OtherValues, columns })
        }
        (Some(_), _) => of_kind(Kind::Repeated),
    }
}
