//! What changes in the actions of the log when data files are replaced behind its versions.
//!
//! An entry of a replaced file names the new one. A removal stays and is followed by one of the new
//! file: whoever has read the log up to an older version takes the old entry away by the former, and
//! whoever reads it anew the new one by the latter. So a file of the log may be amended before or
//! after those of older versions, as long as the newer ones come first.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use crate::error::{Error, ErrorKind, Result};
use crate::files::row_count;

/// In the place of what a commit told of a value.
const WITHHELD: &str = "(withheld)";

/// An entry that takes the place of another one.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) path: String,
    pub(super) size: i64,
    pub(super) stats: String,
    pub(super) vector: Option<Value>,
    /// Rows that the vector does not mask; none if it cannot be read any more.
    pub(super) rows: Option<u64>,
}

/// What takes the place of which entries.
#[derive(Debug, Default)]
pub(super) struct Edits {
    /// By the decoded path, and by the vector.
    pub(super) replaced: HashMap<String, HashMap<String, Entry>>,
    /// The decoded paths of files that no longer exist, of which the log says too much.
    pub(super) gone: BTreeSet<String>,
    /// By key, the texts of its columns, which no description of a commit may have.
    pub(super) texts: Vec<Vec<String>>,
}

impl Edits {
    /// The actions of a commit, one on a line, as they are to be; none if they stay. `rows` are those
    /// of the table before and after it, if they are known.
    ///
    /// # Errors
    /// `TableCorrupt` if a line is no action.
    pub(super) fn of_text(
        &self,
        text: &[u8],
        (before, after): (Option<u64>, Option<u64>),
    ) -> Result<Option<String>> {
        let text = std::str::from_utf8(text).map_err(|error| no_action().because(error))?;
        let mut actions = Vec::new();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let action: Value =
                serde_json::from_str(line).map_err(|error| no_action().because(error))?;
            actions.push((line, action));
        }
        let touches = actions.iter().any(|(_, action)| self.touches(action));
        let (mut lines, mut has_changed) = (Vec::new(), false);
        for (line, mut action) in actions {
            if let Some(info) = action.get_mut("commitInfo") {
                let all = touches && is_of_others(info);
                let told = withhold(info, &self.texts, all);
                if count(info, before, after) || told {
                    has_changed = true;
                    lines.push(action.to_string());
                } else {
                    lines.push(line.to_owned());
                }
                continue;
            }
            let more = self.edit(&mut action)?;
            match more {
                None => lines.push(line.to_owned()),
                Some(more) => {
                    has_changed = true;
                    lines.push(action.to_string());
                    lines.extend(more.map(|more| more.to_string()));
                }
            }
        }
        let mut edited = lines.join("\n");
        edited.push('\n');
        Ok(has_changed.then_some(edited))
    }

    /// Changes one action; none if it stays, else perhaps another one behind it.
    #[expect(clippy::option_option, reason = "changed or not, and with another one or not")]
    fn edit(&self, action: &mut Value) -> Result<Option<Option<Value>>> {
        if let Some(add) = action.get_mut("add") {
            return Ok(self.entry(add)?.then_some(None));
        }
        if let Some(change) = action.get_mut("cdc") {
            let Some(entry) = self.of(change)? else { return Ok(None) };
            change["path"] = json!(entry.path);
            change["size"] = json!(entry.size);
            return Ok(Some(None));
        }
        let Some(remove) = action.get_mut("remove") else { return Ok(None) };
        let has_stats = remove.as_object_mut().is_some_and(|it| it.remove("stats").is_some());
        let Some(path) = remove.get("path").and_then(Value::as_str) else { return Ok(None) };
        // A vector that no entry of the log has any more is of a version that cannot be read.
        let path = decoded(path);
        let entry = self.replaced.get(&*path).and_then(|it| it.get(&vector_of(remove)));
        let Some(entry) = entry else {
            return Ok((has_stats && self.gone.contains(&*path)).then_some(None));
        };
        let mut more = remove.clone();
        more["path"] = json!(entry.path);
        if more.get("size").is_some() {
            more["size"] = json!(entry.size);
        }
        set_vector(&mut more, entry.vector.as_ref());
        // The rows go once, with the file that still has them.
        remove["dataChange"] = json!(false);
        Ok(Some(Some(json!({ "remove": more }))))
    }

    /// Whether an action is about a file that is replaced or gone.
    fn touches(&self, action: &Value) -> bool {
        ["add", "remove", "cdc"].iter().filter_map(|name| action.get(name)).any(|entry| {
            let path = path_in(entry);
            self.replaced.contains_key(&*path) || self.gone.contains(&*path)
        })
    }

    /// Changes an entry, also one of a checkpoint; false if it stays.
    ///
    /// # Errors
    /// `Internal` if its file is replaced, but not with its vector.
    pub(super) fn entry(&self, add: &mut Value) -> Result<bool> {
        if let Some(entry) = self.of(add)? {
            add["path"] = json!(entry.path);
            add["size"] = json!(entry.size);
            add["stats"] = json!(entry.stats);
            set_vector(add, entry.vector.as_ref());
            return Ok(true);
        }
        if !self.gone.contains(&*path_in(add)) {
            return Ok(false);
        }
        let counted = counted_only(add.get("stats"));
        if add.get("stats") == Some(&counted) {
            return Ok(false);
        }
        add["stats"] = counted;
        Ok(true)
    }

    fn of(&self, entry: &Value) -> Result<Option<&Entry>> {
        let path = path_in(entry);
        let Some(vectors) = self.replaced.get(&*path) else { return Ok(None) };
        let found = vectors.get(&vector_of(entry)).ok_or_else(|| {
            // Another entry came meanwhile; nothing is amended for it yet.
            Error::new(ErrorKind::Conflict, "others changed an older version at the same time")
                .with("file", path.as_ref())
        });
        found.map(Some)
    }
}

