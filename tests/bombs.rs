//! Objects that ask for more memory than there is. The real binary, in the address space that the
//! guide grants it, holds each of them with the size and the bound in the message, and applies the
//! other tables of the run.

#[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)]
mod parquet_bytes;
mod shop;

use parquet_bytes::{
    BYTE_ARRAY, Column, DELTA_BYTE_ARRAY, FIXED, GZIP, INT64, PLAIN, PLAIN_CODEC, RLE_DICTIONARY,
    SNAPPY, STRUCT, Thrift, data_page, dictionary_page, element, object, plain_text, root, tail,
};
use shop::{BUDGET, Shop, gzip};

const LOAD_CSV: &str = "LOAD00000001.csv";
const LOAD_PARQUET: &str = "LOAD00000001.parquet";
/// Ten megabytes, which gzip packs into ten kilobytes.
const ZEROS: &[u8] = &[0; 10 << 20];

#[test]
fn gzip_that_holds_ten_gigabytes() {
    let bomb = gzip(b"", ZEROS, 1000);
    for (name, bound) in [(LOAD_PARQUET, "16777216"), (LOAD_CSV, "4194304")] {
        let shop = Shop::new("");
        shop.stage(name, &bomb);
        shop.holds(name, &[name, bound, "bytes"]);
    }
}

#[test]
fn objects_of_four_terabytes() {
    for name in [LOAD_PARQUET, LOAD_CSV] {
        let shop = Shop::new("");
        shop.stage_sparse(name, 4 << 40, b"");
        shop.holds(name, &[name, "4398046511104", "68719476736", "max_file_size"]);
    }
}

#[test]
fn a_row_without_end() {
    let shop = Shop::new("");
    shop.stage_sparse(LOAD_CSV, 128 << 20, b"");
    shop.holds("plain", &["4194304", "csv_row_delimiter"]);
    let shop = Shop::new("rfc_4180 = true");
    shop.stage(LOAD_CSV, &gzip(b"1,\"", &vec![b'x'; 1 << 20], 300));
    shop.holds("quoted", &["4194304", "rfc_4180"]);
}

#[test]
fn a_field_of_300_megabytes() {
    let shop = Shop::new("");
    shop.stage(LOAD_CSV, &gzip(b"1,", &vec![b'x'; 1 << 20], 300));
    shop.holds("CSV", &["4194304", "memory_budget"]);

    let bytes = 300 << 20;
    let length = u32::try_from(bytes).expect("small").to_le_bytes();
    let page = gzip(&length, &vec![b'x'; 1 << 20], 300);
    let page = data_page(1, PLAIN, bytes + 4, &page);
    let note = Column::new("note", BYTE_ARRAY, GZIP, page);
    let shop = Shop::new("");
    shop.stage(LOAD_PARQUET, &object(&[Column::ids(1), note], 1));
    shop.holds("Parquet", &["314572804 bytes", "8388608", "data_page_size"]);
}

#[test]
fn rows_of_five_million_fields() {
    let fields = ",".repeat(5_000_000 - 1) + "\n";
    let rows = gzip(b"", fields.as_bytes(), 1);
    for dms in ["", "add_column_name = true", "rfc_4180 = true"] {
        let shop = Shop::with(dms, 64 << 20);
        shop.stage(LOAD_CSV, &rows);
        shop.holds(dms, &["5000000 fields", "16384"]);
    }
}

#[test]
fn footers_of_absurd_length() {
    let shop = Shop::new("");
    shop.stage(LOAD_PARQUET, &tail(b"PAR1", u32::MAX));
    shop.holds("longer than the object", &["4294967295 bytes", "12"]);
    let shop = Shop::new("");
    shop.stage_sparse(LOAD_PARQUET, 128 << 20, &tail(b"", 100 << 20));
    shop.holds("of a hundred megabytes", &["104857600 bytes", "1048576"]);
}

