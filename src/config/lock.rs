//! The lock file: what is known of the tables that patterns stand for.
//!
//! It stands beside the configuration and ends in `.lock`; `dmslake init --lock` and `dmslake
//! discover` write it. It is JSON with a line for each column, sorted by name, so that it can be
//! read and compared.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::config::{ColumnSpec, StatedIn, TableName};
use crate::dms::MySqlType;
use crate::error::{Error, ErrorKind, Result};

/// The name of the lock file beside a configuration: `dmslake.lock` beside `dmslake.toml`.
#[must_use]
pub fn lock_file_of(configuration: &str) -> String {
    let name = configuration.strip_suffix(".toml").unwrap_or(configuration);
    format!("{name}.lock")
}

/// The tables of a lock file, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    /// What is known of each.
    pub tables: BTreeMap<TableName, LockedTable>,
}

/// What is known of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedTable {
    /// The key columns' names at the source: empty if it has no primary key, `None` if that is not
    /// known.
    #[serde(default)]
    pub keys: Option<Vec<String>>,
    /// Source column → column in the lake, for names that readers refuse.
    #[serde(default)]
    pub rename: BTreeMap<String, String>,
    /// The columns as the source declares them and the task's rules change them, in order; empty
    /// if the objects tell them. They are those of a `[[table]]`.
    #[serde(default)]
    pub columns: Vec<LockedColumn>,
    /// The columns that the newest object showed. They only tell a person what is there: each
    /// object tells its own.
    #[serde(default)]
    pub shown: Vec<LockedColumn>,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedColumn {
    /// Its name at the source.
    pub name: String,
    /// Its MySQL type; `None` if that is not known.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub mysql_type: Option<String>,
    /// Whether it may hold NULL.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub nullable: bool,
}

/// The name of a table, as `source` spells it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Source {
    Whole(String),
    /// Where the schema's name contains a dot.
    Parts {
        schema: String,
        table: String,
    },
}

#[derive(Deserialize)]
struct Entry {
    source: Source,
    #[serde(flatten)]
    rest: serde_json::Map<String, serde_json::Value>,
}

#[derive(Deserialize)]
struct File {
    format: u32,
    tables: Vec<Entry>,
}

impl Lock {
    /// The format of the file.
    pub const FORMAT: u32 = 1;

    /// Reads a lock file.
    ///
    /// # Errors
    /// `Config` if the text is no lock file, or one of a newer format.
    pub fn parse(text: &str) -> Result<Self> {
        let unreadable = |error: serde_json::Error| {
            Error::new(
                ErrorKind::Config,
                "the lock file cannot be read; `dmslake discover --mysql` \
                       writes it anew once it is removed",
            )
            .because(error)
        };
        let file: File = serde_json::from_str(text).map_err(unreadable)?;
        if file.format > Self::FORMAT {
            let message = "a newer dmslake has written the lock file; upgrade dmslake";
            return Err(Error::new(ErrorKind::Config, message).with("format", file.format));
        }
        let mut tables = BTreeMap::new();
        for Entry { source, rest } in file.tables {
            let name = source.name().map_err(unreadable)?;
            let table: LockedTable = serde_json::from_value(rest.into())
                .map_err(|error| unreadable(error).with("table", &name))?;
            if tables.insert(name.clone(), table).is_some() {
                let message = "the lock file has a table twice; remove one of them";
                return Err(Error::new(ErrorKind::Config, message).with("table", name));
            }
        }
        Ok(Self { tables })
    }

    /// The text of the file: the same for the same tables.
    #[must_use]
    pub fn render(&self) -> String {
        let tables = self.tables.iter().map(|(name, table)| table.render(name));
        let tables: Vec<String> = tables.collect();
        let tables =
            if tables.is_empty() { String::new() } else { format!("\n{}\n  ", tables.join(",\n")) };
        format!("{{\n  \"format\": {},\n  \"tables\": [{tables}]\n}}\n", Self::FORMAT)
    }
}

impl LockedTable {
    /// The columns for decoding.
    ///
    /// # Errors
    /// A column whose type is not known, and why.
    pub(super) fn column_specs(&self) -> Result<Vec<ColumnSpec>, (String, String)> {
        let spec = |column: &LockedColumn| {
            let spelled = column.mysql_type.as_deref().unwrap_or_default();
            let mysql_type = MySqlType::parse(spelled).map_err(|why| (column.name.clone(), why))?;
            let LockedColumn { name, nullable, .. } = column.clone();
            Ok(ColumnSpec {
                name,
                mysql_type,
                nullable,
                boolean: false,
                hex: false,
                stated_in: StatedIn::LockFile,
            })
        };
        self.columns.iter().map(spec).collect()
    }

