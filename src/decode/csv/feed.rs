//! Feeds the text of a CSV object chunk by chunk, decompressed if it is gzip.

use std::collections::VecDeque;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;

use crate::decode::bounds::{Bound, Bounds};
use crate::decode::csv::scan::Scanner;
use crate::dms::Compression;
use crate::error::Result;
use crate::staging::fetch::{GZIP_STEP, Gunzip, ObjectBytes, compression};
use crate::staging::object_context::ObjectContext;

/// How many staged bytes go into the scanner at once.
const PIECE: usize = 64 * 1024;
/// By how much the scanner's text grows at least: many small chunks then cost one move.
const GROWTH: usize = 256 * 1024;
/// The remedy for text without a row delimiter.
const NO_ROW: &str = "set csv_row_delimiter and rfc_4180 in [dms] as the endpoint has them, or stage \
     the object again if it is damaged";

/// Feeds a scanner from an object's bytes.
pub(super) struct Feed {
    stream: BoxStream<'static, Result<Bytes>>,
    waiting: VecDeque<Bytes>,
    gunzip: Option<Gunzip>,
    longest_row: Bound,
    context: ObjectContext,
}

impl Feed {
    /// Opens an object's bytes and detects compression.
    pub(super) async fn open(bytes: &ObjectBytes, bounds: Bounds) -> Result<Self> {
        let mut stream = bytes.stream().await?;
        let mut waiting = VecDeque::new();
        let mut head = Vec::new();
        while head.len() < 2 {
            let Some(chunk) = stream.next().await.transpose()? else { break };
            head.extend(chunk.iter().take(2));
            waiting.push_back(chunk);
        }
        let gunzip = match compression(&head) {
            Compression::Gzip => Some(Gunzip::new()),
            Compression::None => None,
        };
        let (longest_row, context) = (bounds.row(), bytes.context.clone());
        Ok(Self { stream, waiting, gunzip, longest_row, context })
    }

    /// At least doubles the scanner's pending text, so that a long row is scanned only a few times,
    /// or marks the end of the text.
    pub(super) async fn fill(&mut self, scanner: &mut Scanner) -> Result<()> {
        let (pending, longest) = (scanner.pending(), self.longest_row);
        let what = "a row, or text without a row delimiter,";
        longest.check(what, pending as u64, NO_ROW, &self.context)?;
        // Slightly more than a row may have, so that a longer row is noticed.
        let wanted = (pending + pending.max(GROWTH)).min(longest.bytes() + GROWTH);
        scanner.reserve(wanted - pending)?;
        while scanner.pending() < wanted {
            if !self.step(scanner).await? {
                scanner.end();
                break;
            }
        }
        Ok(())
    }

    /// Moves one piece; false at the end.
    async fn step(&mut self, scanner: &mut Scanner) -> Result<bool> {
        let next = match self.waiting.pop_front() {
            Some(chunk) => Some(chunk),
            None => self.stream.next().await.transpose()?,
        };
        let Some(mut chunk) = next else {
            if let Some(mut gunzip) = self.gunzip.take() {
                gunzip.finish(&self.context, |text| scanner.push(text))?;
            }
            return Ok(false);
        };
        let most = if self.gunzip.is_some() { GZIP_STEP } else { PIECE };
        let piece = chunk.split_to(chunk.len().min(most));
        if !chunk.is_empty() {
            self.waiting.push_front(chunk);
        }
        match &mut self.gunzip {
            Some(gunzip) => gunzip.push(&piece, &self.context, |text| scanner.push(text))?,
            None => scanner.push(&piece)?,
        }
        Ok(true)
    }
}
