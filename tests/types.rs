//! Every MySQL type in CSV and in Parquet: extremes, NULL, values out of range, zero dates.

mod physical;

use dmslake::error::ErrorKind;
use dmslake::schema::ColumnType;

use crate::support::parquet_file::{Values, file, numbers, texts, unscaled};
use crate::support::staged::{LOAD_CSV, LOAD_PARQUET, Staged};

/// The expected result for a value.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    /// The lake holds it, and shows it like this.
    Is(&'static str),
    /// NULL.
    Null,
    /// The row is bad, and the reason contains this.
    Bad(&'static str),
}

use Fate::{Bad, Is, Null};

/// Reads one CSV column and compares the fate of every text.
async fn csv(mysql_type: &str, lake: &str, cases: &[(&str, Fate)]) {
    let staged = Staged::new(&[("id", "int"), ("v", mysql_type)]);
    csv_of(&staged, mysql_type, lake, cases).await;
}

async fn csv_of(staged: &Staged, mysql_type: &str, lake: &str, cases: &[(&str, Fate)]) {
    let rows = cases.iter().enumerate().map(|(row, (text, _))| format!("{},{text}\n", row + 1));
    let decoded = staged.read(LOAD_CSV, rows.collect::<String>()).await.unwrap();
    assert_eq!(decoded.brought(), ["id integer".to_owned(), format!("v {lake}")], "{mysql_type}");
    let fates: Vec<Fate> = cases.iter().map(|(_, fate)| *fate).collect();
    let shown: Vec<&str> = cases.iter().map(|(text, _)| *text).collect();
    check(&decoded, mysql_type, &shown, &fates);
}

/// Reads one Parquet column, declared without its repetition, and compares every fate.
async fn parquet(
    mysql_type: Option<&str>,
    declared: &str,
    lake: &str,
    values: Values,
    fates: &[Fate],
) {
    let mut columns = vec![("id", "bigint")];
    columns.extend(mysql_type.map(|mysql_type| ("v", mysql_type)));
    parquet_of(&Staged::new(&columns), declared, lake, values, fates).await;
}

async fn parquet_of(staged: &Staged, declared: &str, lake: &str, values: Values, fates: &[Fate]) {
    let object = file(&[("int64 id", numbers(fates.len())), (declared, values)]);
    let decoded = staged.read(LOAD_PARQUET, object).await;
    let decoded = decoded.unwrap_or_else(|error| panic!("{declared}: {}", error.chain()));
    assert_eq!(decoded.brought(), ["id long".to_owned(), format!("v {lake}")], "{declared}");
    check(&decoded, declared, &vec![declared; fates.len()], fates);
}

fn check(decoded: &crate::support::staged::Decoded, what: &str, texts: &[&str], fates: &[Fate]) {
    let mut good = decoded.rows().into_iter().zip(decoded.values("v"));
    let mut bad = decoded.bad_rows.iter();
    for (position, (text, fate)) in texts.iter().zip(fates).enumerate() {
        let row = position as u64 + 1;
        match fate {
            Is(expected) => {
                assert_eq!(good.next(), Some((row, (*expected).to_owned())), "{what}: {text:?}");
            }
            Null => assert_eq!(good.next(), Some((row, "∅".to_owned())), "{what}: {text:?}"),
            Bad(reason) => {
                let found = bad.next().unwrap_or_else(|| panic!("{what}: {text:?} is not bad"));
                assert_eq!((found.row, found.column.as_deref()), (row, Some("v")), "{what}");
                assert!(found.reason.contains(reason), "{what}: {text:?}: {}", found.reason);
                assert!(
                    text.len() < 4 || text == &what || !found.reason.contains(text),
                    "{what}: the reason shows the value: {}",
                    found.reason
                );
            }
        }
    }
    assert_eq!(good.next(), None, "{what}");
    assert_eq!(bad.next(), None, "{what}");
}

const RANGE: Fate = Bad("out of range");
const NO: Fate = Bad("the value is not a valid");

#[tokio::test]
async fn integers_in_csv() {
    let ranges: [(&str, &str, [&str; 2], [&str; 2]); 10] = [
        ("tinyint", "byte", ["-128", "127"], ["-129", "128"]),
        ("tinyint unsigned", "short", ["0", "255"], ["-1", "256"]),
        ("smallint", "short", ["-32768", "32767"], ["-32769", "32768"]),
        ("smallint unsigned", "integer", ["0", "65535"], ["-1", "65536"]),
        ("mediumint", "integer", ["-8388608", "8388607"], ["-8388609", "8388608"]),
        ("mediumint unsigned", "integer", ["0", "16777215"], ["-1", "16777216"]),
        ("int", "integer", ["-2147483648", "2147483647"], ["-2147483649", "2147483648"]),
        ("int unsigned", "long", ["0", "4294967295"], ["-1", "4294967296"]),
        (
            "bigint",
            "long",
            ["-9223372036854775808", "9223372036854775807"],
            ["-9223372036854775809", "9223372036854775808"],
        ),
        (
            "bigint unsigned",
            "decimal(20,0)",
            ["0", "18446744073709551615"],
            ["-1", "18446744073709551616"],
        ),
    ];
    for (mysql_type, lake, [least, greatest], [below, above]) in ranges {
        let cases = [
            (least, Is(least)),
            (greatest, Is(greatest)),
            (below, RANGE),
            (above, RANGE),
            ("NULL", Null),
            ("007", Is("7")),
            ("+7", Is("7")),
            ("", Bad("empty text is not a valid")),
            ("1.0", NO),
            ("1e1", NO),
            (" 1", NO),
            ("-", NO),
            ("abc", NO),
            ("99999999999999999999999999", RANGE),
        ];
        csv(mysql_type, lake, &cases).await;
    }
    let years = [("0", Is("0")), ("1901", Is("1901")), ("2155", Is("2155")), ("1900", RANGE)];
    csv("year", "short", &years).await;
    csv("year", "short", &[("2156", RANGE), ("-1", RANGE), ("NULL", Null)]).await;
}

#[tokio::test]
async fn decimals_in_csv() {
    let cases = [
        ("9999999999999.99", Is("9999999999999.99")),
        ("-9999999999999.99", Is("-9999999999999.99")),
        ("10000000000000.00", RANGE),
        ("0.1", Is("0.10")),
        ("-.5", Is("-0.50")),
        ("5.", Is("5.00")),
        ("1.2300000000", Is("1.23")),
        ("1.234", Bad("more fraction digits")),
        ("000000000000000000001.5", Is("1.50")),
        ("1e3", NO),
        (".", NO),
        ("1.2.3", NO),
        ("", Bad("empty text")),
        ("NULL", Null),
    ];
    csv("decimal(15,2)", "decimal(15,2)", &cases).await;
    let widest = "99999999999999999999999999999999999999";
    let below = "-99999999999999999999999999999999999999";
    csv("decimal(38,0)", "decimal(38,0)", &[(widest, Is(widest)), (below, Is(below))]).await;
    let fraction = "0.12345678901234567890123456789012345678";
    let cases = [(fraction, Bad("more fraction digits"))];
    csv("decimal(30,30)", "decimal(30,30)", &cases).await;
    let beyond = "123456789012345678901234567890123456789012345678901234567890.12345";
    csv("decimal(65,5)", "string", &[(beyond, Is(beyond)), ("NULL", Null)]).await;
}

#[tokio::test]
async fn floating_point_in_csv() {
    let cases = [
        ("1.5", Is("1.5")),
        ("-1e3", Is("-1000.0")),
        (".25", Is("0.25")),
        ("1.7976931348623157E+308", Is("1.7976931348623157e308")),
        ("0.1", Is("0.1")),
        ("1e309", RANGE),
        ("inf", NO),
        ("-Infinity", NO),
        ("nan", NO),
        ("1,", NO),
        ("", Bad("empty")),
        ("NULL", Null),
    ];
    let cases: Vec<_> = cases.into_iter().filter(|(text, _)| !text.contains(',')).collect();
    csv("double", "double", &cases).await;
    csv("float", "double", &cases).await;
}

#[tokio::test]
async fn booleans_and_bits_in_csv() {
    let (yes, no) = (Is("true"), Is("false"));
    let cases = [
        ("1", yes),
        ("0", no),
        ("t", yes),
        ("F", no),
        ("TRUE", yes),
        ("False", no),
        ("2", NO),
        ("yes", NO),
        ("", Bad("empty")),
        ("NULL", Null),
    ];
    csv("bit(1)", "boolean", &cases).await;
    let mut staged = Staged::new(&[("id", "int"), ("v", "tinyint(1)")]);
    csv_of(&staged, "tinyint(1)", "byte", &[("2", Is("2")), ("1", Is("1"))]).await;
    staged.table.columns[1].boolean = true;
    let reason = Bad("boolean = true takes 0 and 1 only");
    let cases = cases.map(|(text, fate)| (text, if fate == NO { reason } else { fate }));
    csv_of(&staged, "tinyint(1) as boolean", "boolean", &cases).await;

    let cases = [
        ("1023", Is("1023")),
        ("1024", RANGE),
        ("0x03fF", Is("1023")),
        ("03ff", Is("1023")),
        ("0400", Is("400")),
        ("0x0400", RANGE),
        ("-1", RANGE),
        ("xyz", NO),
        ("", Bad("empty")),
        ("NULL", Null),
    ];
    csv("bit(10)", "long", &cases).await;
    let mut staged = Staged::new(&[("id", "int"), ("v", "bit(10)")]);
    staged.table.columns[1].hex = true;
    csv_of(&staged, "bit(10) in hex", "long", &[("0100", Is("256"))]).await;
    let greatest = [("9223372036854775807", Is("9223372036854775807"))];
    csv("bit(63)", "long", &greatest).await;
    csv("bit(64)", "binary", &[("ffffffffffffffff", Is("ffffffffffffffff"))]).await;
}

#[tokio::test]
async fn dates_and_times_in_csv() {
    let cases = [
        ("2024-02-29", Is("2024-02-29")),
        ("1000-01-01", Is("1000-01-01")),
        ("0001-01-01", Is("0001-01-01")),
        ("9999-12-31", Is("9999-12-31")),
        ("1970-01-01", Is("1970-01-01")),
        ("1900-02-28", Is("1900-02-28")),
        ("1900-02-29", RANGE),
        ("2000-02-29", Is("2000-02-29")),
        ("0000-00-00", Null),
        ("2024-00-10", Null),
        ("2024-10-00", Null),
        ("2023-02-29", RANGE),
        ("2023-13-01", RANGE),
        ("2023-04-31", RANGE),
        // A day of the year 0 is a zero date, as it must be in Parquet.
        ("0000-12-19", Null),
        ("0000-02-29", Null),
        ("0000-02-30", RANGE),
        ("0000-13-01", RANGE),
        ("2023-04-30 00:00:00.000000", Is("2023-04-30")),
        ("2023-04-30 00:00:01", RANGE),
        ("2023-4-30", NO),
        ("20230430", NO),
        ("2023/04/30", NO),
        ("", Bad("empty")),
        ("NULL", Null),
    ];
    csv("date", "date", &cases).await;

    let cases = [
        ("2022-10-24 17:59:02", Is("2022-10-24T17:59:02Z")),
        ("2022-10-24 17:59:02.1", Is("2022-10-24T17:59:02.100Z")),
        ("2022-10-24 17:59:02.123456", Is("2022-10-24T17:59:02.123456Z")),
        ("2022-10-24T17:59:02.000001Z", Is("2022-10-24T17:59:02.000001Z")),
        ("2022-10-24 17:59:02+00:00", Is("2022-10-24T17:59:02Z")),
        ("2022-10-24", Is("2022-10-24T00:00:00Z")),
        ("0001-01-01 00:00:00", Is("0001-01-01T00:00:00Z")),
        ("9999-12-31 23:59:59.999999", Is("9999-12-31T23:59:59.999999Z")),
        ("1969-12-31 23:59:59.999999", Is("1969-12-31T23:59:59.999999Z")),
        ("0000-00-00 00:00:00", Null),
        ("0000-12-19 10:00:00", Null),
        ("0000-00-00 00:00:00.000000", Null),
        ("2022-00-24 17:59:02", Null),
        ("2022-10-24 24:00:00", RANGE),
        ("2022-10-24 23:60:00", RANGE),
        ("2022-10-24 23:59:60", RANGE),
        ("2022-10-24 17:59:02.1234567", NO),
        ("2022-10-24 17:59:02.", NO),
        ("2022-10-24 17:59", NO),
        ("2022-10-24 17:59:02+09:00", NO),
        ("", Bad("empty")),
        ("NULL", Null),
    ];
    csv("datetime(6)", "timestamp", &cases).await;
    csv("timestamp", "timestamp", &cases).await;

    let cases = [
        ("-838:59:59", Is("-838:59:59")),
        ("838:59:59.000000", Is("838:59:59")),
        ("010:20:30.500", Is("10:20:30.5")),
        ("-00:00:00", Is("00:00:00")),
        ("839:00:00", RANGE),
        ("10:20", NO),
        ("00:00:00", Is("00:00:00")),
        ("NULL", Null),
    ];
    csv("time(6)", "string", &cases).await;
}

#[tokio::test]
async fn text_and_bytes_in_csv() {
    let texts = [
        "char(3)",
        "varchar(20)",
        "tinytext",
        "text",
        "mediumtext",
        "longtext",
        "json",
        "enum('a','b')",
        "set('a','b')",
    ];
    for mysql_type in texts {
        let cases = [
            ("abc", Is("abc")),
            ("", Is("")),
            ("NULL", Null),
            ("null", Is("null")),
            ("\"NULL\"", Is("NULL")),
            ("\"a,b\"", Is("a,b")),
            ("\"say \"\"x\"\"\"", Is("say \"x\"")),
            ("\"two\nlines\"", Is("two\nlines")),
            ("back\\slash", Is("back\\slash")),
            (" ä€😀 ", Is(" ä€😀 ")),
        ];
        csv(mysql_type, "string", &cases).await;
    }
    let bytes = [
        "binary(4)",
        "varbinary(20)",
        "tinyblob",
        "blob",
        "mediumblob",
        "longblob",
        "geometry",
        "point",
        "multipolygon",
    ];
    for mysql_type in bytes {
        let cases = [
            ("00fFA0", Is("00ffa0")),
            ("0x00ff", Is("00ff")),
            ("0XAB", Is("ab")),
            ("", Is("")),
            ("NULL", Null),
            ("abc", NO),
            ("zz", NO),
        ];
        csv(mysql_type, "binary", &cases).await;
    }
    let staged = Staged::new(&[("id", "int"), ("v", "text")]);
    let decoded = staged.read(LOAD_CSV, b"1,ok\n2,\xff\xfe\n".to_vec()).await.unwrap();
    check(&decoded, "text", &["ok", "not UTF-8"], &[Is("ok"), Bad("not valid UTF-8")]);
}

#[tokio::test]
async fn null_markers_in_csv() {
    let mut staged = Staged::new(&[("id", "int"), ("v", "int")]);
    staged.dms.csv_null_value = String::new();
    csv_of(&staged, "int, empty marker", "integer", &[("", Null), ("NULL", NO)]).await;
    staged.table.columns[1] = crate::support::staged::column("v", "text");
    let cases = [("", Null), ("NULL", Is("NULL")), ("\"\"", Is(""))];
    csv_of(&staged, "text, empty marker", "string", &cases).await;
    staged.dms.csv_null_value = "''".into();
    csv_of(&staged, "text, quote marker", "string", &[("''", Null), ("", Is(""))]).await;
    staged.dms.csv_null_value = " ".into();
    csv_of(&staged, "text, space marker", "string", &[(" ", Null), ("  ", Is("  "))]).await;
    // The marker would be quoted as any value that holds a delimiter.
    staged.dms.csv_null_value = ",".into();
    csv_of(&staged, "text, delimiter marker", "string", &[("\",\"", Null), ("x", Is("x"))]).await;
    staged.dms = dmslake::dms::S3Settings {
        add_trailing_padding_character: true,
        ..dmslake::dms::S3Settings::default()
    };
    let cases = [("a ", Is("a")), ("a  ", Is("a ")), ("a", Is("a")), ("NULL", Null)];
    csv_of(&staged, "padded text", "string", &cases).await;
}

fn i32s(values: &[i32]) -> Values {
    Values::I32(values.iter().copied().map(Some).chain([None]).collect())
}

fn i64s(values: &[i64]) -> Values {
    Values::I64(values.iter().copied().map(Some).chain([None]).collect())
}

#[tokio::test]
async fn integers_in_parquet() {
    let small = i32s(&[-128, 127]);
    parquet(None, "int32 v (INT_8)", "byte", small.clone(), &[Is("-128"), Is("127"), Null]).await;
    parquet(Some("tinyint"), "int32 v (INT_8)", "byte", small, &[Is("-128"), Is("127"), Null])
        .await;
    let fates = [Is("0"), Is("255"), Null];
    parquet(None, "int32 v (UINT_8)", "short", i32s(&[0, 255]), &fates).await;
    parquet(Some("tinyint unsigned"), "int32 v (UINT_8)", "short", i32s(&[0, 255]), &fates).await;
    let fates = [Is("-32768"), Is("32767"), Null];
    parquet(None, "int32 v (INT_16)", "short", i32s(&[-32768, 32767]), &fates).await;
    let fates = [Is("0"), Is("65535"), Null];
    parquet(None, "int32 v (UINT_16)", "integer", i32s(&[0, 65535]), &fates).await;
    let fates = [Is("-2147483648"), Is("2147483647"), Null];
    parquet(None, "int32 v", "integer", i32s(&[i32::MIN, i32::MAX]), &fates).await;
    let fates = [Is("8388607"), Is("-8388608"), RANGE, Null];
    let values = i32s(&[8_388_607, -8_388_608, 8_388_608]);
    parquet(Some("mediumint"), "int32 v", "integer", values, &fates).await;
    // Unsigned 32 bits in both physical forms, which naive readers make negative.
    let fates = [Is("4294967295"), Is("0"), Null];
    parquet(None, "int32 v (UINT_32)", "long", i32s(&[-1, 0]), &fates).await;
    parquet(Some("int unsigned"), "int32 v (UINT_32)", "long", i32s(&[-1, 0]), &fates).await;
    parquet(Some("int unsigned"), "int64 v", "long", i64s(&[4_294_967_295, 0]), &fates).await;
    let values = i64s(&[4_294_967_296, -1]);
    parquet(Some("int unsigned"), "int64 v", "long", values, &[RANGE, RANGE, Null]).await;
    let values = i64s(&[16_777_215, 16_777_216]);
    let fates = [Is("16777215"), Is("16777216"), Null];
    parquet(Some("mediumint unsigned"), "int64 v", "long", values, &fates).await;
    let fates = [Is("-9223372036854775808"), Is("9223372036854775807"), Null];
    parquet(None, "int64 v", "long", i64s(&[i64::MIN, i64::MAX]), &fates).await;
    let fates = [Is("18446744073709551615"), Is("9223372036854775807"), Null];
    let values = i64s(&[-1, i64::MAX]);
    parquet(None, "int64 v (UINT_64)", "decimal(20,0)", values.clone(), &fates).await;
    parquet(Some("bigint unsigned"), "int64 v (UINT_64)", "decimal(20,0)", values, &fates).await;
    // Without the annotation a negative value is not read as a large one.
    let fates = [RANGE, Is("5"), Null];
    parquet(Some("bigint unsigned"), "int64 v", "decimal(20,0)", i64s(&[-1, 5]), &fates).await;
    let fates = [Is("18446744073709551615"), Is("5"), Null];
    let values = i64s(&[-1, 5]);
    parquet(Some("bigint"), "int64 v (UINT_64)", "decimal(20,0)", values, &fates).await;
    let values = i32s(&[0, 1901, 2155, 1900, 2156]);
    let fates = [Is("0"), Is("1901"), Is("2155"), RANGE, RANGE, Null];
    parquet(Some("year"), "int32 v (INT_16)", "short", values, &fates).await;
    // Text because DMS was not certain of the type.
    let values = texts(&[Some("12"), Some("x"), Some("300"), None]);
    parquet(Some("tinyint"), "binary v (UTF8)", "byte", values, &[Is("12"), NO, RANGE, Null]).await;
}

#[tokio::test]
async fn decimals_in_parquet() {
    let fixed = |values: &[i128], width| {
        let bytes = values.iter().map(|value| Some(unscaled(*value, width)));
        Values::Fixed(bytes.chain([None]).collect())
    };
    let fates = [Is("9999999999999.99"), Is("-0.01"), Null];
    let declared = "fixed_len_byte_array(7) v (DECIMAL(15,2))";
    let values = fixed(&[999_999_999_999_999, -1], 7);
    parquet(None, declared, "decimal(15,2)", values.clone(), &fates).await;
    parquet(Some("decimal(15,2)"), declared, "decimal(15,2)", values.clone(), &fates).await;
    // The file's precision differs from the configured one: exact, in a wider type if need be, or a
    // bad row where there is none.
    let fates = [Is("9999999999999.9900"), Is("-0.0100"), Null];
    parquet(Some("decimal(20,4)"), declared, "decimal(20,4)", values.clone(), &fates).await;
    let fates = [Is("9999999999999.99"), Is("-0.01"), Null];
    parquet(Some("decimal(10,2)"), declared, "decimal(15,2)", values.clone(), &fates).await;
    let fates = [RANGE, Is("-0.010000000000000000000000000000"), Null];
    parquet(Some("decimal(38,30)"), declared, "decimal(38,30)", values, &fates).await;
    let values = fixed(&[1_230, 1_234, -1_235], 7);
    let fates = [Is("12.30"), Is("12.34"), Is("-12.35"), Null];
    parquet(Some("decimal(10,1)"), declared, "decimal(15,2)", values.clone(), &fates).await;
    let fates = [Is("12.3"), Bad("more fraction"), Bad("more fraction"), Null];
    parquet(Some("decimal(38,1)"), declared, "decimal(38,1)", values, &fates).await;
    // A value that is rounded up no longer fits into its original type.
    let fates = [Bad("more fraction"), Is("123.45"), Null];
    let declared = "fixed_len_byte_array(5) v (DECIMAL(10,4))";
    let values = fixed(&[9_999_999_999, 1_234_500], 5);
    parquet(Some("decimal(38,2)"), declared, "decimal(38,2)", values, &fates).await;
    let greatest = 10_i128.pow(38) - 1;
    let declared = "fixed_len_byte_array(16) v (DECIMAL(38,4))";
    let fates = [Is("9999999999999999999999999999999999.9999"), Null];
    parquet(None, declared, "decimal(38,4)", fixed(&[greatest], 16), &fates).await;
    let fates = [Is("-123.45"), Null];
    parquet(None, "int32 v (DECIMAL(9,2))", "decimal(9,2)", i32s(&[-12_345]), &fates).await;
    parquet(None, "int64 v (DECIMAL(18,2))", "decimal(18,2)", i64s(&[-12_345]), &fates).await;
    let values = Values::Bytes(vec![Some(unscaled(-12_345, 2)), None]);
    let declared = "binary v (DECIMAL(9,2))";
    parquet(Some("decimal(9,2)"), declared, "decimal(9,2)", values, &fates).await;
    let values = texts(&[Some("1.5"), Some("1.555"), None]);
    let fates = [Is("1.50"), Bad("more fraction"), Null];
    parquet(Some("decimal(9,2)"), "binary v (UTF8)", "decimal(9,2)", values, &fates).await;
    let long = "123456789012345678901234567890123456789012345678901234567890.12345";
    let values = texts(&[Some(long), None]);
    parquet(Some("decimal(65,5)"), "binary v (UTF8)", "string", values, &[Is(long), Null]).await;
    let values = fixed(&[5, -12_345], 7);
    let fates = [Is("5"), Is("-12345"), Null];
    let declared = "fixed_len_byte_array(7) v (DECIMAL(15,0))";
    parquet(Some("bigint"), declared, "long", values, &fates).await;
}

#[tokio::test]
async fn floating_point_and_booleans_in_parquet() {
    let values = Values::F64(vec![Some(-1.5), Some(f64::NAN), Some(f64::INFINITY), None]);
    parquet(None, "double v", "double", values.clone(), &[Is("-1.5"), RANGE, RANGE, Null]).await;
    parquet(Some("float"), "double v", "double", values, &[Is("-1.5"), RANGE, RANGE, Null]).await;
    let values = Values::F32(vec![Some(0.5), None]);
    parquet(None, "float v", "double", values.clone(), &[Is("0.5"), Null]).await;
    parquet(Some("double"), "float v", "double", values, &[Is("0.5"), Null]).await;

    let bools = Values::Bool(vec![Some(true), Some(false), None]);
    let fates = [Is("true"), Is("false"), Null];
    parquet(None, "boolean v", "boolean", bools.clone(), &fates).await;
    parquet(Some("bit(1)"), "boolean v", "boolean", bools.clone(), &fates).await;
    parquet(Some("tinyint"), "boolean v", "byte", bools, &[Is("1"), Is("0"), Null]).await;
    let values = texts(&[Some("true"), Some("f"), Some("maybe"), None]);
    let fates = [Is("true"), Is("false"), NO, Null];
    parquet(Some("bit(1)"), "binary v (UTF8)", "boolean", values.clone(), &fates).await;
    // Text for a boolean column of the lake, without configuration.
    let mut staged = Staged::new(&[("id", "bigint")]);
    staged.in_lake(&[("id", ColumnType::Long), ("v", ColumnType::Boolean)]);
    parquet_of(&staged, "binary v (UTF8)", "boolean", values, &fates).await;
    let mut staged = Staged::new(&[("id", "bigint"), ("v", "tinyint")]);
    staged.table.columns[1].boolean = true;
    let fates = [Is("true"), Is("false"), Bad("boolean = true takes 0 and 1 only"), Null];
    parquet_of(&staged, "int32 v (INT_8)", "boolean", i32s(&[1, 0, 2]), &fates).await;

    let fates = [Is("1023"), RANGE, RANGE, Null];
    parquet(Some("bit(10)"), "int64 v", "long", i64s(&[1023, 1024, -1]), &fates).await;
    let values = Values::Bytes(vec![Some(vec![3, 255]), Some(vec![4, 0]), Some(vec![]), None]);
    let fates = [Is("1023"), RANGE, Bad("empty"), Null];
    parquet(Some("bit(10)"), "binary v", "long", values.clone(), &fates).await;
    parquet(Some("bit(64)"), "binary v", "binary", values, &[Is("03ff"), Is("0400"), Is(""), Null])
        .await;
    let values = texts(&[Some("03ff"), Some("1023"), None]);
    let fates = [Is("1023"), Is("1023"), Null];
    parquet(Some("bit(10)"), "binary v (UTF8)", "long", values, &fates).await;
}

#[tokio::test]
async fn dates_and_times_in_parquet() {
    // -719175 is 0000-12-19, a zero date in CSV too.
    let days = i32s(&[0, -719_162, 2_932_896, -719_163, -719_175, -719_500, 2_932_897]);
    let fates =
        [Is("1970-01-01"), Is("0001-01-01"), Is("9999-12-31"), Null, Null, Null, RANGE, Null];
    parquet(None, "int32 v (DATE)", "date", days.clone(), &fates).await;
    parquet(Some("date"), "int32 v (DATE)", "date", days, &fates).await;
    let fates = [Is("1970-01-02T00:00:00Z"), Null];
    parquet(Some("datetime"), "int32 v (DATE)", "timestamp", i32s(&[1]), &fates).await;
    let midnights = i64s(&[86_400_000, 86_400_001]);
    let fates = [Is("1970-01-02T00:00:00Z"), Is("1970-01-02T00:00:00.001Z"), Null];
    parquet(Some("date"), "int64 v (TIMESTAMP_MILLIS)", "timestamp", midnights, &fates).await;
    let midnights = i64s(&[86_400_000]);
    let fates = [Is("1970-01-02"), Null];
    parquet(Some("date"), "int64 v (TIMESTAMP_MILLIS)", "date", midnights, &fates).await;

    let micros = 1_666_634_342_123_456;
    let (shown, millis_shown) = (Is("2022-10-24T17:59:02.123456Z"), Is("2022-10-24T17:59:02.123Z"));
    let forms = [
        ("int64 v (TIMESTAMP_MICROS)", micros, shown),
        ("int64 v (TIMESTAMP_MILLIS)", micros / 1000, millis_shown),
        ("int64 v (TIMESTAMP(MICROS,true))", micros, shown),
        ("int64 v (TIMESTAMP(MICROS,false))", micros, shown),
        ("int64 v (TIMESTAMP(MILLIS,true))", micros / 1000, millis_shown),
        ("int64 v (TIMESTAMP(NANOS,true))", micros * 1000, shown),
    ];
    for (declared, value, shown) in forms {
        parquet(None, declared, "timestamp", i64s(&[value]), &[shown, Null]).await;
        parquet(Some("datetime(6)"), declared, "timestamp", i64s(&[value]), &[shown, Null]).await;
    }
    let values = i64s(&[-62_135_596_800_000_000, -62_135_596_800_000_001, i64::MAX, i64::MIN]);
    let fates = [Is("0001-01-01T00:00:00Z"), Null, RANGE, RANGE, Null];
    parquet(None, "int64 v (TIMESTAMP_MICROS)", "timestamp", values, &fates).await;
    let values = i64s(&[i64::MAX]);
    parquet(None, "int64 v (TIMESTAMP_MILLIS)", "timestamp", values, &[RANGE, Null]).await;
    let values = texts(&[Some("2022-10-24 17:59:02.1"), Some("0000-00-00 00:00:00"), None]);
    let fates = [Is("2022-10-24T17:59:02.100Z"), Null, Null];
    parquet(Some("datetime"), "binary v (UTF8)", "timestamp", values, &fates).await;

    let values = i32s(&[0, 37_230_004, 86_399_999]);
    let fates = [Is("00:00:00"), Is("10:20:30.004"), Is("23:59:59.999"), Null];
    parquet(None, "int32 v (TIME_MILLIS)", "string", values.clone(), &fates).await;
    parquet(Some("time(3)"), "int32 v (TIME_MILLIS)", "string", values, &fates).await;
    let fates = [Is("10:20:30.000004"), Null];
    parquet(None, "int64 v (TIME_MICROS)", "string", i64s(&[37_230_000_004]), &fates).await;
    let values = texts(&[Some("-838:59:59"), Some("10:20:30.004000"), Some("10:20"), None]);
    let fates = [Is("-838:59:59"), Is("10:20:30.004"), NO, Null];
    parquet(Some("time"), "binary v (UTF8)", "string", values, &fates).await;
}

#[tokio::test]
async fn text_and_bytes_in_parquet() {
    let values = Values::Bytes(vec![Some(b"ab".to_vec()), Some(vec![0xff]), Some(vec![]), None]);
    let fates = [Is("ab"), Bad("not valid UTF-8"), Is(""), Null];
    parquet(None, "binary v (UTF8)", "string", values.clone(), &fates).await;
    for mysql_type in ["varchar(9)", "json", "longtext", "enum('ab')", "set('ab')"] {
        parquet(Some(mysql_type), "binary v (UTF8)", "string", values.clone(), &fates).await;
        parquet(Some(mysql_type), "binary v", "string", values.clone(), &fates).await;
    }
    let fates = [Is("6162"), Is("ff"), Is(""), Null];
    parquet(None, "binary v", "binary", values.clone(), &fates).await;
    parquet(Some("blob"), "binary v", "binary", values.clone(), &fates).await;
    let mut staged = Staged::new(&[("id", "bigint"), ("v", "blob")]);
    staged.table.columns[1].hex = true;
    parquet_of(&staged, "binary v", "binary", values.clone(), &[Is("ab"), NO, Is(""), Null]).await;
    parquet(Some("blob"), "binary v (UTF8)", "binary", values, &[Is("ab"), NO, Is(""), Null]).await;
    let values = Values::Fixed(vec![Some(vec![1, 2]), None]);
    let declared = "fixed_len_byte_array(2) v";
    parquet(Some("binary(2)"), declared, "binary", values, &[Is("0102"), Null]).await;
}

#[tokio::test]
async fn what_fits_into_the_lake_is_widened_and_the_rest_refused() {
    let decimal = |precision, scale| ColumnType::Decimal { precision, scale };
    let wider = [
        ("tinyint", ColumnType::Long, "-5", "-5"),
        ("int", ColumnType::Double, "-5", "-5.0"),
        ("int", decimal(12, 2), "-5", "-5.00"),
        ("decimal(5,1)", decimal(12, 3), "-5.5", "-5.500"),
        ("bigint unsigned", decimal(22, 1), "18446744073709551615", "18446744073709551615.0"),
        ("date", ColumnType::Timestamp, "2024-02-29", "2024-02-29T00:00:00Z"),
        ("year", ColumnType::Int, "2024", "2024"),
    ];
    for (mysql_type, lake, text, shown) in wider {
        let mut staged = Staged::new(&[("id", "int"), ("v", mysql_type)]);
        staged.in_lake(&[("id", ColumnType::Int), ("v", lake)]);
        let decoded = staged.read(LOAD_CSV, format!("1,{text}\n")).await.unwrap();
        assert_eq!(decoded.values("v"), [shown], "{mysql_type} into {lake}");
    }
    // The lake has to get a type that holds both.
    let asking = [
        ("bigint", ColumnType::Int, "5000000000", "v long"),
        ("decimal(10,4)", decimal(10, 2), "1.2345", "v decimal(12,4)"),
        ("datetime", ColumnType::Date, "2024-02-29 01:02:03", "v timestamp"),
    ];
    for (mysql_type, lake, text, brought) in asking {
        let mut staged = Staged::new(&[("id", "int"), ("v", mysql_type)]);
        staged.in_lake(&[("id", ColumnType::Int), ("v", lake)]);
        let decoded = staged.read(LOAD_CSV, format!("1,{text}\n")).await.unwrap();
        assert_eq!(decoded.brought(), ["id integer", brought]);
    }
    let misfits = [
        ("varchar(9)", ColumnType::Long, "string (of text)"),
        ("bigint", ColumnType::Double, "long (of bigint)"),
        ("double", decimal(10, 2), "double"),
    ];
    for (mysql_type, lake, from) in misfits {
        let mut staged = Staged::new(&[("id", "int"), ("v", mysql_type)]);
        staged.in_lake(&[("id", ColumnType::Int), ("v", lake)]);
        let error = staged.read(LOAD_CSV, "1,1\n").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SchemaRefused);
        let text = error.to_string();
        for part in [from, &lake.to_string(), "column: v", "table: shop.t", "LOAD00000001.csv"] {
            assert!(text.contains(part), "{text} lacks {part}");
        }
    }
}

