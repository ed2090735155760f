//! Reads a TOML table key by key and collects everything that is wrong with it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use toml::{Table, Value};

use crate::error::{Error, ErrorKind};
use crate::nearest::{is_near, nearest_first};

pub(super) const MINUTE: Duration = Duration::from_mins(1);
pub(super) const DAY: Duration = Duration::from_hours(24);

/// Precedes the list of what is allowed, in every sentence.
const ALLOWED: &str = "allowed: ";
/// A longer list is given only once.
const LONG: usize = 80;

/// All violations so far: fields, with a sentence for each.
#[derive(Debug, Default)]
pub(super) struct Violations(RefCell<Vec<(String, String)>>);

impl Violations {
    /// Adds a violation of a field.
    pub(super) fn add(&self, field: impl Into<String>, sentence: impl Display) {
        self.0.borrow_mut().push((field.into(), sentence.to_string()));
    }

    /// Whether there is a violation of exactly this field.
    pub(super) fn has(&self, field: &str) -> bool {
        self.0.borrow().iter().any(|(found, _)| found == field)
    }

    /// One `Config` error with a line for each violation, in the order found; `None` if there are
    /// none. A long list of what is allowed is given only with the first violation it applies to.
    pub(super) fn into_error(self) -> Option<Error> {
        let mut said: BTreeMap<String, String> = BTreeMap::new();
        let mut lines = Vec::new();
        for (field, sentence) in self.0.into_inner() {
            let sentence = match sentence.split_once(ALLOWED) {
                Some((what, list)) if list.len() > LONG && said.contains_key(list) => {
                    format!("{what}{ALLOWED}the same as for {}", said[list])
                }
                Some((_, list)) => {
                    said.insert(list.to_owned(), field.clone());
                    sentence
                }
                _ => sentence,
            };
            lines.push(format!("{field}: {sentence}"));
        }
        (!lines.is_empty()).then(|| Error::new(ErrorKind::Config, lines.join("\n")))
    }
}

/// The place of a table in the file, for the names of its fields.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    path: String,
    /// The source table that it configures, once that is known.
    about: Option<String>,
}

impl Place {
    /// The top of the file.
    pub(super) fn top() -> Self {
        Self::default()
    }

    /// A key or `key[index]` below this place.
    pub(super) fn below(&self, name: &str) -> Self {
        let dot = if self.path.is_empty() { "" } else { "." };
        Self { path: format!("{}{dot}{name}", self.path), about: self.about.clone() }
    }

    /// The same place, which configures a source table.
    pub(super) fn about(self, table: impl Display) -> Self {
        Self { about: Some(table.to_string()), ..self }
    }

    /// The name of a key below this place in violations.
    pub(super) fn field(&self, name: &str) -> String {
        let path = self.below(name).path;
        match &self.about {
            Some(table) => format!("{path} ({table})"),
            None => path,
        }
    }
}

/// A table of the file. Keys are taken one by one; [`Fields::finish`] refuses the rest.
pub(super) struct Fields<'a> {
    place: Place,
    rest: Table,
    known: Vec<&'static str>,
    violations: &'a Violations,
}

impl<'a> Fields<'a> {
    pub(super) fn new(place: Place, table: Table, violations: &'a Violations) -> Self {
        Self { place, rest: table, known: Vec::new(), violations }
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    pub(super) fn violations(&self) -> &'a Violations {
        self.violations
    }

    /// From now on, violations name the source table too.
    pub(super) fn about(&mut self, table: impl Display) {
        self.place = std::mem::take(&mut self.place).about(table);
    }

    /// Adds a violation of a key of this table.
    pub(super) fn refuse(&self, name: &str, sentence: impl Display) {
        self.violations.add(self.place.field(name), sentence);
    }

    /// Whether a key is present and not taken yet. The key counts as known.
    pub(super) fn has(&mut self, name: &'static str) -> bool {
        self.known.push(name);
        self.rest.contains_key(name)
    }

    /// Whether a key is there whose value is a table.
    pub(super) fn is_table(&self, name: &str) -> bool {
        self.rest.get(name).is_some_and(Value::is_table)
    }

    /// Takes a key, whatever its type.
    pub(super) fn take(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        self.rest.remove(name)
    }

    /// Refuses a key that belongs to another place, without offering it here.
    pub(super) fn belongs_elsewhere(&mut self, name: &'static str, sentence: &str) {
        if self.rest.remove(name).is_some() {
            self.refuse(name, sentence);
        }
    }

    /// Takes a key and reads its value with `read`; `allowed` describes the values that it accepts.
    pub(super) fn read<T>(
        &mut self,
        name: &'static str,
        allowed: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.take(name)?;
        let found = read(&value);
        if found.is_none() {
            self.refuse(name, not_allowed(&value, allowed));
        }
        found
    }

