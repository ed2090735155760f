//! Cuts one CSV field from text: its delimiters and quotes, and where it ends.

use memchr::{memchr, memchr2};

use crate::decode::csv::row::Span;
use crate::dms::S3Settings;

/// How rows and fields are delimited.
#[derive(Clone, Debug)]
pub(super) struct Dialect {
    delimiter: Vec<u8>,
    pub(super) row_delimiter: Vec<u8>,
    /// RFC 4180: values that hold a delimiter, a quote or a newline are quoted.
    pub(super) quotes: bool,
}

impl Dialect {
    pub(super) fn new(dms: &S3Settings) -> Self {
        Self {
            delimiter: dms.csv_delimiter.clone().into_bytes(),
            row_delimiter: dms.csv_row_delimiter.clone().into_bytes(),
            quotes: dms.rfc_4180,
        }
    }

    /// Whether a value with this text would be quoted.
    pub(super) fn needs_quotes(&self, text: &[u8]) -> bool {
        let holds = |needle: &[u8]| memchr::memmem::find(text, needle).is_some();
        self.quotes && (holds(&self.delimiter) || holds(&self.row_delimiter) || holds(b"\""))
    }

    /// The delimiter at the start of `text`, which is not empty. `ended` says that no text
    /// follows.
    #[inline]
    pub(super) fn mark(&self, text: &[u8], ended: bool) -> Mark {
        if let ([delimiter], [row_delimiter]) = (&self.delimiter[..], &self.row_delimiter[..]) {
            return match text[0] {
                byte if byte == *delimiter => Mark::Field(1),
                byte if byte == *row_delimiter => Mark::Row(1),
                _ => Mark::None,
            };
        }
        self.long_mark(text, ended)
    }

    /// [`Self::mark`] for delimiters of several bytes: the longer one wins.
    fn long_mark(&self, text: &[u8], ended: bool) -> Mark {
        let mut longest = (Mark::None, 0);
        let candidates = [
            (&self.delimiter, Mark::Field(self.delimiter.len())),
            (&self.row_delimiter, Mark::Row(self.row_delimiter.len())),
        ];
        for (delimiter, mark) in candidates {
            if text.starts_with(delimiter) {
                if delimiter.len() > longest.1 {
                    longest = (mark, delimiter.len());
                }
            } else if !ended && delimiter.starts_with(text) {
                return Mark::Unknown;
            }
        }
        longest.0
    }
}

/// The delimiter at a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// A field delimiter of that length.
    Field(usize),
    /// A row delimiter of that length.
    Row(usize),
    /// Neither.
    None,
    /// Too few bytes to tell.
    Unknown,
}

/// A field, and what follows it.
pub(super) struct Cut {
    pub(super) span: Span,
    /// Where the next field or row starts.
    pub(super) next: usize,
    /// Where the row's text ends, if the field is its last.
    pub(super) row_end: Option<usize>,
}

/// Cuts an unquoted field that starts at `start`. Its end is searched from `from` on.
#[inline]
pub(super) fn plain(
    dialect: &Dialect,
    text: &[u8],
    start: usize,
    from: usize,
    ended: bool,
) -> Option<Cut> {
    let (first, first_of_row) = (dialect.delimiter[0], dialect.row_delimiter[0]);
    let mut position = from;
    loop {
        let Some(found) = memchr2(first, first_of_row, &text[position..]) else {
            let span = Span { start, end: text.len(), quoted: false, doubled: false };
            return ended.then_some(Cut { span, next: text.len(), row_end: Some(text.len()) });
        };
        let end = position + found;
        let span = Span { start, end, quoted: false, doubled: false };
        match dialect.mark(&text[end..], ended) {
            Mark::Field(length) => return Some(Cut { span, next: end + length, row_end: None }),
            Mark::Row(length) => {
                return Some(Cut { span, next: end + length, row_end: Some(end) });
            }
            Mark::None => position = end + 1,
            Mark::Unknown => return None,
        }
    }
}

pub(super) enum Quoted {
    Cut(Cut),
    /// Text follows the closing quote: the row cannot be decoded, but its end is known.
    Broken(Cut),
    NeedsMore,
    Endless,
}

/// Cuts a quoted field whose opening quote is at `open`.
pub(super) fn quoted(dialect: &Dialect, text: &[u8], open: usize, ended: bool) -> Quoted {
    let mut doubled = false;
    let mut position = open + 1;
    let close = loop {
        let Some(found) = memchr(b'"', &text[position..]) else {
            return if ended { Quoted::Endless } else { Quoted::NeedsMore };
        };
        let quote = position + found;
        match text.get(quote + 1) {
            Some(b'"') => doubled = true,
            None if !ended => return Quoted::NeedsMore,
            _ => break quote,
        }
        position = quote + 2;
    };
    let span = Span { start: open + 1, end: close, quoted: true, doubled };
    let after = close + 1;
    let rest = &text[after..];
    if rest.is_empty() {
        return Quoted::Cut(Cut { span, next: after, row_end: Some(after) });
    }
    match dialect.mark(rest, ended) {
        Mark::Field(length) => Quoted::Cut(Cut { span, next: after + length, row_end: None }),
        Mark::Row(length) => Quoted::Cut(Cut { span, next: after + length, row_end: Some(after) }),
        Mark::Unknown => Quoted::NeedsMore,
        Mark::None => match plain(dialect, text, open, after, ended) {
            Some(cut) => Quoted::Broken(cut),
            None => Quoted::NeedsMore,
        },
    }
}
