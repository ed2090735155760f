//! From `[[table]]` sections to tables: a pattern stands for the tables of the lock file that it
//! matches, and what a section does not say is taken from the next more general one.

use std::collections::BTreeSet;

use crate::config::fields::{Place, Violations};
use crate::config::pattern::TablePattern;
use crate::config::table_fields::{Section, TableSection};
use crate::config::{ColumnSpec, Lock, LockedTable, TableName, TableSpec};

/// Where the tables of patterns come from.
#[derive(Clone, Copy, Debug)]
pub enum Expansion<'a> {
    /// From the lock file.
    ByLock(&'a Lock),
    /// From nowhere: there is no lock file, so patterns are refused.
    Refused,
    /// From nowhere, for whoever is about to write the lock file: patterns stand for no table.
    Nothing,
}

/// The tables of all sections, and the place of each in the file.
pub(super) fn expand(
    sections: &[TableSection],
    defaults: &Section,
    expansion: Expansion<'_>,
    violations: &Violations,
) -> Vec<(Place, TableSpec)> {
    let all = Expanding { sections, defaults, expansion, violations };
    all.check_patterns();
    let mut tables = Vec::new();
    for (position, section) in sections.iter().enumerate() {
        if section.is_pattern() {
            tables.extend(all.of_pattern(position));
        } else if !all.is_open(section) {
            tables.push(all.exact(section));
        }
    }
    tables
}

struct Expanding<'a> {
    sections: &'a [TableSection],
    defaults: &'a Section,
    expansion: Expansion<'a>,
    violations: &'a Violations,
}

