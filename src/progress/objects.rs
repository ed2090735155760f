//! The objects that a commit took in, and how its record stores them.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::progress::packed::{common_end, common_start, from_letters, letters, shared_start};
use crate::staging::{Identity, StagedObject};

/// An object that a commit took in, whole or in part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedObject {
    /// Path below the table's folder.
    pub key: String,
    /// ETag or content hash.
    pub identity: Identity,
    /// Size in bytes.
    pub size: u64,
    /// Last modified, milliseconds since the epoch.
    pub modified: i64,
    /// Its rows that earlier commits took in.
    pub from: u64,
    /// Its rows that this commit took in.
    pub rows: u64,
    /// False if more rows follow in a later commit.
    pub done: bool,
}

impl CommittedObject {
    /// The record of rows `from .. from + rows` of an object.
    #[must_use]
    pub fn new(
        object: &StagedObject,
        identity: &Identity,
        from: u64,
        rows: u64,
        done: bool,
    ) -> Self {
        Self {
            key: object.relative.clone(),
            identity: identity.clone(),
            size: object.size,
            modified: object.last_modified.timestamp_millis(),
            from,
            rows,
            done,
        }
    }
}

/// The list as it is stored. Every present column has one entry per object.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Columns {
    /// The prefix and suffix that all keys share; `key` is the rest of each.
    #[serde(skip_serializing_if = "String::is_empty")]
    prefix: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    suffix: String,
    key: Vec<String>,
    /// Tags, encoded by [`pack_tag`]; empty if the content was hashed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    etag: Vec<String>,
    /// Content hashes, encoded by [`pack_hash`]; empty if there is an `ETag`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hash: Vec<String>,
    size: Vec<u64>,
    /// The last-modified time of the first object, in milliseconds since the epoch; `modified` is
    /// relative to it.
    since: i64,
    modified: Vec<i64>,
    rows: Vec<u64>,
    /// Empty if all begin at their first row.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    from: Vec<u64>,
    /// Empty if all are complete.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    done: Vec<bool>,
}

/// An object as format 1 of the commit record lists it.
#[derive(Deserialize)]
struct Single {
    key: String,
    etag: Option<String>,
    hash: Option<String>,
    size: u64,
    modified: i64,
    #[serde(default)]
    from: u64,
    rows: u64,
    done: Option<bool>,
}

impl Single {
    fn object(self) -> Option<CommittedObject> {
        let identity = match (self.etag, self.hash) {
            (Some(tag), None) => Identity::ETag(tag),
            (None, Some(hash)) => Identity::Content(hash),
            _ => return None,
        };
        let Self { key, size, modified, from, rows, done, .. } = self;
        let done = done.unwrap_or(true);
        Some(CommittedObject { key, identity, size, modified, from, rows, done })
    }
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
    objects: &[CommittedObject],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let (prefix, suffix) = shared(objects);
    let mut columns = Columns {
        prefix: objects.first().map_or("", |first| &first.key[..prefix]).to_owned(),
        suffix: objects.first().map_or("", |first| &first.key[first.key.len() - suffix..]).into(),
        since: objects.first().map_or(0, |first| first.modified),
        ..Columns::default()
    };
    for object in objects {
        let (tag, hash) = match &object.identity {
            Identity::ETag(tag) => (pack_tag(tag), String::new()),
            Identity::Content(hash) => (String::new(), pack_hash(hash)),
        };
        columns.key.push(object.key[prefix..object.key.len() - suffix].to_owned());
        columns.etag.push(tag);
        columns.hash.push(hash);
        columns.size.push(object.size);
        columns.modified.push(object.modified.saturating_sub(columns.since));
        columns.rows.push(object.rows);
        columns.from.push(object.from);
        columns.done.push(object.done);
    }
    drop_if(&mut columns.etag, String::is_empty);
    drop_if(&mut columns.hash, String::is_empty);
    drop_if(&mut columns.from, |from| *from == 0);
    drop_if(&mut columns.done, |done| *done);
    columns.serialize(serializer)
}

/// Reads the list.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<CommittedObject>, D::Error> {
    let columns = match Stored::deserialize(deserializer)? {
        Stored::Columns(columns) => columns,
        Stored::Singles(singles) => {
            let objects: Option<Vec<_>> = singles.into_iter().map(Single::object).collect();
            return objects.ok_or_else(|| serde::de::Error::custom("an object has no identity"));
        }
    };
    let count = columns.key.len();
    let whole = [columns.size.len(), columns.modified.len(), columns.rows.len()];
    let optional = [columns.etag.len(), columns.hash.len(), columns.from.len(), columns.done.len()];
    if whole.iter().any(|length| *length != count)
        || optional.iter().any(|length| ![0, count].contains(length))
    {
        return Err(serde::de::Error::custom("the columns of the objects do not agree"));
    }
    let object = |at: usize| {
        let given = |column: &[String]| {
            column.get(at).filter(|text| !text.is_empty()).map(ToOwned::to_owned)
        };
        let identity = match (given(&columns.etag), given(&columns.hash)) {
            (Some(tag), None) => Identity::ETag(unpack_tag(&tag)?),
            (None, Some(hash)) => Identity::Content(unpack_hash(&hash)?),
            _ => return None,
        };
        Some(CommittedObject {
            key: format!("{}{}{}", columns.prefix, columns.key[at], columns.suffix),
            identity,
            size: *columns.size.get(at)?,
            modified: columns.since.checked_add(*columns.modified.get(at)?)?,
            from: columns.from.get(at).copied().unwrap_or(0),
            rows: *columns.rows.get(at)?,
            done: columns.done.get(at).copied().unwrap_or(true),
        })
    };
    let objects: Option<Vec<_>> = (0..columns.key.len()).map(object).collect();
    objects.ok_or_else(|| serde::de::Error::custom("the columns of the objects do not agree"))
}

