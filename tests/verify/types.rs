//! Every column type: the value that DMS writes for one of MySQL's is equal to it, and the next
//! value is not.

use std::fmt::Write as _;

use dmslake::inspect::verify::{Kind, Verdict};

use super::listed;
use super::source::Site;

/// A type, a value of it in SQL, the same as DMS writes it into CSV, and other values in SQL that
/// are near it.
const TYPES: &[(&str, &str, &str, &[&str])] = &[
    ("tinyint", "-128", "-128", &["-127", "NULL"]),
    ("tinyint unsigned", "255", "255", &["254"]),
    ("smallint", "-32768", "-32768", &["-32767"]),
    ("smallint(5) unsigned zerofill", "42", "42", &["43"]),
    ("mediumint", "8388607", "8388607", &["8388606"]),
    ("mediumint unsigned", "16777215", "16777215", &["16777214"]),
    ("int", "-2147483648", "-2147483648", &["-2147483647"]),
    ("int unsigned", "4294967295", "4294967295", &["4294967294"]),
    ("bigint", "-9223372036854775808", "-9223372036854775808", &["-9223372036854775807"]),
    ("bigint unsigned", "18446744073709551615", "18446744073709551615", &["18446744073709551614"]),
    ("decimal(10,2)", "-12345678.90", "-12345678.90", &["-12345678.91", "NULL"]),
    (
        "decimal(38,10)",
        "9999999999999999999999999999.9999999999",
        "9999999999999999999999999999.9999999999",
        &["9999999999999999999999999999.9999999998"],
    ),
    (
        "decimal(50,5)",
        "123456789012345678901234567890123456789012345.67890",
        "123456789012345678901234567890123456789012345.67890",
        &["123456789012345678901234567890123456789012345.67891"],
    ),
    // The shortest text, and that of the same number in eight bytes.
    ("float", "0.1", "0.1", &["0.10000001", "0"]),
    ("float", "16777217", "16777216", &["16777218"]),
    ("float", "1.1754944e-38", "1.1754943508222875e-38", &["1.1754945e-38"]),
    ("double", "0.1", "0.1", &["0.10000000000000002"]),
    ("double", "1.7976931348623157e308", "1.7976931348623157e308", &["1.7976931348623155e308"]),
    ("double(8,3)", "1234.567", "1234.567", &["1234.568"]),
    ("bit(1)", "b'1'", "1", &["b'0'", "NULL"]),
    ("bit(7)", "b'1010101'", "85", &["b'1010100'"]),
    ("bit(63)", "b'1'", "1", &["b'0'"]),
    ("bit(64)", "0x8000000000000001", "8000000000000001", &["0x8000000000000000"]),
    ("date", "'1000-01-01'", "1000-01-01", &["'1000-01-02'"]),
    ("date", "'0000-00-00'", "0000-00-00", &["'9999-12-31'"]),
    ("datetime", "'9999-12-31 23:59:59'", "9999-12-31 23:59:59.000000", &["'9999-12-31 23:59:58'"]),
    (
        "datetime(6)",
        "'1969-12-31 23:59:59.999999'",
        "1969-12-31 23:59:59.999999",
        &["'1970-01-01 00:00:00'", "'1969-12-31 23:59:59.999998'"],
    ),
    // The session of the test is two hours ahead of UTC.
    (
        "timestamp(3)",
        "'2026-03-29 02:30:00.125'",
        "2026-03-29 00:30:00.125000",
        &["'2026-03-29 02:30:00.126'"],
    ),
    ("time", "'-838:59:59'", "-838:59:59", &["'-838:59:58'"]),
    ("time(6)", "'10:00:00.5'", "10:00:00.500000", &["'10:00:00.500001'", "'10:00:00'"]),
    ("year", "2155", "2155", &["2154"]),
    ("year", "0", "0", &["1901"]),
    ("char(10)", "'ab'", "ab", &["'ab.'", "''", "'Ab'"]),
    ("varchar(20)", "'ab '", "ab ", &["'ab'", "NULL"]),
    ("varchar(20) character set latin1", "'Käse'", "Käse", &["'Kase'"]),
    ("text", "''", "", &["NULL", "' '"]),
    ("mediumtext", "'x,\"y\nz'", "\"x,\"\"y\nz\"", &["'x,\"y z'"]),
    ("longtext", "'\\0'", "\0", &["''"]),
    ("json", "'{\"a\": 1}'", "\"{\"\"a\"\": 1}\"", &["'{\"a\": 2}'"]),
    ("enum('new','paid')", "'paid'", "paid", &["'new'"]),
    ("set('a','b','c')", "'a,c'", "\"a,c\"", &["'a,b,c'", "''"]),
    ("binary(4)", "x'00FF'", "00FF0000", &["x'00FF01'"]),
    ("varbinary(10)", "x'00FF'", "00ff", &["x'00FF00'", "''", "NULL"]),
    ("blob", "x'0A0D2C22'", "0A0D2C22", &["x'0A0D2C23'"]),
    (
        "point",
        "POINT(1, 2)",
        "000000000101000000000000000000F03F0000000000000040",
        &["POINT(1, 3)"],
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_type_is_equal_as_it_is_stored_and_the_next_value_is_found() {
    let (mut declared, mut configured) = (String::new(), String::new());
    let (mut values, mut csv) = (String::from("7"), String::from("7"));
    for (at, (name, sql, text, _)) in TYPES.iter().enumerate() {
        write!(declared, ", c{at} {name} NULL").unwrap();
        let quoted = toml::Value::String((*name).to_owned());
        writeln!(configured, "  {{ name = \"c{at}\", type = {quoted} }},").unwrap();
        write!(values, ", {sql}").unwrap();
        write!(csv, ",{text}").unwrap();
    }
    // `tinyint(1)` as a truth value.
    declared += ", paid tinyint(1)";
    configured += "  { name = \"paid\", type = \"tinyint(1)\", boolean = true },\n";
    values += ", 1";
    csv += ",t";
    let tables = format!(
        "[[table]]\nsource = \"shop.every\"\nkeys = [\"id\"]\ncolumns = [\n  \
         {{ name = \"id\", type = \"int\" }},\n{configured}]\n"
    );
    let Some(site) = Site::start("", &tables) else { return };
    let create = format!("CREATE TABLE shop.every (id INT PRIMARY KEY{declared}) CHARSET utf8mb4");
    site.execute(&create).await;
    let mut connection = site.connect().await;
    {
        use mysql_async::prelude::Queryable as _;
        for statement in ["SET NAMES utf8mb4", "SET time_zone = '+02:00'", "SET sql_mode = ''"] {
            connection.query_drop(statement).await.unwrap();
        }
        connection.query_drop(format!("INSERT INTO shop.every VALUES ({values})")).await.unwrap();
    }
    site.stage("every", "LOAD00000001.csv", &format!("{csv}\n"));
    site.apply("every").await;

    let found = site.verify("every").await;
    assert_eq!(found.verdict, Verdict::Equal, "{:?} {:?}", found.keys, found.undecided_because);
    assert_eq!(found.compared.len(), TYPES.len() + 2, "{:?}", found.not_compared);

    let mut others: Vec<(String, &str)> = Vec::new();
    for (at, (_, _, _, other)) in TYPES.iter().enumerate() {
        others.extend(other.iter().map(|other| (format!("c{at}"), *other)));
    }
    others.push(("paid".to_owned(), "0"));
    for (column, other) in &others {
        use mysql_async::prelude::Queryable as _;
        let change = format!("UPDATE shop.every SET {column} = {other}");
        connection.query_drop(change).await.unwrap();
        let found = site.verify("every").await;
        let expected = [(vec!["7"], Kind::OtherValues, vec![column.as_str()])];
        assert_eq!(listed(&found), expected, "{column} = {other}");
        let all = format!("REPLACE INTO shop.every VALUES ({values})");
        connection.query_drop(all).await.unwrap();
    }
    assert_eq!(site.verify("every").await.verdict, Verdict::Equal, "as before");
}