    fn render(&self, name: &TableName) -> String {
        let mut members = vec![format!("\"source\": {}", json(&Source::of(name)))];
        members.extend(self.keys.as_ref().map(|keys| format!("\"keys\": {}", json(keys))));
        if !self.rename.is_empty() {
            members.push(format!("\"rename\": {}", json(&self.rename)));
        }
        for (key, columns) in [("columns", &self.columns), ("shown", &self.shown)] {
            if !columns.is_empty() {
                let columns: Vec<String> =
                    columns.iter().map(|column| format!("        {}", json(column))).collect();
                members.push(format!("\"{key}\": [\n{}\n      ]", columns.join(",\n")));
            }
        }
        format!("    {{\n      {}\n    }}", members.join(",\n      "))
    }
}

impl Source {
    fn of(name: &TableName) -> Self {
        let TableName { schema, table } = name.clone();
        if schema.contains('.') {
            Self::Parts { schema, table }
        } else {
            Self::Whole(name.to_string())
        }
    }

    fn name(self) -> Result<TableName, serde_json::Error> {
        match self {
            Self::Parts { schema, table } => Ok(TableName { schema, table }),
            Self::Whole(text) => match text.split_once('.') {
                Some((schema, table)) => {
                    Ok(TableName { schema: schema.to_owned(), table: table.to_owned() })
                }
                None => Err(serde::de::Error::custom("a source is no \"schema.table\"")),
            },
        }
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("texts and lists of them have a JSON form")
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_yes(value: &bool) -> bool {
    *value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_has_a_line_for_each_column() {
        let column = |name: &str, mysql_type: Option<&str>, nullable| LockedColumn {
            name: name.into(),
            mysql_type: mysql_type.map(str::to_owned),
            nullable,
        };
        let orders = LockedTable {
            keys: Some(vec!["id".into()]),
            rename: [("unit price".to_owned(), "unit_price".to_owned())].into(),
            columns: vec![
                column("id", Some("bigint unsigned"), false),
                column("unit price", Some("decimal(10,2)"), true),
            ],
            shown: Vec::new(),
        };
        let log = LockedTable {
            keys: Some(Vec::new()),
            shown: vec![column("at", Some("datetime(6)"), true), column("x", None, true)],
            ..LockedTable::default()
        };
        let name =
            |schema: &str, table: &str| TableName { schema: schema.into(), table: table.into() };
        let tables = [
            (name("shop", "orders"), orders),
            (name("my.shop", "log"), log),
            (name("shop", "new"), LockedTable::default()),
        ];
        let lock = Lock { tables: tables.into() };
        let text = lock.render();
        assert_eq!(
            text,
            r#"{
  "format": 1,
  "tables": [
    {
      "source": {"schema":"my.shop","table":"log"},
      "keys": [],
      "shown": [
        {"name":"at","type":"datetime(6)"},
        {"name":"x"}
      ]
    },
    {
      "source": "shop.new"
    },
    {
      "source": "shop.orders",
      "keys": ["id"],
      "rename": {"unit price":"unit_price"},
      "columns": [
        {"name":"id","type":"bigint unsigned","nullable":false},
        {"name":"unit price","type":"decimal(10,2)"}
      ]
    }
  ]
}
"#
        );
        assert_eq!(Lock::parse(&text).expect("it is one"), lock);
        let empty = Lock::default();
        assert_eq!(Lock::parse(&empty.render()).expect("it is one"), empty);
    }

    #[test]
    fn what_is_no_lock_file_is_refused() {
        for (text, why) in [
            ("{", "cannot be read"),
            ("{\"format\": 2, \"tables\": []}", "upgrade dmslake"),
            ("{\"format\": 1, \"tables\": [{\"source\": \"orders\"}]}", "cannot be read"),
            (
                "{\"format\": 1, \"tables\": [{\"source\": \"a.b\", \"kyes\": []}]}",
                "cannot be read",
            ),
            (
                "{\"format\": 1, \"tables\": [{\"source\": \"a.b\"}, {\"source\": \"a.b\"}]}",
                "twice",
            ),
        ] {
            let refused = Lock::parse(text).expect_err(text);
            assert_eq!(refused.kind(), ErrorKind::Config);
            assert!(refused.message().contains(why), "{text}: {refused}");
        }
    }
}