impl Expanding<'_> {
    /// Refuses patterns that cannot be expanded, or of which neither is more specific.
    fn check_patterns(&self) {
        let mut told = BTreeSet::new();
        for (position, section) in self.sections.iter().enumerate() {
            let Some(pattern) = section.pattern() else { continue };
            let field = section.place.field("source");
            match self.expansion {
                Expansion::Nothing => {}
                Expansion::Refused => self.violations.add(
                    field,
                    "is a pattern, and there is no lock file that names its tables; write it with \
                     `dmslake discover`",
                ),
                Expansion::ByLock(lock) => {
                    let matching = lock.tables.keys().filter(|name| pattern.claims(name));
                    let matching: Vec<&TableName> = matching.collect();
                    if matching.is_empty() {
                        self.violations.add(
                            field,
                            "matches no table of the lock file; if there is one by now, run \
                             `dmslake discover`, otherwise correct the pattern",
                        );
                    }
                    for name in matching {
                        for other in self.rivals(position, name) {
                            if told.insert((position.min(other), position.max(other))) {
                                self.refuse_rivals(position, other, name);
                            }
                        }
                    }
                }
            }
        }
    }

    /// The patterns that match a table too, of which neither this one nor they are more specific.
    fn rivals(&self, position: usize, name: &TableName) -> impl Iterator<Item = usize> {
        let one = &self.sections[position].source;
        let is_rival = move |other: &usize| {
            let section = &self.sections[*other];
            let claims = section.pattern().is_some_and(|pattern| pattern.claims(name));
            *other != position
                && claims
                && one.covers(&section.source) == section.source.covers(one)
        };
        (0..self.sections.len()).filter(is_rival)
    }

    fn refuse_rivals(&self, position: usize, other: usize, name: &TableName) {
        let (one, other) = (&self.sections[position], &self.sections[other]);
        self.violations.add(
            other.place.field("source"),
            format!(
                "\"{}\" and \"{}\" of {} both match {name}, and neither is more specific; leave it \
                 out of one of them: except = [\"{name}\"]",
                other.source,
                one.source,
                one.place.field("source"),
            ),
        );
    }

    /// Whether what is to be known of an exact table may be in a lock file that is still to be
    /// written.
    fn is_open(&self, section: &TableSection) -> bool {
        let has_claims = || !self.claims(section.source.spelled()).is_empty();
        matches!(self.expansion, Expansion::Nothing) && has_claims()
    }

    /// The patterns that match a table, the most specific first.
    fn claims(&self, name: &TableName) -> Vec<usize> {
        let is_claimed =
            |section: &TableSection| section.pattern().is_some_and(|pattern| pattern.claims(name));
        let mut found: Vec<usize> = (0..self.sections.len())
            .filter(|position| is_claimed(&self.sections[*position]))
            .collect();
        // One that covers more of the others is more general.
        let covered = |position: &usize| {
            let source = &self.sections[*position].source;
            found.iter().filter(|other| source.covers(&self.sections[**other].source)).count()
        };
        let mut by_reach: Vec<(usize, usize)> =
            found.iter().map(|position| (covered(position), *position)).collect();
        by_reach.sort_unstable();
        found.clear();
        found.extend(by_reach.into_iter().map(|(_, position)| position));
        found
    }

    /// The tables for which this pattern is the most specific one, unless they have a section of
    /// their own.
    fn of_pattern(&self, position: usize) -> Vec<(Place, TableSpec)> {
        let Expansion::ByLock(lock) = self.expansion else { return Vec::new() };
        let is_exact = |name: &TableName| {
            let mut others = self.sections.iter();
            others.any(|section| !section.is_pattern() && section.source.spelled() == name)
        };
        let own = lock.tables.keys().filter(|name| self.claims(name).first() == Some(&position));
        own.filter(|name| !is_exact(name))
            .map(|name| {
                let place = self.sections[position].place.clone().about(name);
                let spec = self.table(&place, name, Section::default());
                (place, spec)
            })
            .collect()
    }

    fn exact(&self, section: &TableSection) -> (Place, TableSpec) {
        let spec = self.table(&section.place, section.source.spelled(), section.own.clone());
        (section.place.clone(), TableSpec { name: section.name.clone(), ..spec })
    }

    /// A table by its own section, the patterns that match it, the lock file and the defaults.
    fn table(&self, place: &Place, name: &TableName, own: Section) -> TableSpec {
        let claims = self.claims(name);
        let patterns = claims.iter().map(|position| self.sections[*position].own.clone());
        let mut said: Vec<Section> = vec![own];
        said.extend(patterns);
        let locked = match self.expansion {
            Expansion::ByLock(lock) if !claims.is_empty() => lock.tables.get(name),
            _ => None,
        };
        let Some(locked) = locked else {
            said.push(self.defaults.clone());
            let spec = over_all(said).into_spec(name.clone());
            if matches!(self.expansion, Expansion::ByLock(_)) && !claims.is_empty() {
                self.check_keys(place, None, &spec);
            }
            return spec;
        };
        let own_columns = said[0].columns.clone();
        let general = said.iter().skip(1).chain([self.defaults]);
        let columns = own_columns.or_else(|| self.locked_columns(place, locked, general));
        let renames = locked.rename.clone();
        said.push(Section::of_keys(locked.keys.clone().filter(|keys| !keys.is_empty())));
        said.push(self.defaults.clone());
        let mut merged = over_all(said);
        merged.columns = columns.or(merged.columns);
        let configured = merged.rename.take().unwrap_or_default();
        merged.rename = Some(renames.into_iter().chain(configured).collect());
        let spec = merged.into_spec(name.clone());
        self.check_keys(place, Some(locked), &spec);
        spec
    }

    /// The columns of the lock file; a more general section may give one of them another type. None
    /// if the objects tell them.
    fn locked_columns<'s>(
        &self,
        place: &Place,
        locked: &LockedTable,
        general: impl Iterator<Item = &'s Section>,
    ) -> Option<Vec<ColumnSpec>> {
        if locked.columns.is_empty() {
            return None;
        }
        let columns = locked.column_specs();
        let (name, why) = match columns {
            Ok(mut columns) => {
                let configured: Vec<&ColumnSpec> =
                    general.filter_map(|section| section.columns.as_ref()).flatten().collect();
                for column in &mut columns {
                    if let Some(found) = configured.iter().find(|found| found.name == column.name) {
                        *column = (*found).clone();
                    }
                }
                return Some(columns);
            }
            Err(refused) => refused,
        };
        self.violations.add(
            place.field("source"),
            format!(
                "the lock file gives \"{name}\" no MySQL type: {why}; give the table a [[table]] of \
                 its own with columns, or run `dmslake discover --mysql`"
            ),
        );
        None
    }

    fn check_keys(&self, place: &Place, locked: Option<&LockedTable>, spec: &TableSpec) {
        if !spec.keys.is_empty() || spec.append_only {
            return;
        }
        let why = match locked.map(|table| &table.keys) {
            None => "the lock file does not know the table: `dmslake discover` looks for it",
            Some(None) => {
                "the lock file does not know the primary key: `dmslake discover --mysql` asks the \
                 source"
            }
            Some(Some(_)) => "the source has no primary key",
        };
        self.violations.add(
            place.field("keys"),
            format!(
                "is missing; {why}; otherwise give the table a [[table]] of its own with keys, or \
                 with append_only = true, or leave it out: except = [\"{}\"]",
                spec.source
            ),
        );
    }
}

/// Each section over those after it.
fn over_all(sections: Vec<Section>) -> Section {
    sections.into_iter().rev().fold(Section::default(), |lower, own| own.over(lower))
}

/// The patterns among the sections.
pub(super) fn patterns(sections: &[TableSection]) -> Vec<TablePattern> {
    sections.iter().filter_map(TableSection::pattern).cloned().collect()
}
