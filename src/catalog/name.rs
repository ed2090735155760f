//! What a table is called in a catalogue.

use std::fmt;

use crate::config::TableName;

/// A table's name where catalogues allow small letters, digits and `_` only, as Athena does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CatalogName {
    /// The prefix and the source's schema.
    pub database: String,
    /// The table.
    pub table: String,
}

impl CatalogName {
    /// In small letters, with `_` for every other sign. Two tables may come to have one name.
    #[must_use]
    pub fn of(table: &TableName, database_prefix: &str) -> Self {
        let database = format!("{database_prefix}{}", plain(&table.schema));
        Self { database, table: plain(&table.table) }
    }
}

impl fmt::Display for CatalogName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.database, self.table)
    }
}

fn plain(name: &str) -> String {
    let allowed = |sign: char| if sign.is_ascii_alphanumeric() { sign } else { '_' };
    name.chars().map(|sign| allowed(sign).to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_athena_allows() {
        let named = |schema: &str, table: &str| {
            let table = TableName { schema: schema.to_owned(), table: table.to_owned() };
            CatalogName::of(&table, "lake_").to_string()
        };
        assert_eq!(named("shop", "orders"), "lake_shop.orders");
        assert_eq!(named("My.Shop", "order items-2é"), "lake_my_shop.order_items_2_");
    }
}
