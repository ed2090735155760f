//! One row of CSV text and its fields, as slices of the text.

use memchr::memchr;

/// One field: its range in the row's text, without quotes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) quoted: bool,
    /// Whether quotes inside are doubled.
    pub(super) doubled: bool,
}

/// One row, valid until the scanner is used again.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub(super) text: &'a [u8],
    pub(super) spans: &'a [Span],
    /// Whether text follows a closing quote.
    pub(super) broken: bool,
    /// Whether a row delimiter ended it, rather than the end of the text.
    pub(super) delimited: bool,
}

/// How a row's text ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Not in a carriage return.
    Plain,
    /// In a carriage return that is the last byte of the last value.
    Return,
    /// In a carriage return after a closing quote, where it belongs to no value.
    QuotedReturn,
}

/// Whether every quote is doubled.
fn has_pairs_only(mut text: &[u8]) -> bool {
    while let Some(quote) = memchr(b'"', text) {
        if text.get(quote + 1) != Some(&b'"') {
            return false;
        }
        text = &text[quote + 2..];
    }
    true
}

/// One field's text, and whether it was quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CsvField<'a> {
    pub(super) text: &'a [u8],
    pub(super) quoted: bool,
}

impl<'a> Row<'a> {
    /// The number of fields.
    pub(super) fn width(&self) -> usize {
        self.spans.len()
    }

    /// The row's text without its delimiter.
    pub(super) fn text(&self) -> &'a [u8] {
        self.text
    }

    /// How the row's text ends.
    pub(super) fn ending(&self) -> Ending {
        let Some(before) = self.text.strip_suffix(b"\r") else { return Ending::Plain };
        let last = self.spans.last().map_or(&before[..0], |span| &before[span.start..]);
        // The last field of a broken row includes its quotes.
        let inner = last.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
        match inner {
            Some(inner) if self.broken && has_pairs_only(inner) => Ending::QuotedReturn,
            _ => Ending::Return,
        }
    }

    /// The field at a position below the width. If quotes had to be undoubled, its text is in
    /// `scratch`.
    #[inline]
    pub(super) fn field<'s>(&self, position: usize, scratch: &'s mut Vec<u8>) -> CsvField<'s>
    where
        'a: 's,
    {
        let span = self.spans[position];
        let raw = &self.text[span.start..span.end];
        if !span.doubled {
            return CsvField { text: raw, quoted: span.quoted };
        }
        scratch.clear();
        let mut rest = raw;
        while let Some(quote) = memchr(b'"', rest) {
            scratch.extend_from_slice(&rest[..=quote]);
            rest = &rest[(quote + 2).min(rest.len())..];
        }
        scratch.extend_from_slice(rest);
        CsvField { text: scratch, quoted: true }
    }
}
