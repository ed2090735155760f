//! Decodes CSV objects.

use crate::decode::DecodedBatch;
use crate::decode::bounds::ReadBounds;
use crate::decode::columns::{Expected, Plan};
use crate::decode::csv::cut::Dialect;
use crate::decode::csv::decode::{Decoder, Markers};
use crate::decode::csv::dialect::{self, not_cut};
use crate::decode::csv::feed::Feed;
use crate::decode::csv::scan::Scanner;
use crate::decode::rules::RowRules;
use crate::decode::sequence::SequenceTrack;
use crate::dms::Phase;
use crate::error::Result;
use crate::staging::fetch::ObjectBytes;
use crate::staging::object_context::ObjectContext;

/// A CSV object that has rows.
pub(in crate::decode) struct CsvReader {
    feed: Feed,
    scanner: Scanner,
    decoder: Decoder,
    /// Rows of the object read so far, skipped ones included.
    passed: u64,
    read_bounds: ReadBounds,
    context: ObjectContext,
}

impl CsvReader {
    /// Opens an object and determines its fields; `None` if it has no rows.
    pub(in crate::decode) async fn open(
        bytes: &ObjectBytes,
        expected: &Expected<'_>,
        phase: &Phase,
        read_bounds: ReadBounds,
    ) -> Result<Option<Self>> {
        let context = &bytes.context;
        let mut scanner = Scanner::new(Dialect::new(expected.dms));
        let mut feed = Feed::open(bytes, read_bounds.bounds).await?;
        feed.fill(&mut scanner).await?;
        scanner.skip_byte_order_mark();
        let settled = dialect::settle(&mut feed, &mut scanner, expected, phase, context).await?;
        let Some(fields) = settled else { return Ok(None) };
        let rules = RowRules::new(expected.table, phase);
        let markers = Markers::new(expected.dms, scanner.dialect());
        let plan = Plan::new(&fields, expected, markers.has_unset(), context)?;
        let strict_width = expected.dms.rfc_4180;
        let context = context.clone();
        let rows = read_bounds.batch_rows;
        let decoder = Decoder::new(plan, markers, rules, strict_width, context, rows);
        Ok(Some(Self {
            feed,
            scanner,
            decoder,
            passed: 0,
            context: bytes.context.clone(),
            read_bounds,
        }))
    }

    pub(in crate::decode) fn plan(&self) -> &Plan {
        &self.decoder.plan
    }

    pub(in crate::decode) fn sequence(&self) -> &SequenceTrack {
        &self.decoder.sequence
    }

    /// The next rows; `None` at the end.
    pub(in crate::decode) async fn next(&mut self) -> Result<Option<DecodedBatch>> {
        let mut text = 0;
        loop {
            while self.decoder.len() < self.read_bounds.batch_rows
                && text < self.read_bounds.batch_bytes
            {
                let row = self.scanner.next_row();
                let Some(row) =
                    row.map_err(|uncut| not_cut(uncut, self.passed + 1, &self.context))?
                else {
                    break;
                };
                self.passed += 1;
                if self.passed > self.read_bounds.skip_rows {
                    text += row.text().len();
                    self.decoder.decode(&row, self.passed)?;
                }
            }
            let is_full = self.decoder.len() >= self.read_bounds.batch_rows
                || text >= self.read_bounds.batch_bytes;
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
