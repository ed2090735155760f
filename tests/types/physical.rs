//! Every physical type of Parquet with every annotation, at the ends of its range and beyond:
//! exact, or a bad row.

use super::Fate::{Bad, Is, Null};
use super::{Fate, NO, RANGE, i32s, i64s, parquet};
use crate::support::parquet_file::{Values, file, numbers, texts};
use crate::support::staged::{LOAD_PARQUET, Staged};

const FRACTION: Fate = Bad("more fraction");

/// The day of 1970-01-01.
const JULIAN_1970: i32 = 2_440_588;

fn days(values: &[(i32, i64)]) -> Values {
    let julian = values.iter().map(|(day, nanos)| Some((JULIAN_1970.wrapping_add(*day), *nanos)));
    Values::Julian(julian.chain([None]).collect())
}

fn fixed(values: &[&[u8]]) -> Values {
    Values::Fixed(values.iter().map(|value| Some(value.to_vec())).chain([None]).collect())
}

fn bytes(values: &[&[u8]]) -> Values {
    Values::Bytes(values.iter().map(|value| Some(value.to_vec())).chain([None]).collect())
}

/// One form: the configured type, if any; the column's declaration; the lake's type; the values, to
/// which a NULL is added; and their expected results.
type Form = (Option<&'static str>, &'static str, &'static str, Values, Vec<Fate>);

async fn check(forms: Vec<Form>) {
    for (configured, declared, lake, values, mut fates) in forms {
        fates.push(Null);
        parquet(configured, declared, lake, values, &fates).await;
    }
}

#[tokio::test]
async fn integers() {
    let wide = &[i32::MAX, i32::MIN];
    let ints = |values: &[i32]| i32s(&[values, wide].concat());
    let out = |fates: &[Fate]| [fates, &[RANGE, RANGE]].concat();
    let signed = out(&[Is("127"), Is("-128"), RANGE, RANGE]);
    let unsigned = out(&[Is("255"), Is("0"), RANGE, RANGE]);
    let short = out(&[Is("32767"), Is("-32768"), RANGE, RANGE]);
    let wide_short = out(&[Is("65535"), Is("0"), RANGE, RANGE]);
    let mut forms: Vec<Form> = Vec::new();
    for declared in ["int32 v (INT_8)", "int32 v (INTEGER(8,true))"] {
        forms.push((None, declared, "byte", ints(&[127, -128, 128, -129]), signed.clone()));
        // A value outside its annotation stays bad even if a wider type is configured.
        forms.push((
            Some("int"),
            declared,
            "integer",
            ints(&[127, -128, 128, -129]),
            signed.clone(),
        ));
        let doubles = out(&[Is("127.0"), Is("-128.0"), RANGE, RANGE]);
        let values = ints(&[127, -128, 128, -129]);
        let decimals = out(&[Is("127.00"), Is("-128.00"), RANGE, RANGE]);
        forms.push((Some("decimal(15,2)"), declared, "decimal(15,2)", values.clone(), decimals));
        forms.push((Some("double"), declared, "double", values, doubles));
    }
    for declared in ["int32 v (UINT_8)", "int32 v (INTEGER(8,false))"] {
        forms.push((None, declared, "short", ints(&[255, 0, 256, -1]), unsigned.clone()));
    }
    for declared in ["int32 v (INT_16)", "int32 v (INTEGER(16,true))"] {
        forms.push((None, declared, "short", ints(&[32767, -32768, 32768, -32769]), short.clone()));
    }
    for declared in ["int32 v (UINT_16)", "int32 v (INTEGER(16,false))"] {
        forms.push((None, declared, "integer", ints(&[65535, 0, 65536, -1]), wide_short.clone()));
    }
    let all = vec![Is("2147483647"), Is("-2147483648")];
    for declared in ["int32 v", "int32 v (INT_32)", "int32 v (INTEGER(32,true))"] {
        forms.push((None, declared, "integer", i32s(wide), all.clone()));
    }
    let all = vec![Is("2147483647"), Is("2147483648")];
    for declared in ["int32 v (UINT_32)", "int32 v (INTEGER(32,false))"] {
        forms.push((None, declared, "long", i32s(wide), all.clone()));
    }
    let all = vec![Is("9223372036854775807"), Is("-9223372036854775808")];
    for declared in ["int64 v", "int64 v (INT_64)", "int64 v (INTEGER(64,true))"] {
        forms.push((None, declared, "long", i64s(&[i64::MAX, i64::MIN]), all.clone()));
    }
    let all = vec![Is("18446744073709551615"), Is("9223372036854775808"), Is("7")];
    let values = i64s(&[-1, i64::MIN, 7]);
    for declared in ["int64 v (UINT_64)", "int64 v (INTEGER(64,false))"] {
        forms.push((None, declared, "decimal(20,0)", values.clone(), all.clone()));
        // What exceeds the configured type makes it wider, where there is one.
        for stated in ["bigint", "decimal(9,0)"] {
            forms.push((Some(stated), declared, "decimal(20,0)", values.clone(), all.clone()));
        }
        let narrow = vec![RANGE, RANGE, Is("7")];
        forms.push((Some("bit(60)"), declared, "long", values.clone(), narrow));
    }
    let values = i64s(&[99_999, 100_000, i64::MAX]);
    let fates = vec![Is("99999"), Is("100000"), Is("9223372036854775807")];
    forms.push((Some("decimal(5,0)"), "int64 v", "decimal(19,0)", values.clone(), fates));
    let shown = format!("99999.{}", "0".repeat(30)).leak();
    let fates = vec![Is(shown), RANGE, RANGE];
    forms.push((Some("decimal(35,30)"), "int64 v", "decimal(35,30)", values, fates));
    check(forms).await;
}

#[tokio::test]
async fn decimals() {
    let sixteen = |value: i128| value.to_be_bytes();
    let long = [&[0xff; 24][..], &sixteen(-123)].concat();
    let longer = [&[0; 30][..], &sixteen(123)].concat();
    let huge = [&[1][..], &[0; 31]].concat();
    let (max, hundred) = (sixteen(i128::MAX), sixteen(100_000));
    let values = fixed(&[&sixteen(99_999), &hundred, &max, &sixteen(-99_999)]);
    let fates = vec![Is("999.99"), RANGE, RANGE, Is("-999.99")];
    let wide_fates = vec![Is("999.9900"), RANGE, RANGE, Is("-999.9900")];
    let declared = "fixed_len_byte_array(16) v (DECIMAL(5,2))";
    let twenty =
        |value: i64| [&[if value < 0 { 0xff } else { 0 }; 12][..], &value.to_be_bytes()].concat();
    let twenties = fixed(&[&twenty(12_345), &twenty(-12_345), &[&[1][..], &[0; 19]].concat()]);
    let exact = vec![Is("123.45"), Is("-123.45"), RANGE];
    let values_of_bytes = bytes(&[&[5], &long, &longer, &huge, &[]]);
    let fates_of_bytes = vec![Is("0.05"), Is("-1.23"), Is("1.23"), RANGE, Bad("empty")];
    let decimal = "decimal(9,2)";
    check(vec![
        // Writers may exceed the annotated precision, which casting does not check.
        (None, declared, "decimal(5,2)", values.clone(), fates.clone()),
        (Some("decimal(5,2)"), declared, "decimal(5,2)", values.clone(), fates),
        (Some("decimal(20,4)"), declared, "decimal(20,4)", values, wide_fates),
        (
            None,
            "int32 v (DECIMAL(5,2))",
            "decimal(5,2)",
            i32s(&[99_999, 100_000, i32::MIN]),
            vec![Is("999.99"), RANGE, RANGE],
        ),
        (
            None,
            "int64 v (DECIMAL(18,0))",
            "decimal(18,0)",
            i64s(&[999_999_999_999_999_999, i64::MAX]),
            vec![Is("999999999999999999"), RANGE],
        ),
        (
            Some("bigint"),
            "int64 v (DECIMAL(18,0))",
            "long",
            i64s(&[-5, i64::MAX]),
            vec![Is("-5"), RANGE],
        ),
        // More bytes than digits: wider than Arrow's 128 bits, whatever the precision.
        (
            None,
            "fixed_len_byte_array(20) v (DECIMAL(10,2))",
            "decimal(10,2)",
            twenties.clone(),
            exact.clone(),
        ),
        (
            Some("decimal(10,2)"),
            "fixed_len_byte_array(20) v (DECIMAL(10,2))",
            "decimal(10,2)",
            twenties,
            exact,
        ),
        (None, "binary v (DECIMAL(9,2))", decimal, values_of_bytes.clone(), fates_of_bytes.clone()),
        (Some(decimal), "binary v (DECIMAL(9,2))", decimal, values_of_bytes, fates_of_bytes),
        // Beyond the lake's 38 digits: text.
        (
            None,
            "fixed_len_byte_array(20) v (DECIMAL(40,2))",
            "string",
            fixed(&[&twenty(12_345)]),
            vec![Is("123.45")],
        ),
        (None, "binary v (DECIMAL(39,0))", "string", bytes(&[&[0x80]]), vec![Is("-128")]),
        (
            Some("decimal(38,0)"),
            "binary v (DECIMAL(39,0))",
            "decimal(38,0)",
            bytes(&[&[7], &max]),
            vec![Is("7"), RANGE],
        ),
    ])
    .await;
}

#[tokio::test]
async fn floating_point_and_booleans() {
    let floats =
        Values::F32(vec![Some(f32::MAX), Some(f32::NAN), Some(f32::NEG_INFINITY), Some(1.5), None]);
    let doubles =
        Values::F64(vec![Some(f64::MIN_POSITIVE), Some(f64::NAN), Some(f64::INFINITY), None]);
    let halves = fixed(&[&[0, 0x3e], &[0xff, 0x7b], &[0, 0x7e], &[0, 0xfc]]);
    let of_halves = vec![Is("1.5"), Is("65504.0"), RANGE, RANGE];
    let half = "fixed_len_byte_array(2) v (FLOAT16)";
    let bools = Values::Bool(vec![Some(true), Some(false), None]);
    check(vec![
        (
            None,
            "float v",
            "double",
            floats,
            vec![Is("3.4028234663852886e38"), RANGE, RANGE, Is("1.5")],
        ),
        (None, "double v", "double", doubles, vec![Is("2.2250738585072014e-308"), RANGE, RANGE]),
        (None, half, "double", halves.clone(), of_halves.clone()),
        (Some("float"), half, "double", halves, of_halves),
        (None, "boolean v", "boolean", bools.clone(), vec![Is("true"), Is("false")]),
        (Some("tinyint"), "boolean v", "byte", bools, vec![Is("1"), Is("0")]),
    ])
    .await;
}

#[tokio::test]
async fn instants() {
    const LAST_NANO: i64 = 86_399_999_999_000;
    let int96 = days(&[
        (-354_285, 0),
        (2_932_896, LAST_NANO),
        (106_752, 1000),
        (-719_162, 0),
        (0, 1),
        (19_289, 999),
        (-719_163, 0),
        (2_932_897, 0),
        (i32::MAX - JULIAN_1970, 0),
        (i32::MAX, 0),
    ]);
    let shown = vec![
        Is("1000-01-01T00:00:00Z"),
        Is("9999-12-31T23:59:59.999999Z"),
        Is("2262-04-12T00:00:00.000001Z"),
        Is("0001-01-01T00:00:00Z"),
        FRACTION,
        FRACTION,
        Null,
        RANGE,
        RANGE,
        RANGE,
    ];
    let midnights = days(&[(-354_285, 0), (2_932_896, 0), (0, 1), (2_932_897, 0)]);
    let dates = vec![Is("1000-01-01"), Is("9999-12-31"), FRACTION, RANGE];
    let morning = days(&[(0, 0), (0, 1000)]);
    let mornings = vec![Is("1970-01-01T00:00:00Z"), Is("1970-01-01T00:00:00.000001Z")];
    let nanos = i64s(&[
        1_666_634_342_123_456_000,
        1_666_634_342_123_456_789,
        -1000,
        -1,
        i64::MAX,
        i64::MIN,
    ]);
    let of_nanos = vec![
        Is("2022-10-24T17:59:02.123456Z"),
        FRACTION,
        Is("1969-12-31T23:59:59.999999Z"),
        FRACTION,
        FRACTION,
        FRACTION,
    ];
    let millis =
        i64s(&[253_402_300_799_999, 253_402_300_800_000, -62_135_596_800_000, i64::MAX, i64::MIN]);
    let of_millis =
        vec![Is("9999-12-31T23:59:59.999Z"), RANGE, Is("0001-01-01T00:00:00Z"), RANGE, RANGE];
    let micros = i64s(&[253_402_300_799_999_999, 253_402_300_800_000_000, i64::MAX, i64::MIN]);
    let of_micros = vec![Is("9999-12-31T23:59:59.999999Z"), RANGE, RANGE, RANGE];
    let mut forms: Vec<Form> = vec![
        (None, "int96 v", "timestamp", int96.clone(), shown.clone()),
        (Some("datetime(6)"), "int96 v", "timestamp", int96, shown),
        (Some("date"), "int96 v", "date", midnights, dates),
        (Some("date"), "int96 v", "timestamp", morning, mornings),
        (
            Some("date"),
            "int64 v (TIMESTAMP(NANOS,true))",
            "date",
            i64s(&[86_400_000_000_000, 86_400_000_000_001]),
            vec![Is("1970-01-02"), FRACTION],
        ),
    ];
    for utc in ["true", "false"] {
        let declared =
            |unit: &str| -> &'static str { format!("int64 v (TIMESTAMP({unit},{utc}))").leak() };
        forms.push((None, declared("NANOS"), "timestamp", nanos.clone(), of_nanos.clone()));
        forms.push((None, declared("MICROS"), "timestamp", micros.clone(), of_micros.clone()));
        forms.push((None, declared("MILLIS"), "timestamp", millis.clone(), of_millis.clone()));
    }
    forms.push((None, "int64 v (TIMESTAMP_MILLIS)", "timestamp", millis, of_millis));
    forms.push((None, "int64 v (TIMESTAMP_MICROS)", "timestamp", micros, of_micros));
    check(forms).await;
}

#[tokio::test]
async fn days_and_times_of_day() {
    let values = i32s(&[2_932_896, 2_932_897, i32::MAX, i32::MIN, -719_175]);
    let days = vec![Is("9999-12-31"), RANGE, RANGE, RANGE, Null];
    let instants = vec![Is("9999-12-31T00:00:00Z"), RANGE, RANGE, RANGE, Null];
    check(vec![
        (None, "int32 v (DATE)", "date", values.clone(), days.clone()),
        (Some("date"), "int32 v (DATE)", "date", values.clone(), days),
        (Some("datetime"), "int32 v (DATE)", "timestamp", values, instants),
        (
            None,
            "int32 v (TIME_MILLIS)",
            "string",
            i32s(&[86_399_999, i32::MIN]),
            vec![Is("23:59:59.999"), Is("-596:31:23.648")],
        ),
        (
            None,
            "int64 v (TIME_MICROS)",
            "string",
            i64s(&[86_399_999_999, -1]),
            vec![Is("23:59:59.999999"), Is("-00:00:00.000001")],
        ),
        (
            None,
            "int64 v (TIME(NANOS,true))",
            "string",
            i64s(&[86_399_999_999_999]),
            vec![Is("23:59:59.999999999")],
        ),
    ])
    .await;
}

#[tokio::test]
async fn text_and_bytes() {
    let (values, shown) = (bytes(&[b"ab", &[0xff]]), vec![Is("ab"), Bad("not valid UTF-8")]);
    let uuid: &[u8] = &[7; 16];
    check(vec![
        (None, "binary v (UTF8)", "string", values.clone(), shown.clone()),
        (None, "binary v (STRING)", "string", values.clone(), shown.clone()),
        (None, "binary v (JSON)", "string", values.clone(), shown.clone()),
        (Some("enum('ab')"), "binary v (ENUM)", "string", values.clone(), shown),
        (None, "binary v (ENUM)", "binary", values.clone(), vec![Is("6162"), Is("ff")]),
        (None, "binary v (BSON)", "binary", values.clone(), vec![Is("6162"), Is("ff")]),
        (None, "binary v", "binary", values, vec![Is("6162"), Is("ff")]),
        (None, "fixed_len_byte_array(2) v", "binary", fixed(&[b"ab"]), vec![Is("6162")]),
        (
            None,
            "fixed_len_byte_array(16) v (UUID)",
            "binary",
            fixed(&[uuid]),
            vec![Is("07070707070707070707070707070707")],
        ),
        (Some("int"), "binary v (UTF8)", "integer", bytes(&[b"5", b"x"]), vec![Is("5"), NO]),
    ])
    .await;
}

#[tokio::test]
async fn what_no_column_can_be_is_refused() {
    for (declared, values) in [
        ("fixed_len_byte_array(12) v (INTERVAL)", fixed(&[&[0; 12]])),
        ("binary v (DECIMAL(80,2))", bytes(&[&[1]])),
    ] {
        for configured in [None, Some("varchar(9)"), Some("decimal(9,2)"), Some("datetime")] {
            let mut columns = vec![("id", "bigint")];
            columns.extend(configured.map(|configured| ("v", configured)));
            let object = file(&[("int64 id", numbers(2)), (declared, values.clone())]);
            let error = Staged::new(&columns).read(LOAD_PARQUET, object).await.unwrap_err();
            let kind = dmslake::error::ErrorKind::SchemaRefused;
            assert_eq!(error.kind(), kind, "{declared} as {configured:?}: {}", error.chain());
        }
    }
}

#[tokio::test]
async fn a_bad_row_is_set_aside_with_the_value_that_stood_there() {
    let mut staged = Staged::new(&[("id", "bigint"), ("d", "decimal(3,2)"), ("n", "tinyint")]);
    staged.dms.timestamp_column_name = None;
    let object = file(&[
        ("int64 id", numbers(1)),
        ("int96 at", Values::Julian(vec![Some((JULIAN_1970 + 1, 1))])),
        ("binary d (DECIMAL(9,2))", Values::Bytes(vec![Some(vec![0x30, 0x39])])),
        ("int32 n (INT_8)", Values::I32(vec![Some(300)])),
        ("binary s (UTF8)", texts(&[Some("x")])),
    ]);
    let decoded = staged.read(LOAD_PARQUET, object).await.unwrap();
    let content = r#"{"at":"1970-01-02 00:00:00.000000001","d":"123.45","id":1,"n":300,"s":"x"}"#;
    assert_eq!(decoded.bad_rows[0].content, content);
}
