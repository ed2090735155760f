//! Checks the lengths of texts in Parquet's delta encodings: at most as many as the page has values.

use parquet::basic::Encoding;
use parquet::column::page::Page;

use crate::decode::parquet::thrift::{Unreadable, Walk};

type Result<T> = std::result::Result<T, Unreadable>;

/// Checks how many lengths a page declares: the reader allocates all of them at once.
pub(super) fn check(page: &Page, has_levels: bool) -> Result<()> {
    let blocks = match page.encoding() {
        Encoding::DELTA_LENGTH_BYTE_ARRAY => 1,
        // Lengths of the prefixes shared with the previous text, and lengths of the rest.
        Encoding::DELTA_BYTE_ARRAY => 2,
        _ => return Ok(()),
    };
    let mut walk = Walk::over(page.buffer());
    match page {
        Page::DataPage { .. } if has_levels => {
            let length = walk.take(4)?.try_into().map_or(0, u32::from_le_bytes);
            walk.take(length as usize)?;
        }
        Page::DataPageV2 { def_levels_byte_len, rep_levels_byte_len, .. } => {
            let levels = def_levels_byte_len.checked_add(*rep_levels_byte_len);
            walk.take(levels.ok_or(Unreadable)? as usize)?;
        }
        _ => {}
    }
    for _ in 0..blocks {
        lengths(&mut walk, u64::from(page.num_values()))?;
    }
    Ok(())
}

/// Skips one block of at most `most` lengths.
fn lengths(walk: &mut Walk<'_>, most: u64) -> Result<()> {
    let (block, miniblocks, total) = (walk.varint()?, walk.varint()?, walk.varint()?);
    let _first = walk.varint()?;
    let miniblocks = usize::try_from(miniblocks).map_err(|_| Unreadable)?;
    let each = block.checked_div(miniblocks as u64).filter(|each| *each > 0).ok_or(Unreadable)?;
    if total > most {
        return Err(Unreadable);
    }
    let mut left = total.saturating_sub(1);
    while left > 0 {
        let _least = walk.varint()?;
        for width in walk.take(miniblocks)? {
            if left == 0 {
                break;
            }
            let bits = each.checked_mul(u64::from(*width)).ok_or(Unreadable)?;
            walk.take(usize::try_from(bits / 8).map_err(|_| Unreadable)?)?;
            left = left.saturating_sub(each);
        }
    }
    Ok(())
}
