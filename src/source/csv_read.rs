//! Decoding CSV objects.

use crate::dms::Phase;
use crate::error::{Error, Result};
use crate::source::DecodedBatch;
use crate::source::columns::{Expected, Fields, OP, Plan};
use crate::source::csv_decode::{Decoder, Markers};
use crate::source::csv_scan::{Dialect, EndlessQuote, Scanner};
use crate::source::csv_shape::{self, Glimpse};
use crate::source::feed::Feed;
use crate::source::fetch::ObjectBytes;
use crate::source::passage::Passage;
use crate::source::rules::RowRules;
use crate::source::sequence::SequenceTrack;
use crate::source::subject::Subject;

/// The rows that decide which fields an object without header has.
const GLIMPSES: usize = 32;

/// A CSV object that has rows.
pub(super) struct CsvReader {
    feed: Feed,
    scanner: Scanner,
    decoder: Decoder,
    /// Rows of the object that have been passed.
    passed: u64,
    passage: Passage,
    subject: Subject,
}

impl CsvReader {
    /// Opens an object and finds out what its fields are; none if it has no rows.
    pub(super) async fn open(
        bytes: &ObjectBytes,
        expected: &Expected<'_>,
        phase: &Phase,
        passage: Passage,
    ) -> Result<Option<Self>> {
        let subject = &bytes.subject;
        let dialect = Dialect::new(expected.dms);
        let markers = Markers::new(expected.dms, &dialect);
        let mut scanner = Scanner::new(dialect);
        let mut feed = Feed::open(bytes).await?;
        feed.fill(&mut scanner).await?;
        scanner.skip_byte_order_mark();
        let header = if expected.dms.add_column_name {
            take_header(&mut feed, &mut scanner, subject).await?
        } else {
            None
        };
        let glimpses = glimpse(&mut feed, &mut scanner, subject).await?;
        if glimpses.is_empty() {
            return Ok(None);
        }
        let fields = match &header {
            Some(names) => named_fields(names, &glimpses, phase),
            None => csv_shape::fields(&glimpses, expected.layout, expected.dms, phase, subject)?,
        };
        let rules = RowRules::new(expected.table, expected.dms);
        rules.check(fields.operation.is_some(), phase, subject)?;
        let plan = Plan::new(&fields, expected, markers.has_unset(), subject)?;
        let strict_width = expected.dms.rfc_4180;
        let subject = subject.clone();
        let rows = passage.batch_rows;
        let decoder = Decoder::new(plan, markers, rules, strict_width, subject, rows);
        Ok(Some(Self {
            feed,
            scanner,
            decoder,
            passed: 0,
            subject: bytes.subject.clone(),
            passage,
        }))
    }

    pub(super) fn plan(&self) -> &Plan {
        &self.decoder.plan
    }

    pub(super) fn sequence(&self) -> &SequenceTrack {
        &self.decoder.sequence
    }

    /// The next rows; none at the end.
    pub(super) async fn next(&mut self) -> Result<Option<DecodedBatch>> {
        let mut text = 0;
        loop {
            while self.decoder.len() < self.passage.batch_rows && text < self.passage.batch_bytes {
                let row = self.scanner.next_row();
                let Some(row) =
                    row.map_err(|endless| endless_quote(endless, self.passed + 1, &self.subject))?
                else {
                    break;
                };
                self.passed += 1;
                if self.passed > self.passage.skip_rows {
                    text += row.text().len();
                    self.decoder.decode(&row, self.passed)?;
                }
            }
            let is_full =
                self.decoder.len() >= self.passage.batch_rows || text >= self.passage.batch_bytes;
            if is_full || (self.scanner.has_ended() && self.decoder.len() > 0) {
                return self.decoder.finish().map(Some);
            }
            if self.scanner.has_ended() {
                return Ok(None);
            }
            self.feed.fill(&mut self.scanner).await?;
        }
    }
}

/// The names in the first row; none if there is no row at all.
async fn take_header(
    feed: &mut Feed,
    scanner: &mut Scanner,
    subject: &Subject,
) -> Result<Option<Vec<String>>> {
    loop {
        let row = scanner.next_row().map_err(|endless| endless_quote(endless, 0, subject))?;
        if let Some(row) = row {
            let mut scratch = Vec::new();
            let mut names = Vec::with_capacity(row.width());
            for position in 0..row.width() {
                let name = std::str::from_utf8(row.field(position, &mut scratch).text)
                    .map_err(|_| subject.refused("the header is not valid UTF-8"))?;
                names.push(name.to_owned());
            }
            return Ok(Some(names));
        }
        if scanner.has_ended() {
            return Ok(None);
        }
        feed.fill(scanner).await?;
    }
}

/// What the first rows show; nothing only if there are no rows.
async fn glimpse(
    feed: &mut Feed,
    scanner: &mut Scanner,
    subject: &Subject,
) -> Result<Vec<Glimpse>> {
    let mut glimpses = Vec::new();
    loop {
        let peeked = scanner.peek(GLIMPSES, |row| glimpses.push(Glimpse::of(row)));
        if let Err(endless) = peeked
            && glimpses.is_empty()
        {
            return Err(endless_quote(endless, 1, subject));
        }
        if !glimpses.is_empty() || scanner.has_ended() {
            return Ok(glimpses);
        }
        feed.fill(scanner).await?;
    }
}

/// The fields of an object with header.
fn named_fields<'a>(names: &'a [String], glimpses: &[Glimpse], phase: &Phase) -> Fields<'a> {
    let may_be_data =
        matches!(phase, Phase::FullLoad { .. }) && !glimpses.iter().any(Glimpse::is_operation);
    let has_operation = names.first().is_some_and(|name| name == OP) && !may_be_data;
    Fields {
        names: names.iter().map(String::as_str).collect(),
        physical: Vec::new(),
        operation: has_operation.then_some(0),
    }
}

fn endless_quote(_: EndlessQuote, row: u64, subject: &Subject) -> Error {
    subject.malformed("a quoted value never ends").with("row", row)
}
