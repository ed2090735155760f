//! The text of a CSV object, chunk by chunk, unwrapped where it is gzip.

use std::collections::VecDeque;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;

use crate::dms::Compression;
use crate::error::Result;
use crate::source::csv_scan::Scanner;
use crate::source::fetch::{Gunzip, ObjectBytes, compression};
use crate::source::subject::Subject;

/// Bytes as staged that go into the scanner at once.
const PIECE: usize = 64 * 1024;
/// The least growth of the scanner's text by one feeding: many small chunks cost one move.
const GROWTH: usize = 256 * 1024;
/// No row is longer; more text without a row delimiter is not the CSV it is said to be.
const LONGEST_ROW: usize = 128 * 1024 * 1024;

/// Feeds a scanner.
pub(super) struct Feed {
    stream: BoxStream<'static, Result<Bytes>>,
    waiting: VecDeque<Bytes>,
    gunzip: Option<Gunzip>,
    subject: Subject,
}

impl Feed {
    /// Opens an object's bytes and looks at the first of them.
    pub(super) async fn open(bytes: &ObjectBytes) -> Result<Self> {
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
        Ok(Self { stream, waiting, gunzip, subject: bytes.subject.clone() })
    }

    /// Adds to a scanner at least as much text as it already waits with, so that a long row is
    /// looked at a few times only; or says that there is no more.
    pub(super) async fn fill(&mut self, scanner: &mut Scanner) -> Result<()> {
        let wanted = scanner.pending() + scanner.pending().max(GROWTH);
        if wanted > 2 * LONGEST_ROW {
            return Err(self.subject.malformed(
                "the object holds more text without a row delimiter than a row can have",
            ));
        }
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
                gunzip.finish(&self.subject, |text| scanner.push(text))?;
            }
            return Ok(false);
        };
        let piece = chunk.split_to(chunk.len().min(PIECE));
        if !chunk.is_empty() {
            self.waiting.push_front(chunk);
        }
        match &mut self.gunzip {
            Some(gunzip) => gunzip.push(&piece, &self.subject, |text| scanner.push(text))?,
            None => scanner.push(&piece),
        }
        Ok(true)
    }
}