fn drop_if<T>(column: &mut Vec<T>, says_nothing: impl Fn(&T) -> bool) {
    if column.iter().all(says_nothing) {
        column.clear();
    }
}

/// The lengths of the prefix and suffix that all keys share, in bytes.
fn shared(objects: &[CommittedObject]) -> (usize, usize) {
    let prefix = shared_start(objects.iter().map(|object| object.key.as_str()));
    let Some(first) = objects.first() else { return (0, 0) };
    let suffix = objects.iter().fold(first.key.len() - prefix, |shared, object| {
        let end = &first.key[first.key.len() - shared..];
        common_end(end, &object.key[prefix..])
    });
    (prefix, suffix)
}

/// Encodes 128 bits in hexadecimal digits as 22 letters, and anything else as `=` and the text.
fn pack_hash(hash: &str) -> String {
    match u128::from_str_radix(hash, 16) {
        Ok(bits) if format!("{bits:032x}") == hash => letters(&bits.to_be_bytes()),
        _ => format!("={hash}"),
    }
}

fn unpack_hash(text: &str) -> Option<String> {
    match text.strip_prefix('=') {
        Some(hash) => Some(hash.to_owned()),
        None => from_letters(text).map(|bytes| format!("{:032x}", u128::from_be_bytes(bytes))),
    }
}

/// Encodes an ETag. For most objects it is 128 bits in hexadecimal digits, in quotes.
fn pack_tag(tag: &str) -> String {
    let quoted = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
    match quoted.map(pack_hash) {
        Some(packed) if !packed.starts_with('=') => packed,
        _ => format!("={tag}"),
    }
}

fn unpack_tag(text: &str) -> Option<String> {
    match text.strip_prefix('=') {
        Some(tag) => Some(tag.to_owned()),
        None => unpack_hash(text).map(|hash| format!("\"{hash}\"")),
    }
}

/// Bounds the size of a list in bytes, object by object, before their rows are counted.
#[derive(Clone, Debug, Default)]
pub struct ListLength {
    first: Option<(String, i64)>,
    /// The length of the prefix that the first key shares with all others, in bytes.
    prefix: usize,
    suffix: usize,
    /// Length of the shortest key in bytes.
    shortest: usize,
    count: usize,
    /// Bytes of all keys and of everything stored with them.
    bytes: usize,
}

impl ListLength {
    /// Digits of a row count. No commit takes in enough large objects to need more on average.
    const ROWS: usize = 8;
    /// Bytes of the columns' names and brackets, and of `since`.
    const FRAME: usize = 140;

    /// Adds one more object.
    pub fn add(&mut self, object: &StagedObject, identity: &Identity) {
        let key = object.relative.as_str();
        let modified = object.last_modified.timestamp_millis();
        let (first, since) = self.first.get_or_insert_with(|| {
            (self.prefix, self.suffix, self.shortest) = (key.len(), key.len(), key.len());
            (key.to_owned(), modified)
        });
        self.shortest = self.shortest.min(key.len());
        self.prefix = common_start(&first[..self.prefix], key);
        self.suffix = common_end(&first[first.len() - self.suffix..], key);
        let identity = match identity {
            Identity::ETag(tag) => quoted_length(&pack_tag(tag)),
            Identity::Content(hash) => quoted_length(&pack_hash(hash)),
        };
        let numbers = [object.size.to_string(), modified.saturating_sub(*since).to_string()];
        let commas = 5;
        self.count += 1;
        self.bytes += quoted_length(key) + identity + commas + Self::ROWS;
        self.bytes += numbers.iter().map(String::len).sum::<usize>();
    }

    /// Bytes so far.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let Some((first, _)) = &self.first else { return 0 };
        // In a short key, prefix and suffix may overlap.
        let shared = self.prefix + self.suffix.min(self.shortest - self.prefix);
        let written_once = quoted_length(first);
        Self::FRAME + written_once + self.bytes - self.count * shared
    }
}

/// The length of a text as JSON.
fn quoted_length(text: &str) -> usize {
    let escaped = |byte: u8| match byte {
        b'"' | b'\\' => 2,
        0..0x20 => 6,
        _ => 1,
    };
    text.bytes().map(escaped).sum::<usize>() + 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_come_back_whatever_they_look_like() {
        let hashes =
            ["00ff".repeat(8), "00FF".repeat(8), "00ff".into(), "+0ff".repeat(8), String::new()];
        for hash in hashes {
            assert_eq!(unpack_hash(&pack_hash(&hash)).as_deref(), Some(hash.as_str()));
            for tag in [hash.clone(), format!("\"{hash}\""), format!("\"{hash}-3\""), "\"".into()] {
                assert_eq!(unpack_tag(&pack_tag(&tag)).as_deref(), Some(tag.as_str()));
            }
        }
        assert_eq!(pack_hash(&"00ff".repeat(8)).len(), 22);
        assert_eq!(unpack_hash("AP8A_wD_AP8A_wD_AP8A"), None);
    }
}
