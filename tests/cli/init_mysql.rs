//! `dmslake init --mysql` against a real server.

use dmslake::config::load;

use super::mariadb::MariaDb;
use super::{dmslake, run, said, write};

/// Types whose spelling differs, keys in another order than columns, names that the lake refuses.
const STATEMENTS: &str = "\
CREATE DATABASE shop;
CREATE TABLE shop.customers (id BIGINT UNSIGNED PRIMARY KEY, name VARCHAR(80) NOT NULL, kind ENUM('a','b''c') DEFAULT 'a', `unit price` DECIMAL(12,2), at DATETIME(6), flags BIT(1), doubled DECIMAL(13,2) AS (`unit price` * 2), note TEXT);
CREATE TABLE shop.order_items (line SMALLINT, order_id BIGINT, place POINT, other UUID, PRIMARY KEY (order_id, line));
CREATE TABLE shop.log (line TEXT);
CREATE VIEW shop.names AS SELECT name FROM shop.customers;
CREATE DATABASE archive;
CREATE TABLE archive.orders (id INT(11) ZEROFILL PRIMARY KEY);
CREATE USER 'dms'@'%' IDENTIFIED BY 'se:cr/et';
GRANT SELECT ON *.* TO 'dms'@'%';
CREATE USER 'strict'@'%' IDENTIFIED BY 'x' REQUIRE SSL;
GRANT SELECT ON *.* TO 'strict'@'%';
";
const INIT: [&str; 6] = ["init", "--staging", "staging", "--lake", "lake", "--output=-"];

#[test]
fn keys_and_types_come_from_the_source() {
    let Some(server) = MariaDb::start(STATEMENTS) else { return };
    staged_tables_only(&server);
    all_tables_of_a_schema(&server);
    wrong_passwords(&server);
    if server.has_tls() {
        tls(&server);
    } else {
        eprintln!("skipped: no openssl on this machine, so TLS to the source was not tested");
    }
}

fn staged_tables_only(server: &MariaDb) {
    let home = tempfile::tempdir().expect("a temporary folder");
    let folder = home.path().join("staging/shop");
    let change = "U,1,n,a,9.50,2026-03-01 00:00:00,1,19,note,20260301,1\n";
    write(&folder.join("customers/20260301-120000000.csv"), change);
    write(&folder.join("order_items/LOAD00000001.csv"), "1,2,00,00\n");
    let url = server.url("dms:se%3Acr%2Fet", "");
    let done = run(home.path(), &[&INIT[..], &["--mysql", &url]].concat());
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.err.contains("10 fields beside those of DMS, the source 8 columns"), "{done:?}");
    assert!(!done.err.contains("to fill in"), "{done:?}");

    let settings = load::parse(&done.out).expect(&done.out);
    let [customers, items] = settings.tables.as_slice() else { panic!("two in {done:?}") };
    assert_eq!(customers.keys, ["id"]);
    assert_eq!(items.keys, ["order_id", "line"], "in key order");
    let names: Vec<&str> = customers.columns.iter().map(|column| &*column.name).collect();
    let declared = ["id", "name", "kind", "unit price", "at", "flags", "doubled", "note"];
    assert_eq!(names, declared);
    assert_eq!(customers.lake_name("unit price"), "unit_price");
    for line in [
        "{ name = \"id\", type = \"bigint(20) unsigned\", nullable = false },",
        "{ name = \"kind\", type = \"enum('a','b''c')\" },",
        "type = \"decimal(13,2)\" },  # computed by the source",
        "{ name = \"other\", type = \"text\" },  # declared otherwise:",
    ] {
        assert!(done.out.contains(line), "{line} in {}", done.out);
    }
}

fn all_tables_of_a_schema(server: &MariaDb) {
    let home = tempfile::tempdir().expect("a temporary folder");
    let tables = |rest: &str| {
        let url = server.url("dms", rest);
        let arguments = [&INIT[..], &["--mysql", &url]].concat();
        // As MySQL's own clients do, where the URL has no password.
        let mut command = dmslake(home.path(), &arguments);
        let done = said(command.env("MYSQL_PWD", "se:cr/et").output().expect("it starts"));
        assert_eq!(done.code, Some(0), "{done:?}");
        let sources = done.out.lines().filter_map(|line| line.strip_prefix("source = "));
        (sources.map(str::to_owned).collect::<Vec<_>>(), done.err)
    };
    let (shop, err) = tables("shop");
    assert_eq!(shop, ["\"shop.customers\"", "\"shop.log\"", "\"shop.order_items\""], "no views");
    assert!(err.contains("shop.log: keys: the source has no primary key"), "{err}");
    let (all, _) = tables("");
    assert_eq!(all.len(), 4, "{all:?}");
    assert_eq!(all[0], "\"archive.orders\"");
}

fn wrong_passwords(server: &MariaDb) {
    let home = tempfile::tempdir().expect("a temporary folder");
    let url = server.url("dms:guessed", "shop");
    let refused = run(home.path(), &[&INIT[..], &["--mysql", &url]].concat());
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.err.contains("Access denied") && !refused.err.contains("guessed"));
    let refused =
        run(home.path(), &[&INIT[..], &["--mysql", "postgres://dms:guessed@h/"]].concat());
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(!refused.err.contains("guessed"), "{refused:?}");
}

fn tls(server: &MariaDb) {
    let home = tempfile::tempdir().expect("a temporary folder");
    let code = |parameters: &str| {
        let url = server.url("strict:x", &format!("shop{parameters}"));
        let ended = run(home.path(), &[&INIT[..], &["--mysql", &url]].concat());
        (ended.code, ended.err)
    };
    let (plain, err) = code("");
    assert_eq!(plain, Some(1), "the user must come by TLS: {err}");
    let (unverified, err) = code("?require_ssl=true");
    assert_eq!(unverified, Some(1), "nobody signed the certificate: {err}");
    let (accepted, err) = code("?require_ssl=true&verify_ca=false&verify_identity=false");
    assert_eq!(accepted, Some(0), "{err}");
}
