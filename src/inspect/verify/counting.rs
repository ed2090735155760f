//! The first pass: rows of the source are counted, and their digests added up, in key order.

use arrow::array::RecordBatch;

use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::inspect::verify::encode::{Digest, Encoder, Key};
use crate::inspect::verify::pages::Pages;
use crate::inspect::verify::parts::{Parts, Tally};
use crate::inspect::verify::saved::{Counted, StateFile};
use crate::inspect::verify::source::SqlKey;
use crate::limits::Stop;

/// Whether all rows of the source are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CountEnd {
    All,
    /// Somebody asked to stop before.
    Stopped,
}

/// Counts the rows of the source behind those that are counted already.
///
/// # Errors
/// As [`Pages::next`]; `Internal` if keys do not come in their order.
pub(super) async fn count(
    pages: &mut Pages<'_, '_>,
    encoder: &Encoder,
    counted: &mut Counted,
    mut file: Option<&mut StateFile>,
    stop: &Stop,
    clock: &dyn Clock,
) -> Result<CountEnd> {
    let parts = counted.parts();
    loop {
        let page = pages.next(counted.after.as_ref(), None).await?;
        if page.rows.num_rows() > 0 {
            let after = last_key(pages, &page.rows)?;
            take_in(&page.rows, encoder, &parts, &after, counted)?;
            counted.after = Some(after);
        }
        if page.is_last {
            return Ok(CountEnd::All);
        }
        if stop.is_requested() {
            return Ok(CountEnd::Stopped);
        }
        if let Some(file) = &mut file {
            file.keep(counted, clock)?;
        }
    }
}

fn take_in(
    rows: &RecordBatch,
    encoder: &Encoder,
    parts: &Parts,
    after: &SqlKey,
    counted: &mut Counted,
) -> Result<()> {
    let in_bytes = encoder.encode(rows)?;
    counted.rows += in_bytes.len() as u64;
    if !counted.has_ranges() {
        for row in 0..in_bytes.len() {
            let part = parts.of(in_bytes.key(row));
            counted.tallies[part].add(in_bytes.digest(row, encoder));
        }
        return Ok(());
    }
    let mut tally = Tally::default();
    let mut before: Option<&[u8]> = counted.last_end().map(|key| &**key);
    for row in 0..in_bytes.len() {
        let key = in_bytes.key(row);
        if before.is_some_and(|before| key <= before) {
            return Err(Error::new(ErrorKind::Internal, "keys of the source are not in order"));
        }
        tally.add(in_bytes.digest(row, encoder));
        before = Some(key);
    }
    let end = Key::from(in_bytes.key(in_bytes.len() - 1));
    counted.push_range(end, after.clone(), tally);
    Ok(())
}

/// The rows of the source in one range, or in all of it, that `is_wanted`.
///
/// # Errors
/// As [`count`].
pub(super) async fn rows(
    pages: &mut Pages<'_, '_>,
    encoder: &Encoder,
    after: Option<&SqlKey>,
    until: Option<&SqlKey>,
    is_wanted: impl Fn(&[u8]) -> bool,
    stop: &Stop,
) -> Result<Vec<(Key, Digest)>> {
    let (mut found, mut after) = (Vec::new(), after.cloned());
    loop {
        let page = pages.next(after.as_ref(), until).await?;
        let in_bytes = encoder.encode(&page.rows)?;
        for row in 0..in_bytes.len() {
            if is_wanted(in_bytes.key(row)) {
                found.push((in_bytes.key(row).into(), in_bytes.digest(row, encoder)));
            }
        }
        if page.is_last || stop.is_requested() {
            return Ok(found);
        }
        after = Some(last_key(pages, &page.rows)?);
    }
}

fn last_key(pages: &Pages<'_, '_>, rows: &RecordBatch) -> Result<SqlKey> {
    let last = rows.num_rows() - 1;
    pages.sql_key(rows, last).ok_or_else(|| {
        Error::new(
            ErrorKind::TableRefused,
            "a row of the source has a key that the lake cannot have",
        )
        .with_remedy("correct the key, such as a zero date or NULL, at the source")
    })
}
