//! A table's name in a catalogue.

use std::fmt;

use crate::config::{ChosenName, TableName};

/// A table's name in catalogues that allow only lower-case letters, digits and `_`, like Athena's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CatalogName {
    /// The prefix and the source's schema.
    pub database: String,
    /// The table.
    pub table: String,
}

impl CatalogName {
    /// The configured name; otherwise the source's name in lower case, with `_` for every other
    /// character. Two tables may get the same name.
    #[must_use]
    pub fn of(table: &TableName, chosen: Option<&ChosenName>, database_prefix: &str) -> Self {
        let database = chosen.and_then(|chosen| chosen.database.clone());
        let database =
            database.unwrap_or_else(|| format!("{database_prefix}{}", plain(&table.schema)));
        let table = chosen.map_or_else(|| plain(&table.table), |chosen| chosen.table.clone());
        Self { database, table }
    }

    /// The name in the database of Redshift's external tables. AWS Glue holds these too, and a table
    /// over manifests is not the Delta table of the same name.
    #[must_use]
    pub fn in_spectrum(&self) -> Self {
        Self { database: format!("{}_spectrum", self.database), table: self.table.clone() }
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
            CatalogName::of(&table, None, "lake_").to_string()
        };
        assert_eq!(named("shop", "orders"), "lake_shop.orders");
        assert_eq!(named("My.Shop", "order items-2é"), "lake_my_shop.order_items_2_");
    }

    #[test]
    fn a_chosen_name_stands_in_the_place_of_the_source() {
        let table = TableName { schema: "shop".to_owned(), table: "Order-Items".to_owned() };
        let named = |chosen: &str| {
            let chosen = ChosenName::parse(chosen).expect("it is plain");
            CatalogName::of(&table, Some(&chosen), "lake_").to_string()
        };
        assert_eq!(named("items"), "lake_shop.items");
        assert_eq!(named("sales.items_2"), "sales.items_2", "with its database, and no prefix");
        for refused in ["", "Items", "a.b.c", ".a", "a.", "a b", "\u{e9}"] {
            assert_eq!(ChosenName::parse(refused), None, "{refused}");
        }
    }
}
