//! The first record of a CSV object: how many fields there are, and their names if it has a
//! header.

use std::io::Read;

use flate2::read::MultiGzDecoder;
use object_store::ObjectStoreExt;

use super::survey::Sample;
use crate::dms::S3Settings;
use crate::error::Result;
use crate::storage::Location;

/// So much of an object holds its first record.
const HEAD_BYTES: u64 = 256 << 10;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// The fields of an object's first record, as text; none if there is no whole record.
///
/// # Errors
/// `Unavailable` if the object cannot be read.
pub(super) async fn first_record(
    staging: &Location,
    sample: &Sample,
    dms: &S3Settings,
) -> Result<Option<Vec<String>>> {
    let end = sample.meta.size.min(HEAD_BYTES);
    let head = staging.store().get_range(&sample.meta.location, 0..end).await?;
    let is_whole = end == sample.meta.size;
    if !head.starts_with(&GZIP_MAGIC) {
        return Ok(split(&head, is_whole, dms));
    }
    let mut text = Vec::new();
    // A stream cut off in the middle ends in an error, after all that could be read.
    let ending = MultiGzDecoder::new(&*head).read_to_end(&mut text);
    Ok(split(&text, is_whole && ending.is_ok(), dms))
}

/// Splits the first record. `is_whole` tells that the text ends where the object ends.
fn split(text: &[u8], is_whole: bool, dms: &S3Settings) -> Option<Vec<String>> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let (delimiter, end) = (dms.csv_delimiter.as_bytes(), dms.csv_row_delimiter.as_bytes());
    let mut fields = Vec::new();
    let mut field = Vec::new();
    let mut is_quoted = false;
    let mut position = 0;
    while let Some(&byte) = text.get(position) {
        let rest = &text[position..];
        if dms.rfc_4180 && byte == b'"' {
            // A doubled quote inside quotes closes and opens again: it is text.
            let is_text = is_quoted && rest.get(1) == Some(&b'"');
            if is_text {
                field.push(byte);
                position += 1;
            } else {
                is_quoted = !is_quoted;
            }
            position += 1;
        } else if is_quoted {
            field.push(byte);
            position += 1;
        } else if rest.starts_with(end) {
            fields.push(field);
            return Some(finish(&fields));
        } else if rest.starts_with(delimiter) {
            fields.push(std::mem::take(&mut field));
            position += delimiter.len();
        } else {
            field.push(byte);
            position += 1;
        }
    }
    let has_record = is_whole && !is_quoted && !text.is_empty();
    has_record.then(|| {
        fields.push(field);
        finish(&fields)
    })
}

fn finish(fields: &[Vec<u8>]) -> Vec<String> {
    let mut texts: Vec<String> =
        fields.iter().map(|field| String::from_utf8_lossy(field).into_owned()).collect();
    if let Some(last) = texts.last_mut()
        && last.ends_with('\r')
    {
        last.pop();
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str, is_whole: bool, dms: &S3Settings) -> Option<Vec<String>> {
        split(text.as_bytes(), is_whole, dms)
    }

    #[test]
    fn quotes_delimiters_and_newlines_stay_inside_a_field() {
        let dms = S3Settings::default();
        let found = fields("I,\"a,\"\"b\"\"\nc\",3\r\nU,x,y\n", true, &dms);
        assert_eq!(found, Some(vec!["I".into(), "a,\"b\"\nc".into(), "3".into()]));
        let plain = S3Settings { rfc_4180: false, csv_delimiter: "|#".into(), ..dms };
        assert_eq!(
            fields("\"a|#b\nc", true, &plain),
            Some(vec!["\"a".into(), "b".into()]),
            "no quoting at all"
        );
    }

    #[test]
    fn a_record_that_is_cut_off_is_none() {
        let dms = S3Settings::default();
        assert_eq!(fields("1,2", true, &dms), Some(vec!["1".into(), "2".into()]));
        assert_eq!(fields("1,2", false, &dms), None);
        assert_eq!(fields("1,\"2\n", true, &dms), None);
        assert_eq!(fields("", true, &dms), None);
    }
}
