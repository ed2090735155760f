//! Names of staged objects: every form of DMS is told apart, and order follows from the name.

use dmslake::dms::{Classified, Format, ObjectName, Phase, classify};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

fn load(series: &str, counter: u64, format: Format) -> Classified {
    let phase = Phase::FullLoad { series: series.into(), counter };
    Classified::Changes(ObjectName { phase, format })
}

fn cdc(stamp: &str, format: Format) -> Classified {
    Classified::Changes(ObjectName { phase: Phase::Cdc { stamp: stamp.into() }, format })
}

#[test]
fn every_form_of_a_load_name_is_read() {
    let cases = [
        ("LOAD00000001.csv", load("", 1, Format::Csv)),
        ("LOAD00001.csv", load("", 1, Format::Csv)),
        ("LOAD0000000A.parquet", load("", 10, Format::Parquet)),
        ("LOAD0000000f.csv.gz", load("", 15, Format::Csv)),
        ("LOAD00000010.parquet.gz", load("", 16, Format::Parquet)),
        ("LOAD000000000000000000001F.csv", load("", 31, Format::Csv)),
        ("LOADABCDEF.csv", load("", 0x00AB_CDEF, Format::Csv)),
        ("SEGMENT1_LOAD00000001.csv", load("SEGMENT1", 1, Format::Csv)),
        ("SEGMENT12_LOAD0000000B.csv", load("SEGMENT12", 11, Format::Csv)),
        ("LOAD_1_00000001.csv", load("LOAD_1_", 1, Format::Csv)),
        ("p2022/LOAD00000002.parquet", load("p2022/", 2, Format::Parquet)),
        ("p 2022, é/SEGMENT3_LOAD00000002.csv", load("p 2022, é/SEGMENT3", 2, Format::Csv)),
    ];
    for (path, expected) in cases {
        assert_eq!(classify(path), expected, "{path}");
    }
}

#[test]
fn every_form_of_a_cdc_name_is_read() {
    let cases = [
        ("20221024-175902985.parquet", "20221024-175902985", Format::Parquet),
        ("20141029-1134010000.csv", "20141029-1134010000", Format::Csv),
        ("20141029-11340100001234.csv.gz", "20141029-11340100001234", Format::Csv),
    ];
    let folders = [
        "",
        "2022/10/24/",
        "2022/10/24/17/",
        "2022/10/",
        "10/2022/24/",
        "24/10/2022/",
        "2022-10-24/",
        "2022-10-24-17/",
        "2022-10/",
        "10-2022-24/",
        "24-10-2022/",
        "2022_10_24/",
        "2022_10_24_17/",
        "2022_10/",
        "10_2022_24/",
        "24_10_2022/",
        "20221024/",
        "2022102417/",
        "202210/",
        "10202224/",
        "24102022/",
    ];
    for (base, stamp, format) in cases {
        for folder in folders {
            let path = format!("{folder}{base}");
            assert_eq!(classify(&path), cdc(stamp, format), "{path}");
        }
    }
}

#[test]
fn what_dms_keeps_for_itself_and_hidden_files_are_ignored() {
    let paths = [
        "",
        "2022/10/24/",
        "LOAD_$folder$",
        ".LOAD00000001.csv",
        "_SUCCESS",
        "_temporary/0/part-00000.parquet",
        "_temporary/notes.txt",
        "p0/.LOAD00000001.csv",
        "awsdms_status/LOAD00000001.csv",
        "awsdms_validation_failures_v1.csv",
        "s3_validation_failures/x.csv",
        "s3_validation_failures_20221024.csv",
    ];
    for path in paths {
        assert_eq!(classify(path), Classified::Ignored, "{path}");
    }
}

#[test]
fn a_name_of_dms_in_a_hidden_folder_is_never_passed_over_in_silence() {
    // As MySQL allows for partitions.
    assert_eq!(classify("_p0/LOAD00000001.csv"), load("_p0/", 1, Format::Csv));
    for path in [
        "_temporary/0/20221024-175902985.parquet",
        "_late/20221024-175902985.csv",
        ".staging/LOAD00000001.csv",
        "_a/b/LOAD00000001.csv",
        "_old/CDC_TXN-20201117153046033.csv",
    ] {
        assert_eq!(classify(path), Classified::Foreign, "{path}");
    }
}

#[test]
fn transaction_ordered_objects_are_told_by_name() {
    for path in ["CDC_TXN-20201117153046033.csv", "cdc/CDC_TXN-202011171530460331.csv.gz"] {
        assert_eq!(classify(path), Classified::TransactionOrdered, "{path}");
    }
}