#[test]
fn footers_of_absurd_counts() {
    const MANY: u64 = 2_147_483_647;
    let ids = Column::ids(1);
    let begin = |elements, children| {
        let mut footer = Thrift::default();
        footer.integer(1, 1);
        footer.list(2, STRUCT, elements);
        root(&mut footer, children);
        element(&mut footer, &ids);
        footer
    };
    let mut groups = begin(2, 1);
    groups.integer(3, 1);
    groups.list(4, STRUCT, MANY);
    let mut chunks = begin(2, 1);
    chunks.integer(3, 1);
    chunks.list(4, STRUCT, 1);
    chunks.list(1, STRUCT, MANY);
    let mut pairs = begin(2, 1);
    pairs.list(5, STRUCT, MANY);
    let mut deep = Thrift::default();
    deep.list(2, STRUCT, 10_000);
    (0..10_000).for_each(|_| root(&mut deep, 1));
    let mut wide = Thrift::default();
    wide.list(2, STRUCT, 20_001);
    root(&mut wide, 20_000);
    (0..20_000).for_each(|_| element(&mut wide, &ids));
    for (case, footer, parts) in [
        ("elements", begin(MANY, 1), &["2147483646 columns", "16384"][..]),
        ("children", begin(2, i64::from(i32::MAX)), &["2147483647 columns but describes 1"]),
        ("row groups", groups, &["takes", "8388608"]),
        ("column chunks", chunks, &["takes", "8388608"]),
        ("properties", pairs, &["takes", "8388608"]),
        ("nested", deep, &["nested"]),
        ("columns", wide, &["20000 columns", "16384"]),
    ] {
        let shop = Shop::new("");
        let length = u32::try_from(footer.0.len()).expect("short");
        shop.stage(LOAD_PARQUET, &[b"PAR1", &*tail(&footer.0, length)].concat());
        shop.holds(case, parts);
    }
}

#[test]
fn pages_that_declare_more_than_there_is() {
    let two_gigabytes = i64::from(i32::MAX);
    let text = plain_text(b"x");
    let lengths = {
        // Blocks of 2^30 lengths that take no bits: two bytes are all of them.
        let mut lengths = Thrift::default();
        for part in [1 << 30, 1, (1 << 31) - 1, 0, 0, 0, 0, 0] {
            lengths.varint(part);
        }
        lengths.0
    };
    let dictionary = |physical, values, unpacked, packed: &[u8]| {
        let page = dictionary_page(values, unpacked, packed);
        let pages = [page, data_page(1, RLE_DICTIONARY, 3, &[1, 2, 0])].concat();
        Column::new("note", physical, PLAIN_CODEC, pages)
    };
    let note = |codec, page| Column::new("note", BYTE_ARRAY, codec, page);
    let unpacked = data_page(1, PLAIN, two_gigabytes, &text);
    let more_than_declared = data_page(1, PLAIN, 5, &gzip(&text, ZEROS, 1000));
    let wide = Column {
        length: Some(two_gigabytes),
        ..Column::new("note", FIXED, PLAIN_CODEC, data_page(1, PLAIN, 1, b"x"))
    };
    for (case, column, parts) in [
        ("a page, Snappy", note(SNAPPY, unpacked.clone()), &["2147483647 bytes", "8388608"][..]),
        ("a page, gzip", note(GZIP, unpacked), &["2147483647 bytes", "8388608"]),
        ("gzip that goes on", note(GZIP, more_than_declared), &["more than the 5 bytes"]),
        (
            "a dictionary's bytes",
            Column { codec: SNAPPY, ..dictionary(BYTE_ARRAY, 1, two_gigabytes, &text) },
            &["2147483647 bytes", "8388608"],
        ),
        (
            "a dictionary's numbers",
            dictionary(INT64, two_gigabytes, 8, &[0; 8]),
            &["2147483647 values", "8 bytes"],
        ),
        (
            "a dictionary's texts",
            dictionary(BYTE_ARRAY, two_gigabytes, 5, &text),
            &["2147483647 values", "5 bytes"],
        ),
        (
            "lengths",
            note(PLAIN_CODEC, data_page(1, DELTA_BYTE_ARRAY, 1, &lengths)),
            &["cannot be read"],
        ),
        ("a value of fixed length", wide, &["2147483647 bytes", "8388608"]),
        (
            "values",
            note(PLAIN_CODEC, data_page(two_gigabytes, PLAIN, 5, &text)),
            &["2147483647 values", "1 rows"],
        ),
        (
            "a chunk",
            Column { declared: Some(1 << 50), ..note(PLAIN_CODEC, data_page(1, PLAIN, 5, &text)) },
            &["1125899906842624 bytes"],
        ),
        (
            "a chunk below zero",
            Column { declared: Some(-1), ..note(PLAIN_CODEC, data_page(1, PLAIN, 5, &text)) },
            &["-1 bytes"],
        ),
    ] {
        let shop = Shop::new("");
        shop.stage(LOAD_PARQUET, &object(&[Column::ids(1), column], 1));
        shop.holds(case, parts);
    }
}