/// A path of the log as it is without percent-encoding, which writers use differently.
pub(super) fn decoded(path: &str) -> Cow<'_, str> {
    percent_decode_str(path).decode_utf8().unwrap_or(Cow::Borrowed(path))
}

fn path_in(entry: &Value) -> Cow<'_, str> {
    decoded(entry.get("path").and_then(Value::as_str).unwrap_or_default())
}

/// Whether a commit is none of ours, by its description.
pub(super) fn is_of_others(info: &Value) -> bool {
    !info.get("dmslake").is_some_and(Value::is_object)
}

/// The actions in the lines of a file of the log.
///
/// # Errors
/// `TableCorrupt` if a line is no action.
pub(super) fn records(bytes: &[u8]) -> Result<Vec<Value>> {
    let actions = serde_json::Deserializer::from_slice(bytes).into_iter();
    actions.map(|action| action.map_err(|error| no_action().because(error))).collect()
}

/// What tells the deletion vector of an action from others of the same file; empty without one.
pub(super) fn vector_of(action: &Value) -> String {
    let Some(vector) = action.get("deletionVector").filter(|it| !it.is_null()) else {
        return String::new();
    };
    let part = |name: &str| match vector.get(name) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    format!("{}{}@{}", part("storageType"), part("pathOrInlineDv"), part("offset"))
}

/// Whether the description of a commit names one of the keys in a condition.
pub(super) fn is_told(info: &Value, texts: &[Vec<String>]) -> bool {
    let told = info.get("operationParameters").and_then(Value::as_object);
    told.is_some_and(|told| {
        told.iter().any(|(name, value)| is_condition(name, value) && tells(value, texts))
    })
}

/// Withholds the conditions that name one of the keys, or `all` of them.
fn withhold(info: &mut Value, texts: &[Vec<String>], all: bool) -> bool {
    let told = info.get_mut("operationParameters").and_then(Value::as_object_mut);
    let mut has_changed = false;
    for (name, value) in told.into_iter().flatten() {
        if is_condition(name, value) && (all || tells(value, texts)) {
            *value = json!(WITHHELD);
            has_changed = true;
        }
    }
    has_changed
}

/// Whether a parameter is a condition that is not withheld yet.
fn is_condition(name: &str, value: &Value) -> bool {
    let is_named = name.to_ascii_lowercase().contains("predicate") || name == "replaceWhere";
    is_named && !value.is_null() && *value != json!("[]") && *value != json!(WITHHELD)
}

/// Whether a condition has the texts of one key, each as a word of its own.
fn tells(value: &Value, texts: &[Vec<String>]) -> bool {
    let written = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let is_sign = |sign: char| sign.is_alphanumeric() || sign == '_';
    let is_word = |text: &&String| {
        written.match_indices(text.as_str()).any(|(at, _)| {
            let (before, behind) = (&written[..at], &written[at + text.len()..]);
            !before.ends_with(is_sign) && !behind.starts_with(is_sign)
        })
    };
    texts.iter().any(|key| {
        let mut parts = key.iter().filter(|text| !text.is_empty()).peekable();
        parts.peek().is_some() && parts.all(|text| is_word(&text))
    })
}

/// Brings the rows that a commit of ours counted in line with those that are there now.
fn count(info: &mut Value, before: Option<u64>, after: Option<u64>) -> bool {
    if is_of_others(info) {
        return false;
    }
    // What the forgetting commit itself counted is what it has found.
    let before = before.filter(|_| info.get("operation") != Some(&json!(super::OPERATION)));
    let mut has_changed = false;
    let mut set = |place: Option<&mut Value>, rows: Option<u64>| {
        let (Some(place), Some(rows)) = (place, rows) else { return };
        if place.as_u64() != Some(rows) {
            *place = json!(rows);
            has_changed = true;
        }
    };
    set(info.pointer_mut("/dmslake/ledger/rows"), after);
    set(info.pointer_mut("/dmslake/books/after"), after);
    set(info.pointer_mut("/dmslake/books/before"), before);
    let summary = info.get("userMetadata").and_then(Value::as_str);
    let summary = summary.and_then(|text| serde_json::from_str::<Map<String, Value>>(text).ok());
    if let (Some(mut summary), Some(rows)) = (summary, after)
        && summary.get("tableRows").and_then(Value::as_u64).is_some_and(|told| told != rows)
    {
        summary.insert("tableRows".to_owned(), json!(rows));
        info["userMetadata"] = json!(Value::Object(summary).to_string());
        has_changed = true;
    }
    has_changed
}

fn set_vector(action: &mut Value, vector: Option<&Value>) {
    let Some(members) = action.as_object_mut() else { return };
    match vector {
        Some(vector) => {
            members.insert("deletionVector".to_owned(), vector.clone());
        }
        None => {
            members.remove("deletionVector");
        }
    }
}

/// Statistics that count rows, and tell nothing of values.
fn counted_only(stats: Option<&Value>) -> Value {
    let rows = stats.and_then(Value::as_str).and_then(row_count);
    rows.map_or(Value::Null, |rows| json!(json!({ "numRecords": rows }).to_string()))
}

fn no_action() -> Error {
    Error::new(ErrorKind::TableCorrupt, "a line of the log is no action")
}