#[test]
fn whatever_fits_no_form_is_foreign() {
    let paths = [
        "notes.txt",
        "LOAD00000001",
        "LOAD00000001.json",
        "LOAD0001.csv",
        "load00000001.csv",
        "LOAD0000000G.csv",
        "LOAD.csv",
        "LOADFFFFFFFFFFFFFFFFF.csv",
        "LOAD_00000001.csv",
        "LOAD_x_00000001.csv",
        "SEGMENT_LOAD00000001.csv",
        "XLOAD00000001.csv",
        "SEGMENT1LOAD00000001.csv",
        "LOAD00000001 (1).csv",
        "LOAD00000001.csv.bak",
        "LOAD00000001.CSV",
        "a/b/LOAD00000001.csv",
        "2022/10/24/LOAD00000001.csv",
        "20221024-17590298.csv",
        "2022102-4175902985.csv",
        "20221024-175902985",
        "20221024_175902985.csv",
        "20221024-175902985x.csv",
        "20221024-175902985-1.csv",
        "archive/20221024-175902985.csv",
        "2022/13/24/20221024-175902985.csv",
        "2022/10-24/20221024-175902985.csv",
        "2022/10/24/17/05/20221024-175902985.csv",
        "CDC_TXN-2020.csv",
        "CDC_TXN-20201117153046033.parquet",
        "٢٠٢٢١٠٢٤-175902985.csv",
    ];
    for path in paths {
        assert_eq!(classify(path), Classified::Foreign, "{path}");
    }
}

/// A name as DMS could write it, with the order key that its parts should give.
fn any_name(random: &mut StdRng) -> (String, Classified, (u8, String, u64)) {
    let (format, suffix) = match random.random_range(0..4) {
        0 => (Format::Csv, ".csv"),
        1 => (Format::Csv, ".csv.gz"),
        2 => (Format::Parquet, ".parquet"),
        _ => (Format::Parquet, ".parquet.gz"),
    };
    if random.random() {
        let date =
            format!("2022{:02}{:02}", random.random_range(1..=12), random.random_range(1..=28));
        let width = random.random_range(9..=12);
        let time: String = (0..width).map(|_| random.random_range('0'..='2')).collect();
        let stamp = format!("{date}-{time}");
        let folder = match random.random_range(0..3) {
            0 => String::new(),
            1 => format!("{}/{}/{}/", &date[..4], &date[4..6], &date[6..]),
            _ => format!("{}-{}-{}/", &date[6..], &date[4..6], &date[..4]),
        };
        let path = format!("{folder}{stamp}{suffix}");
        return (path, cdc(&stamp, format), (1, stamp, 0));
    }
    let bits = random.random_range(1..63);
    let counter = random.random_range(0..1 << bits);
    let width = random.random_range(5..=20);
    let folder = ["", "p0/", "p1/"][random.random_range(0..3)];
    let (before, between) = [("", ""), ("SEGMENT7_", ""), ("", "_2_")][random.random_range(0..3)];
    let digits =
        if random.random() { format!("{counter:0width$X}") } else { format!("{counter:0width$x}") };
    let path = format!("{folder}{before}LOAD{between}{digits}{suffix}");
    let segment = if between.is_empty() { before.trim_end_matches('_') } else { "LOAD_2_" };
    let series = format!("{folder}{segment}");
    (path, load(&series, counter, format), (0, series, counter))
}

#[test]
fn names_keep_their_parts_and_order_by_them() {
    let seed = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    for _ in 0..20_000 {
        let (left_path, left, left_key) = any_name(&mut random);
        let (right_path, right, right_key) = any_name(&mut random);
        let (left_read, right_read) = (classify(&left_path), classify(&right_path));
        assert_eq!(left_read, left, "{left_path}");
        assert_eq!(right_read, right, "{right_path}");
        let (Classified::Changes(left), Classified::Changes(right)) = (left_read, right_read)
        else {
            unreachable!("compared above");
        };
        let order = left.phase.cmp(&right.phase);
        assert_eq!(order, left_key.cmp(&right_key), "{left_path} against {right_path}");
    }
}

#[test]
fn no_text_makes_the_classifier_stumble() {
    let seed = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let pieces = [
        "LOAD",
        "20221024-175902985",
        "2022/10/",
        "_",
        "-",
        "/",
        ".csv",
        ".gz",
        ".parquet",
        "0001",
        "é",
        "SEGMENT",
        "2022",
        "\u{0}",
    ];
    for _ in 0..20_000 {
        let length = random.random_range(0..10);
        let path: String =
            (0..length).map(|_| pieces[random.random_range(0..pieces.len())]).collect();
        // Whatever it says, a name that holds changes is read the same without its folders' date.
        if let Classified::Changes(ObjectName { phase: Phase::Cdc { stamp }, format }) =
            classify(&path)
        {
            let base = path.rsplit('/').next().unwrap_or_default();
            assert_eq!(classify(base), cdc(&stamp, format), "{path}");
        }
    }
}