    /// Takes a required key.
    pub(super) fn required<T>(
        &mut self,
        name: &'static str,
        allowed: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Option<T> {
        if !self.rest.contains_key(name) {
            self.refuse(name, format!("is missing; allowed: {allowed}"));
        }
        self.read(name, allowed, read)
    }

    /// Takes a whole number within these bounds, which `allowed` describes.
    pub(super) fn number<T>(
        &mut self,
        name: &'static str,
        allowed: &str,
        bounds: RangeInclusive<T>,
    ) -> Option<T>
    where
        T: TryFrom<i64> + PartialOrd,
    {
        self.read(name, allowed, |value| {
            let number = value.as_integer().and_then(|number| T::try_from(number).ok());
            number.filter(|number| bounds.contains(number))
        })
    }

    /// Takes a duration such as `"5m"`, `"7 days"` or `"1h 30m"`, in whole seconds.
    pub(super) fn duration(
        &mut self,
        name: &'static str,
        allowed: &str,
        is_allowed: impl FnOnce(Duration) -> bool,
    ) -> Option<Duration> {
        self.read(name, allowed, |value| {
            let duration = humantime::parse_duration(value.as_str()?).ok()?;
            (duration.subsec_nanos() == 0 && is_allowed(duration)).then_some(duration)
        })
    }

    /// Takes `true` or `false`.
    pub(super) fn flag(&mut self, name: &'static str) -> Option<bool> {
        self.read(name, "true, false", Value::as_bool)
    }

    /// Takes a list of non-empty strings; anything else in it is refused and left out.
    pub(super) fn texts(&mut self, name: &'static str) -> Option<Vec<String>> {
        let items = self.list(name, "a list of strings")?;
        let mut texts = Vec::new();
        for (position, value) in items.iter().enumerate() {
            if let Some(text) = filled(value) {
                texts.push(text);
            } else {
                let item = format!("{name}[{position}]");
                self.refuse(&item, not_allowed(value, FILLED));
            }
        }
        Some(texts)
    }

    /// Takes a table of non-empty strings; anything else in it is refused and left out.
    pub(super) fn text_table(&mut self, name: &'static str) -> Option<Vec<(String, String)>> {
        let allowed = "a table of strings such as { \"unit price\" = \"unit_price\" }";
        let table = self.read(name, allowed, |value| value.as_table().cloned())?;
        let mut texts = Vec::new();
        for (key, value) in table {
            if let Some(text) = filled(&value) {
                texts.push((key, text));
            } else {
                let item = format!("{name}.{key}");
                self.refuse(&item, not_allowed(&value, FILLED));
            }
        }
        Some(texts)
    }

    /// Takes a list of tables, each to be finished separately; anything else in it is refused and
    /// left out.
    pub(super) fn tables(&mut self, name: &'static str) -> Option<Vec<Fields<'a>>> {
        let items = self.list(name, "a list of tables")?;
        let mut tables = Vec::new();
        for (position, value) in items.into_iter().enumerate() {
            let item = format!("{name}[{position}]");
            match value {
                Value::Table(table) => {
                    tables.push(Fields::new(self.place.below(&item), table, self.violations));
                }
                other => self.refuse(&item, not_allowed(&other, "a table")),
            }
        }
        Some(tables)
    }

    /// Takes a table, to be finished separately; an empty one if the key is missing.
    pub(super) fn table(&mut self, name: &'static str) -> Fields<'a> {
        let table = self.read(name, "a table", |value| value.as_table().cloned());
        Fields::new(self.place.below(name), table.unwrap_or_default(), self.violations)
    }

    fn list(&mut self, name: &'static str, allowed: &str) -> Option<Vec<Value>> {
        let value = self.take(name)?;
        // An unreadable list is not a missing one: no default must replace it.
        Some(value.as_array().cloned().unwrap_or_else(|| {
            self.refuse(name, not_allowed(&value, allowed));
            Vec::new()
        }))
    }

    /// Refuses the keys that were not taken, and offers the known ones, the nearest first.
    pub(super) fn finish(self) {
        for name in self.rest.keys() {
            let known: BTreeSet<&str> = self.known.iter().copied().collect();
            let known = nearest_first(name, known);
            let near = known.first().filter(|known| is_near(name, known));
            let meant = near.map(|known| format!("did you mean {known}? ")).unwrap_or_default();
            let allowed = known.join(", ");
            self.refuse(name, format!("no such setting; {meant}{ALLOWED}{allowed}"));
        }
    }
}

/// The sentence for a value that is not allowed.
pub(super) fn not_allowed(value: &Value, allowed: &str) -> String {
    let text = match value {
        Value::Array(_) => "a list".to_owned(),
        Value::Table(_) => "a table".to_owned(),
        single => single.to_string(),
    };
    format!("{text} is not allowed; allowed: {allowed}")
}

const FILLED: &str = "a non-empty string";

fn filled(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}
