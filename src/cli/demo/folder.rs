//! The demo's folder: created once, and replaced only if an earlier demo created it.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::dms::{BEFORE_PREFIX, SEQUENCE_COLUMN, TIMESTAMP_COLUMN};
use super::shop::{Shop, Table};
use super::source::SourceColumn;
use crate::dms::Format;
use crate::error::{Error, ErrorKind, Result};

/// The file that marks a folder as a demo's.
const MARK: &str = ".dmslake-demo";
const CONFIGURATION: &str = "dmslake.toml";
const STAGING: &str = "staging";
const LAKE: &str = "lake";

/// The schema of the shop's tables.
pub(super) const SCHEMA: &str = "shop";

/// A folder with a configuration, an empty staging and an empty lake.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    shown: PathBuf,
}

impl Folder {
    /// Creates the folder. What an earlier demo left there is removed only with `replace`; nothing
    /// else is ever touched.
    ///
    /// # Errors
    /// `Config` if the folder is in use or cannot be created.
    pub(super) fn create(path: &Path, replace: bool) -> Result<Self> {
        let unusable =
            |message: &str| Error::new(ErrorKind::Config, message).with("--dir", path.display());
        let failed = |error: io::Error| unusable("the folder cannot be created").because(error);
        fs::create_dir_all(path).map_err(failed)?;
        let is_empty = fs::read_dir(path).map_err(failed)?.next().is_none();
        if !is_empty {
            if !path.join(MARK).exists() {
                return Err(unusable("the folder is not empty, and no earlier demo created it"));
            }
            if !replace {
                return Err(unusable("an earlier demo is in the folder; --force replaces it"));
            }
            clear(path).map_err(failed)?;
        }
        fs::write(path.join(MARK), "Created by `dmslake demo`, which may replace this folder.\n")
            .and_then(|()| fs::write(path.join(CONFIGURATION), configuration()))
            .and_then(|()| fs::create_dir_all(path.join(STAGING)))
            .and_then(|()| fs::create_dir_all(path.join(LAKE)))
            .map_err(failed)?;
        let absolute = path.canonicalize().map_err(failed)?;
        Ok(Self { path: absolute, shown: path.to_owned() })
    }

    /// The folder's absolute path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The folder as the user named it.
    pub(super) fn shown(&self) -> &Path {
        &self.shown
    }

    /// Its `dmslake.toml`, as the user would name it.
    pub(super) fn configuration(&self) -> PathBuf {
        self.shown.join(CONFIGURATION)
    }
}

fn clear(path: &Path) -> io::Result<()> {
    for folder in [STAGING, LAKE] {
        match fs::remove_dir_all(path.join(folder)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// The format in which a table is staged: both are shown.
pub(super) fn format(table: Table) -> Format {
    match table {
        Table::Customers => Format::Csv,
        Table::Orders | Table::Items => Format::Parquet,
    }
}

/// The configuration as a user would write it. CSV needs the columns; Parquet has names and types.
fn configuration() -> String {
    let shop = Shop::found();
    let mut text = format!(
        "\
# The demo's configuration. Paths are relative to this file.
staging = \"{STAGING}\"
lake = \"{LAKE}\"

# The settings of the DMS endpoint, and the columns that its rules add.
[dms]
timestamp_column_name = \"{TIMESTAMP_COLUMN}\"
change_seq_column = \"{SEQUENCE_COLUMN}\"
before_image_prefix = \"{BEFORE_PREFIX}\"
"
    );
    for table in Table::ALL {
        let source = shop.table(table);
        let keys: Vec<String> =
            source.key_columns().iter().map(|column| format!("\"{}\"", column.name)).collect();
        let keys = keys.join(", ");
        let name = source.name();
        let part = format!("\n[[table]]\nsource = \"{SCHEMA}.{name}\"\nkeys = [{keys}]\n");
        text.push_str(&part);
        if format(table) == Format::Csv {
            text.push_str(&layout(source.columns(), source.key_columns()));
        }
    }
    text
}

fn layout(columns: &[SourceColumn], keys: &[SourceColumn]) -> String {
    let mut text = String::from(
        "# CSV without header: the columns of the source in order, then those that rules add.\n\
         columns = [\n",
    );
    let mut column = |name: &str, mysql_type: &str, ending: &str| {
        writeln!(text, "    {{ name = \"{name}\", type = \"{mysql_type}\"{ending} }},")
            .expect("writing to a String cannot fail");
    };
    for source in columns {
        let is_key = keys.contains(source);
        let ending = if is_key { ", nullable = false" } else { "" };
        column(source.name, &source.kind.mysql_type(), ending);
    }
    column(SEQUENCE_COLUMN, "varchar(35)", "");
    for key in keys {
        column(&format!("{BEFORE_PREFIX}{}", key.name), &key.kind.mysql_type(), "");
    }
    text.push_str("]\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_demo_is_replaced() {
        let home = tempfile::tempdir().expect("a temporary folder");
        let path = home.path().join("demo");
        let folder = Folder::create(&path, false).expect("a new folder");
        fs::write(folder.path().join(STAGING).join("old"), "").expect("writable");
        fs::write(folder.path().join("mine"), "").expect("writable");
        let refused = Folder::create(&path, false).expect_err("it exists already");
        assert_eq!(refused.kind(), ErrorKind::Config);
        Folder::create(&path, true).expect("it is a demo's");
        assert!(!path.join(STAGING).join("old").exists());
        assert!(path.join("mine").exists(), "not the demo's");
        let foreign = Folder::create(home.path(), true).expect_err("it is not a demo's");
        assert_eq!(foreign.kind(), ErrorKind::Config);
    }

    #[test]
    fn the_configuration_is_valid() {
        let settings = crate::config::load::parse(&configuration()).expect("valid");
        let names: Vec<String> =
            settings.tables.iter().map(|table| table.source.to_string()).collect();
        assert_eq!(names, ["shop.customers", "shop.orders", "shop.order_items"]);
        assert_eq!(settings.tables[2].keys, ["order_id", "line"]);
    }
}