#[tokio::test]
async fn parquet_types_that_cannot_be_read_are_refused() {
    let refusals = [
        // Nothing configured: the lake's type and the object's own do not fit.
        (None, ColumnType::Long, "binary v (UTF8)", texts(&[Some("1")])),
        (None, ColumnType::String, "boolean v", Values::Bool(vec![Some(true)])),
        // Configured: the configured type cannot be read from the physical one.
        (Some("bigint"), ColumnType::Long, "double v", Values::F64(vec![Some(1.0)])),
        (Some("date"), ColumnType::Date, "int32 v", Values::I32(vec![Some(1)])),
        (Some("varchar(5)"), ColumnType::String, "int64 v", Values::I64(vec![Some(1)])),
    ];
    for (mysql_type, lake, declared, values) in refusals {
        let mut columns = vec![("id", "bigint")];
        columns.extend(mysql_type.map(|mysql_type| ("v", mysql_type)));
        let mut staged = Staged::new(&columns);
        staged.in_lake(&[("id", ColumnType::Long), ("v", lake)]);
        let object = file(&[("int64 id", numbers(1)), (declared, values)]);
        let error = staged.read(LOAD_PARQUET, object).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SchemaRefused, "{declared}");
        let text = error.to_string();
        assert!(text.contains("column: v") && text.contains(&lake.to_string()), "{text}");
    }
}
