//! Which tables a `[[table]]` is about: one, or all that a pattern matches.

use std::fmt;

use crate::config::TableName;
use crate::dms::table_mappings::Pattern;

/// The `source` of a `[[table]]`, or an exception from it: a table's name in which each `*` stands
/// for any text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourcePattern {
    spelled: TableName,
    schema: Pattern,
    table: Pattern,
}

impl SourcePattern {
    /// The pattern that is spelled like this.
    #[must_use]
    pub fn new(spelled: TableName) -> Self {
        let (schema, table) =
            (Pattern::with_stars(&spelled.schema), Pattern::with_stars(&spelled.table));
        Self { spelled, schema, table }
    }

    /// As it is spelled: the table's name, unless there is a `*` in it.
    #[must_use]
    pub fn spelled(&self) -> &TableName {
        &self.spelled
    }

    /// Whether it may match several tables.
    #[must_use]
    pub fn is_pattern(&self) -> bool {
        self.spelled.schema.contains('*') || self.spelled.table.contains('*')
    }

    /// Whether a table matches. Letter case matters, as in DMS's folders.
    #[must_use]
    pub fn matches(&self, name: &TableName) -> bool {
        self.schema.matches(&name.schema) && self.table.matches(&name.table)
    }

    /// Whether every table that the other one matches matches this one too.
    pub(super) fn covers(&self, other: &Self) -> bool {
        // Only a `*` matches the other one's `*`.
        self.matches(&other.spelled)
    }
}

impl fmt::Display for SourcePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.spelled.fmt(f)
    }
}

/// A `[[table]]` that is about all tables of a pattern, with exceptions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TablePattern {
    /// What its tables match.
    pub source: SourcePattern,
    /// What they do not match.
    pub except: Vec<SourcePattern>,
}

impl TablePattern {
    /// Whether it is about a table.
    #[must_use]
    pub fn claims(&self, name: &TableName) -> bool {
        self.source.matches(name) && !self.except.iter().any(|except| except.matches(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(schema: &str, table: &str) -> SourcePattern {
        SourcePattern::new(TableName { schema: schema.into(), table: table.into() })
    }

    #[test]
    fn a_star_is_any_text_and_a_narrower_pattern_is_covered() {
        let (all, orders) = (pattern("shop", "*"), pattern("shop", "order_*"));
        let name = |table: &str| TableName { schema: "shop".into(), table: table.into() };
        assert!(orders.matches(&name("order_items")) && !orders.matches(&name("orders")));
        assert!(!orders.matches(&name("Order_items")) && !pattern("Shop", "*").matches(&name("x")));
        assert!(all.covers(&orders) && !orders.covers(&all) && all.covers(&all));
        let (ends, begins) = (pattern("*", "orders"), pattern("shop", "*"));
        assert!(!ends.covers(&begins) && !begins.covers(&ends));
        assert!(!pattern("shop", "a%").matches(&name("ab")), "only a star is a wildcard");
    }
}
