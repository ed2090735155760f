//! A MariaDB that holds what was staged.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Opts};

use crate::mariadb::MariaDb;
use crate::objects::Format;
use crate::rows::{self, Row};

const STATEMENTS: &str = "\
CREATE DATABASE shop;
CREATE USER 'dms'@'%';
GRANT ALL ON *.* TO 'dms'@'%';
CREATE TABLE shop.orders (id BIGINT PRIMARY KEY, customer INT, state VARCHAR(16), amount DECIMAL(12,2), quantity INT, ordered_at DATETIME(6), note VARCHAR(60));
";
const FIELDS: &str = "FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '\"'";

pub(super) struct Source {
    server: MariaDb,
    folder: PathBuf,
}

impl Source {
    /// A server with an empty `shop.orders`; none if there is no `mariadbd`.
    pub(super) async fn start(folder: &Path) -> Option<Self> {
        let server = MariaDb::start(STATEMENTS)?;
        let source = Self { server, folder: folder.to_owned() };
        source.execute("SET GLOBAL innodb_buffer_pool_size = 1073741824").await;
        Some(source)
    }

    pub(super) fn url(&self) -> String {
        self.server.url("dms", "")
    }

    /// Takes in the full load, an object at a time.
    pub(super) async fn load(&self, rows: u64, object: u64) {
        for first in (0..rows).step_by(object as usize) {
            self.take_in(&rows::loaded(first, object.min(rows - first))).await;
        }
    }

    /// Makes these changes, as the lake makes them: an update of a row that is gone inserts it.
    pub(super) async fn change(&self, changes: impl Iterator<Item = Row>) {
        let last: BTreeMap<i64, Row> = changes.map(|row| (row.id, row)).collect();
        let (gone, there): (Vec<Row>, Vec<Row>) =
            last.into_values().partition(|row| row.op == Some("D"));
        self.take_in(&there.into_iter().map(|row| Row { op: None, ..row }).collect::<Vec<_>>())
            .await;
        for gone in gone.chunks(1_000) {
            let keys: Vec<String> = gone.iter().map(|row| row.id.to_string()).collect();
            self.execute(&format!("DELETE FROM shop.orders WHERE id IN ({})", keys.join(", ")))
                .await;
        }
    }

    /// Puts rows into the table, in the place of those with the same key.
    async fn take_in(&self, rows: &[Row]) {
        let file = self.folder.join("rows.csv");
        fs::write(&file, Format::Csv.bytes(rows)).expect("written");
        self.execute(&format!(
            "LOAD DATA INFILE '{}' REPLACE INTO TABLE shop.orders CHARACTER SET utf8mb4 {FIELDS}",
            file.display()
        ))
        .await;
        fs::remove_file(file).expect("removed");
    }

    async fn execute(&self, statement: &str) {
        let options = Opts::from_url(&self.url()).expect("a URL");
        let mut connection = Conn::new(options).await.expect("a connection");
        connection.query_drop(statement).await.expect("executed");
        connection.disconnect().await.expect("an end");
    }
}
