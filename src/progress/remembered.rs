//! Objects that the ledger remembers individually, and how a commit record stores them.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::progress::Mark;
use crate::progress::packed::{pack_marks, shared_start, unpack_marks};

/// An applied object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Remembered {
    /// The stamp of a CDC object; empty for a full-load object.
    pub(super) stamp: String,
    /// Last modified, in milliseconds since the epoch.
    pub(super) modified: i64,
    pub(super) mark: Mark,
}

/// The list as it is stored.
#[derive(Serialize, Deserialize)]
struct Columns {
    /// The prefix that all stamps share; `stamp` is the rest of each. Empty if no object has a
    /// stamp.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    prefix: String,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    stamp: Vec<String>,
    /// The last-modified time of the first object; `modified` is relative to it.
    since: i64,
    modified: Vec<i64>,
    /// The fingerprints, concatenated.
    identity: String,
    #[serde(skip_serializing_if = "String::is_empty", default)]
    listing: String,
}

/// An object as format 1 of the commit record lists it.
#[derive(Deserialize)]
struct Single {
    #[serde(rename = "s", default)]
    stamp: String,
    #[serde(rename = "m")]
    modified: i64,
    #[serde(flatten)]
    mark: Mark,
}

/// The list as any format has it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Stored {
    Columns(Box<Columns>),
    Singles(Vec<Single>),
}

/// Writes the list.
pub(super) fn serialize<S: Serializer>(
    objects: &[Remembered],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let shared = shared_start(objects.iter().map(|object| object.stamp.as_str()));
    let has_stamps = objects.iter().any(|object| !object.stamp.is_empty());
    let since = objects.first().map_or(0, |first| first.modified);
    let (identity, listing) = pack_marks(objects.iter().map(|object| &object.mark));
    let rest = |object: &Remembered| object.stamp[shared..].to_owned();
    let columns = Columns {
        prefix: objects.first().map_or("", |first| &first.stamp[..shared]).to_owned(),
        stamp: objects.iter().filter(|_| has_stamps).map(rest).collect(),
        since,
        modified: objects.iter().map(|object| object.modified.saturating_sub(since)).collect(),
        identity,
        listing,
    };
    columns.serialize(serializer)
}

/// Reads the list.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<Remembered>, D::Error> {
    let columns = match Stored::deserialize(deserializer)? {
        Stored::Columns(columns) => columns,
        Stored::Singles(singles) => {
            let objects = singles.into_iter();
            let object = |Single { stamp, modified, mark }| Remembered { stamp, modified, mark };
            return Ok(objects.map(object).collect());
        }
    };
    let Columns { prefix, stamp, since, modified, identity, listing } = *columns;
    let count = modified.len();
    let marks = unpack_marks(count, &identity, &listing)
        .filter(|_| [0, count].contains(&stamp.len()))
        .ok_or_else(|| serde::de::Error::custom("the columns of the ledger do not agree"))?;
    let object = |(at, (modified, mark)): (usize, (i64, Mark))| Remembered {
        stamp: stamp.get(at).map_or_else(String::new, |rest| format!("{prefix}{rest}")),
        modified: since.saturating_add(modified),
        mark,
    };
    Ok(modified.into_iter().zip(marks).enumerate().map(object).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Fingerprint;

    fn object(stamp: &str, modified: i64, listing: Option<u64>) -> Remembered {
        let fingerprint = |number: u64| Fingerprint::from_bytes(number.to_be_bytes());
        let identity = fingerprint(modified.unsigned_abs() << 7);
        let listing = listing.map(fingerprint);
        Remembered { stamp: stamp.to_owned(), modified, mark: Mark { identity, listing } }
    }

    #[test]
    fn a_list_comes_back_as_it_was() {
        let lists = [
            vec![],
            vec![object("20240101-000000001", 5, Some(u64::MAX))],
            vec![object("20240101-1", 9, Some(0)), object("20240102-1", 7, Some(1))],
            vec![object("", 9, None), object("", 7, None)],
            vec![object("a", i64::MAX, None), object("a", 0, None), object("b", 1, None)],
        ];
        for list in lists {
            let written = serialize(&list, serde_json::value::Serializer).expect("JSON");
            assert_eq!(deserialize(&written).expect("the same list"), list, "{written}");
        }
    }
}
