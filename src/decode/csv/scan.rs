//! Cuts CSV text that arrives in chunks into rows and fields, as slices of the text.

use std::ops::ControlFlow;

use crate::decode::bounds::MOST_FIELDS;
use crate::decode::csv::cut::{Dialect, Quoted, plain, quoted};
use crate::decode::csv::row::{Row, Span};
use crate::error::Result;
use crate::memory::{extend, reserve};

/// Why text cannot be cut into rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Uncut {
    /// A quoted value never ends.
    EndlessQuote,
    /// A row has this many fields.
    TooManyFields(usize),
}

/// Cuts text into rows. Feed it until it has a row, then take rows until it has none.
#[derive(Debug)]
pub(super) struct Scanner {
    dialect: Dialect,
    buffer: Vec<u8>,
    start: usize,
    ended: bool,
    spans: Vec<Span>,
}

impl Scanner {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self { dialect, buffer: Vec::new(), start: 0, ended: false, spans: Vec::new() }
    }

    /// The delimiters and quoting in use.
    pub(super) fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    /// Uses another row delimiter from here on.
    pub(super) fn delimit_rows_by(&mut self, row_delimiter: &str) {
        self.dialect.row_delimiter = row_delimiter.as_bytes().to_vec();
    }

    /// Takes in more text.
    ///
    /// # Errors
    /// `Deadline` if there is no memory for it.
    pub(super) fn push(&mut self, text: &[u8]) -> Result<()> {
        self.drop_taken();
        extend(&mut self.buffer, text, usize::MAX)
    }

    /// Makes room for this many more bytes of text.
    ///
    /// # Errors
    /// Those of [`Self::push`].
    pub(super) fn reserve(&mut self, text: usize) -> Result<()> {
        self.drop_taken();
        reserve(&mut self.buffer, text)
    }

    /// Drops the text of rows that were taken.
    fn drop_taken(&mut self) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
    }

    /// Marks the end of the text: the last row may lack its delimiter.
    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    /// Whether the end of the text was marked.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Bytes that belong to no taken row.
    pub(super) fn pending(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// Drops a UTF-8 byte-order mark from the start of the text.
    pub(super) fn skip_byte_order_mark(&mut self) {
        if self.buffer[self.start..].starts_with(b"\xef\xbb\xbf") {
            self.start += 3;
        }
    }

    /// Calls `look` on the rows that are complete, without taking them, until it breaks.
    pub(super) fn peek(
        &mut self,
        mut look: impl FnMut(&Row<'_>) -> ControlFlow<()>,
    ) -> Result<(), Uncut> {
        let start = self.start;
        let mut outcome = Ok(());
        loop {
            match self.next_row() {
                Ok(Some(row)) if look(&row).is_break() => break,
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(endless) => {
                    outcome = Err(endless);
                    break;
                }
            }
        }
        self.start = start;
        outcome
    }

    /// The next complete row; `None` if more text is needed, or at the end.
    pub(super) fn next_row(&mut self) -> Result<Option<Row<'_>>, Uncut> {
        let text = &self.buffer[self.start..];
        if text.is_empty() {
            return Ok(None);
        }
        self.spans.clear();
        let mut fields = 0;
        let mut broken = false;
        let mut position = 0;
        let (end, next) = loop {
            let cut = match text.get(position) {
                Some(b'"') if self.dialect.quotes => {
                    match quoted(&self.dialect, text, position, self.ended) {
                        Quoted::Cut(cut) => cut,
                        Quoted::Broken(cut) => {
                            broken = true;
                            cut
                        }
                        Quoted::NeedsMore => return Ok(None),
                        Quoted::Endless => return Err(Uncut::EndlessQuote),
                    }
                }
                _ => match plain(&self.dialect, text, position, position, self.ended) {
                    Some(cut) => cut,
                    None => return Ok(None),
                },
            };
            fields += 1;
            if fields <= MOST_FIELDS {
                self.spans.push(cut.span);
            }
            match cut.row_end {
                Some(end) => break (end, cut.next),
                None => position = cut.next,
            }
        };
        if fields > MOST_FIELDS {
            return Err(Uncut::TooManyFields(fields));
        }
        let text = &self.buffer[self.start..self.start + end];
        self.start += next;
        Ok(Some(Row { text, spans: &self.spans, broken, delimited: end < next }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::csv::row::Ending;
    use crate::dms::S3Settings;

    fn dialect(delimiter: &str, row_delimiter: &str, quotes: bool) -> Dialect {
        Dialect::new(&S3Settings {
            csv_delimiter: delimiter.into(),
            csv_row_delimiter: row_delimiter.into(),
            rfc_4180: quotes,
            ..S3Settings::default()
        })
    }

    /// The rows of text that arrives in these pieces, fields joined by `¦`.
    fn rows(dialect: &Dialect, pieces: &[&[u8]]) -> Vec<String> {
        let mut scanner = Scanner::new(dialect.clone());
        let mut rows = Vec::new();
        let mut take = |scanner: &mut Scanner| {
            while let Some(row) = scanner.next_row().expect("every quote is closed") {
                let mut scratch = Vec::new();
                let field = |position| {
                    String::from_utf8_lossy(row.field(position, &mut scratch).text).into_owned()
                };
                rows.push((0..row.width()).map(field).collect::<Vec<_>>().join("¦"));
            }
        };
        for piece in pieces {
            scanner.push(piece).expect("memory");
            take(&mut scanner);
        }
        scanner.end();
        take(&mut scanner);
        rows
    }

    #[test]
    fn pieces_cut_anywhere_give_the_same_rows() {
        let texts = [
            (
                dialect(",", "\r\n", true),
                "1,a,\"x\"\"y\n,z\"\r\n2,,\"\"\r\n\"3\",\"\r\n\",b\r\n4,a,b",
            ),
            (dialect(",", "\n", true), "1,a\n\"2\",\"\"\"\"\n,\n"),
            (dialect("||", "|\n", true), "1||a|b||\"||\"|\n2||\"|\n\"||c|\n3||d||e"),
            (dialect("|", "||", true), "1|a||2|\"b|\"||3|c||"),
            (dialect("ab", "abc", false), "1aba\"b2aab3abc4ab5abc"),
            (dialect("\t", "\r\n", false), "1\t\"a\r2\r\n3\t4\r\n"),
        ];
        let expected: [&[&str]; 6] = [
            &["1¦a¦x\"y\n,z", "2¦¦", "3¦\r\n¦b", "4¦a¦b"],
            &["1¦a", "2¦\"", "¦"],
            &["1¦a|b¦||", "2¦|\n¦c", "3¦d¦e"],
            &["1¦a", "2¦b|", "3¦c"],
            &["1¦a\"b2a¦3", "4¦5"],
            &["1¦\"a\r2", "3¦4"],
        ];
        for ((dialect, text), expected) in texts.iter().zip(expected) {
            let bytes = text.as_bytes();
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            assert_eq!(rows(dialect, &single), expected, "{text:?} byte by byte");
            for cut in 0..=bytes.len() {
                let pieces = [&bytes[..cut], &bytes[cut..]];
                assert_eq!(rows(dialect, &pieces), expected, "{text:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn peeking_takes_nothing() {
        let mut scanner = Scanner::new(dialect(",", "\n", true));
        scanner.push(b"1,2\n3,4\n5").expect("memory");
        let mut seen = 0;
        let mut look = |_: &Row<'_>| {
            seen += 1;
            ControlFlow::Continue(())
        };
        scanner.peek(&mut look).expect("no quotes");
        assert_eq!(scanner.peek(|_| ControlFlow::Break(())), Ok(()));
        assert_eq!((seen, scanner.pending()), (2, 9));
        scanner.push(b",\"").expect("memory");
        scanner.end();
        assert_eq!(scanner.peek(|_| ControlFlow::Continue(())), Err(Uncut::EndlessQuote));
        assert_eq!(scanner.pending(), 11);
    }

    #[test]
    fn what_a_row_ends_in() {
        use Ending::{Plain, QuotedReturn, Return};
        let endings = |text: &str| {
            let mut scanner = Scanner::new(dialect(",", "\n", true));
            scanner.push(text.as_bytes()).expect("memory");
            scanner.end();
            let mut endings = Vec::new();
            while let Some(row) = scanner.next_row().expect("every quote is closed") {
                endings.push((row.ending(), row.delimited));
            }
            endings
        };
        let cases = [
            ("1,a\n", (Plain, true)),
            ("1,a\r\n", (Return, true)),
            ("1,a\r", (Return, false)),
            ("1,\r\n", (Return, true)),
            ("1,\"a\"\r\n", (QuotedReturn, true)),
            ("1,\"\"\r\n", (QuotedReturn, true)),
            ("1,\"a\"\"b\"\r\n", (QuotedReturn, true)),
            ("1,\"a\r\n\"\n", (Plain, true)),
            ("1,\"a\"b\"\r\n", (Return, true)),
            ("\"1\"x,a\r\n", (Return, true)),
        ];
        for (text, expected) in cases {
            assert_eq!(endings(text), [expected], "{text:?}");
        }
    }
}