#[test]
fn a_row_group_that_is_larger_than_the_budget() {
    let shop = Shop::new("");
    let small = object(&[Column::ids(1)], 1);
    let footer = {
        let column = Column { declared: Some(100 << 20), ..Column::ids(1) };
        let whole = object(&[column], 1);
        whole[4 + Column::ids(1).pages.len()..].to_vec()
    };
    assert!(small.len() > footer.len());
    shop.stage_sparse(LOAD_PARQUET, 128 << 20, &footer);
    shop.holds("a row group", &["104857600 bytes", "16777216", "row_group_length"]);
}

/// An honest object that is large once unpacked is applied in bounded memory: one text of a
/// dictionary is in every row.
#[test]
fn a_text_that_stands_in_every_row() {
    let rows = 400;
    let text = vec![b'x'; 256 << 10];
    let dictionary = plain_text(&text);
    // A run of 400 times the first text.
    let mut run = Thrift(vec![1]);
    run.varint(rows << 1);
    run.0.push(0);
    let rows_of = |rows: u64| i64::try_from(rows).expect("few");
    let pages = [
        dictionary_page(1, rows_of(dictionary.len() as u64), &dictionary),
        data_page(rows_of(rows), RLE_DICTIONARY, rows_of(run.0.len() as u64), &run.0),
    ];
    let note = Column::new("note", BYTE_ARRAY, PLAIN_CODEC, pages.concat());
    let ids = Column::ids(u32::try_from(rows).expect("few"));
    let shop = Shop::new("");
    shop.stage(LOAD_PARQUET, &object(&[ids, note], rows_of(rows)));
    let reports = shop.apply();
    let bomb = reports.of("bomb", "a text");
    assert_eq!((&bomb["status"], &bomb["inserted"]), (&"ok".into(), &rows.into()), "{reports:?}");
    assert!(rows * text.len() as u64 > 4 * BUDGET);
}

/// Small objects are read ahead of their turn, many at once: each has a bound of its own.
#[test]
fn many_bombs_at_once() {
    let shop = Shop::new("");
    shop.stage(LOAD_CSV, b"0,a\n");
    for stamp in 0..24 {
        let note = gzip(format!("I,{stamp},").as_bytes(), &vec![b'x'; 1 << 20], 3);
        let note = [note, gzip(b"", b"\n", 1)].concat();
        shop.stage(&format!("20260101-0000{stamp:02}000.csv"), &note);
    }
    shop.stage("20260101-000100000.csv", &gzip(b"I,99,", &vec![b'x'; 1 << 20], 300));
    let reports = shop.apply();
    let bomb = reports.of("bomb", "many");
    assert_eq!((&bomb["status"], &bomb["objects"]), (&"held".into(), &25.into()), "{reports:?}");
    assert_eq!(reports.of("other", "many")["status"], "ok", "{reports:?}");
}
