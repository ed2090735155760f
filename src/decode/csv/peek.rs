//! Reads the first records of a CSV object from the bytes at its start.

use std::io::Read;

use flate2::read::MultiGzDecoder;

use crate::decode::FieldText;
use crate::decode::csv::cut::Dialect;
use crate::decode::csv::decode::Markers;
use crate::decode::csv::dialect::RowEnds;
use crate::decode::csv::row::Row;
use crate::decode::csv::scan::Scanner;
use crate::dms::{Compression, S3Settings};
use crate::staging::fetch::compression;

/// The first records must end within this many decompressed bytes.
const MOST: u64 = 4 << 20;

/// The fields, without quotes, of at most `most` first records that end within `head`. `is_whole`
/// says that `head` is the whole object, whose last record may lack its delimiter.
pub(crate) fn first_records(
    head: &[u8],
    is_whole: bool,
    dms: &S3Settings,
    most: usize,
) -> Vec<Vec<String>> {
    let mut unwrapped = Vec::new();
    let (text, is_whole) = match compression(head) {
        Compression::None => (head, is_whole),
        Compression::Gzip => {
            // A stream cut off in the middle ends in an error, after all that could be read.
            let mut decoder = MultiGzDecoder::new(head).take(MOST);
            let ending = decoder.read_to_end(&mut unwrapped);
            (&*unwrapped, is_whole && ending.is_ok() && decoder.limit() > 0)
        }
    };
    let mut scanner = Scanner::new(Dialect::new(dms));
    if scanner.push(text).is_err() {
        return Vec::new();
    }
    scanner.skip_byte_order_mark();
    if is_whole {
        scanner.end();
    }
    if RowEnds::of(&mut scanner, dms, dms.add_column_name) != RowEnds::Configured {
        scanner.delimit_rows_by("\r\n");
    }
    let mut records = Vec::new();
    while records.len() < most
        && let Ok(Some(row)) = scanner.next_row()
    {
        records.push(fields(&row));
    }
    records
}

/// The fields of one row, given without its delimiter; none if text follows a closing quote.
pub(in crate::decode) fn fields_of(row: &str, dms: &S3Settings) -> Option<Vec<FieldText>> {
    let mut scanner = Scanner::new(Dialect::new(dms));
    scanner.push(row.as_bytes()).ok()?;
    scanner.end();
    let markers = Markers::new(dms, scanner.dialect());
    let row = scanner.next_row().ok()??;
    let mut scratch = Vec::new();
    let mut field = |position| {
        let field = row.field(position, &mut scratch);
        if markers.is_null(field) {
            FieldText::Null
        } else if markers.is_unset(field) {
            FieldText::Unset
        } else {
            FieldText::Text(String::from_utf8_lossy(field.text).into_owned())
        }
    };
    (!row.broken).then(|| (0..row.width()).map(&mut field).collect())
}

fn fields(row: &Row<'_>) -> Vec<String> {
    let mut scratch = Vec::new();
    let mut text =
        |position| String::from_utf8_lossy(row.field(position, &mut scratch).text).into_owned();
    (0..row.width()).map(&mut text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(text: &str, is_whole: bool) -> Option<Vec<String>> {
        first_records(text.as_bytes(), is_whole, &S3Settings::default(), 1).pop()
    }

    #[test]
    fn quotes_delimiters_and_newlines_stay_inside_a_field() {
        let found = record("\u{feff}I,\"a,\"\"b\"\"\nc\",3\r\nU,x,y\r\n", true);
        assert_eq!(found, Some(vec!["I".into(), "a,\"b\"\nc".into(), "3".into()]));
    }

    #[test]
    fn a_record_that_is_cut_off_is_none() {
        assert_eq!(record("1,2", true), Some(vec!["1".into(), "2".into()]));
        assert_eq!(record("1,2", false), None);
        assert_eq!(record("1,\"2\n", true), None);
        assert_eq!(record("", true), None);
    }
}
