//! The pages of a row group, measured before the reader unpacks them.
//!
//! The reader allocates what a page declares, and unpacks gzip to its end. So the headers of all
//! pages are checked first: what they declare must be true and within the bounds. They also tell
//! how many rows fit into a batch. The staged size does not tell that: one value of a dictionary
//! may be in every row.

use std::io::{Read, copy, sink};
use std::ops::Range;
use std::sync::Arc;

use flate2::read::MultiGzDecoder;
use parquet::basic::{Compression, Type as PhysicalType};
use parquet::column::page::{Page, PageReader};
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use parquet::file::serialized_reader::SerializedPageReader;

use crate::decode::bounds::Bounds;
use crate::decode::parquet::delta;
use crate::decode::parquet::row_groups::{Chunks, guarded, within};
use crate::decode::parquet::shapes::PAGE_HEADER;
use crate::decode::parquet::thrift::{Kind, Unreadable, Walk};
use crate::error::{Error, Result};
use crate::staging::object_context::ObjectContext;

const SMALLER_PAGES: &str = "stage the object again with smaller pages (data_page_size and \
     dict_page_size_limit of the endpoint)";
/// Bytes of a row in addition to its value: an offset, levels, and room to grow.
const OVERHEAD: u64 = 8;

/// The numbers of `parquet.thrift`.
mod number {
    pub(super) const DATA_PAGE: i64 = 0;
    pub(super) const INDEX_PAGE: i64 = 1;
    pub(super) const DICTIONARY_PAGE: i64 = 2;
    pub(super) const DATA_PAGE_V2: i64 = 3;
    pub(super) const DELTA_LENGTH_BYTE_ARRAY: i64 = 6;
    pub(super) const DELTA_BYTE_ARRAY: i64 = 7;
}

/// The most bytes of a decoded row in a batch of many. A batch may take two more pages of each
/// column.
///
/// # Errors
/// `MalformedObject` if pages are not what they declare, or declare more than the bounds allow.
pub(super) fn row_bytes(
    chunks: &Chunks,
    size: u64,
    row_group: &RowGroupMetaData,
    bounds: Bounds,
    context: &ObjectContext,
) -> Result<u64> {
    let rows = u64::try_from(row_group.num_rows()).map_err(|_| unreadable(context))?;
    let (mut unpacked, mut row_bytes) = (0_u64, 0_u64);
    for column in row_group.columns() {
        let range = within(column, size, context)?;
        let measure = Measure { chunks, column, range, bounds, context };
        let found = measure.pages()?;
        if found.values != rows {
            let values = found.values;
            return Err(context.malformed(format!(
                "a column chunk holds {values} values, but its row group has {rows} rows"
            )));
        }
        unpacked = unpacked.saturating_add(found.unpacked);
        bounds.whole().check("all pages of a row group", unpacked, SMALLER_PAGES, context)?;
        row_bytes = row_bytes.saturating_add(found.row_bytes + OVERHEAD);
    }
    Ok(row_bytes)
}

/// The totals over the pages of a column chunk.
#[derive(Clone, Copy, Debug, Default)]
struct Found {
    values: u64,
    /// Bytes of the pages that are unpacked at the same time.
    unpacked: u64,
    row_bytes: u64,
}

/// What the header of a page declares.
#[derive(Clone, Copy, Debug, Default)]
struct Head {
    page: i64,
    unpacked: i64,
    packed: i64,
    values: i64,
    encoding: i64,
    /// Bytes of levels before the packed values.
    levels: i64,
    is_not_packed: bool,
}

struct Measure<'a> {
    chunks: &'a Chunks,
    column: &'a ColumnChunkMetaData,
    range: Range<u64>,
    bounds: Bounds,
    context: &'a ObjectContext,
}

impl Measure<'_> {
    fn pages(&self) -> Result<Found> {
        let bytes = self.chunks.range(&self.range).ok_or_else(|| unreadable(self.context))?;
        // A decimal of any length is decoded into sixteen bytes.
        let row_bytes = self.width()?.max(size_of::<i128>() as u64);
        let mut found = Found { row_bytes, ..Found::default() };
        let (mut largest, mut has_dictionary, mut has_delta) = (0, false, false);
        let mut walk = Walk::over(&bytes);
        while walk.left() > 0 {
            let head = head(&mut walk).map_err(|_| unreadable(self.context))?;
            let packed = usize::try_from(head.packed).map_err(|_| unreadable(self.context))?;
            let packed = walk.take(packed).map_err(|_| unreadable(self.context))?;
            let unpacked = self.check_page(&head, packed)?;
            let values = u64::try_from(head.values).map_err(|_| unreadable(self.context))?;
            match head.page {
                number::DICTIONARY_PAGE => {
                    self.check_dictionary(values, unpacked)?;
                    has_dictionary = true;
                    // Once unpacked and once decoded.
                    found.unpacked = found.unpacked.saturating_add(unpacked.saturating_mul(2));
                }
                number::DATA_PAGE | number::DATA_PAGE_V2 => {
                    found.values = found.values.saturating_add(values);
                    largest = largest.max(if self.is_packed() { unpacked } else { 0 });
                    has_delta |= head.is_delta();
                    if self.is_text() {
                        // In this delta encoding a value may repeat the whole previous one.
                        let is_shared = head.encoding == number::DELTA_BYTE_ARRAY;
                        let one = unpacked.div_ceil(if is_shared { 1 } else { values.max(1) });
                        found.row_bytes = found.row_bytes.max(one);
                    }
                }
                number::INDEX_PAGE => {}
                _ => return Err(unreadable(self.context)),
            }
        }
        found.unpacked = found.unpacked.saturating_add(largest);
        if has_delta {
            self.check_delta()?;
        }
        if has_dictionary && self.is_text() {
            found.row_bytes = found.row_bytes.max(self.longest_in_dictionary()?);
        }
        Ok(found)
    }

    /// Bytes of a value if all values of the column have the same length; 0 for text.
    fn width(&self) -> Result<u64> {
        Ok(match self.column.column_type() {
            PhysicalType::BOOLEAN => 1,
            PhysicalType::INT32 | PhysicalType::FLOAT => 4,
            PhysicalType::INT64 | PhysicalType::DOUBLE => 8,
            PhysicalType::INT96 => 12,
            PhysicalType::BYTE_ARRAY => 0,
            PhysicalType::FIXED_LEN_BYTE_ARRAY => {
                let length = self.column.column_descr().type_length();
                let length = u64::try_from(length).map_err(|_| unreadable(self.context))?;
                let what = "a value of the object";
                self.bounds.page().check(what, length, SMALLER_PAGES, self.context)?;
                length
            }
        })
    }

    fn is_text(&self) -> bool {
        self.column.column_type() == PhysicalType::BYTE_ARRAY
    }

    fn is_packed(&self) -> bool {
        self.column.compression() != Compression::UNCOMPRESSED
    }

    /// Checks what a page declares, and returns its size when unpacked.
    fn check_page(&self, head: &Head, packed: &[u8]) -> Result<u64> {
        let unpacked = u64::try_from(head.unpacked).map_err(|_| unreadable(self.context))?;
        let unpacked = if self.is_packed() { unpacked } else { packed.len() as u64 };
        let page = self.bounds.page();
        page.check("a page of the object", unpacked, SMALLER_PAGES, self.context)?;
        if head.is_delta() {
            let lengths = u64::try_from(head.values).unwrap_or(u64::MAX).saturating_mul(8);
            page.check("a page of the object", lengths, SMALLER_PAGES, self.context)?;
        }
        let is_gzip = matches!(self.column.compression(), Compression::GZIP(_));
        if is_gzip && !head.is_not_packed && unpacked > 0 {
            let levels = usize::try_from(head.levels).unwrap_or(usize::MAX);
            let packed = packed.get(levels..).ok_or_else(|| unreadable(self.context))?;
            let most = unpacked.saturating_sub(levels as u64);
            // Invalid gzip is reported by the reader.
            let mut inflated = MultiGzDecoder::new(packed).take(most + 1);
            let _ = copy(&mut inflated, &mut sink());
            if inflated.limit() == 0 {
                return Err(self.context.malformed(format!(
                    "a page of the object holds more than the {unpacked} bytes that it declares"
                )));
            }
        }
        Ok(unpacked)
    }

    /// Checks a dictionary: the reader allocates as many values as it declares.
    fn check_dictionary(&self, values: u64, unpacked: u64) -> Result<()> {
        // A text is preceded by its length.
        let least = if self.is_text() { 4 } else { self.width()? };
        if values.saturating_mul(least) <= unpacked {
            return Ok(());
        }
        Err(self.context.malformed(format!(
            "a dictionary of the object declares {values} values in {unpacked} bytes"
        )))
    }

    /// The length of the dictionary's longest text, which may be in every row.
    fn longest_in_dictionary(&self) -> Result<u64> {
        let mut longest = 0;
        self.each_page(|page| {
            if let Page::DictionaryPage { buf, .. } = page {
                let mut texts = Walk::over(buf);
                while let Ok(length) = texts.take(4) {
                    let length = length.try_into().map_or(0, u32::from_le_bytes);
                    longest = longest.max(u64::from(length));
                    if texts.take(length as usize).is_err() {
                        break;
                    }
                }
                return Ok(false);
            }
            Ok(true)
        })?;
        Ok(longest)
    }

    /// Checks delta pages: the reader allocates as many lengths as each page declares.
    fn check_delta(&self) -> Result<()> {
        let has_levels = self.column.column_descr().max_def_level() > 0;
        self.each_page(|page| match delta::check(page, has_levels) {
            Ok(()) => Ok(true),
            Err(Unreadable) => Err(unreadable(self.context)),
        })
    }

    /// Unpacks page after page until `look` returns false.
    fn each_page(&self, mut look: impl FnMut(&Page) -> Result<bool>) -> Result<()> {
        let chunks = Arc::new(self.chunks.clone());
        let mut pages =
            guarded(self.context, || SerializedPageReader::new(chunks, self.column, 0, None))?;
        while let Some(page) = guarded(self.context, || pages.get_next_page())? {
            if !look(&page)? {
                break;
            }
        }
        Ok(())
    }
}

/// The next page's header. Field numbers are those of the format's `parquet.thrift`.
fn head(walk: &mut Walk<'_>) -> std::result::Result<Head, Unreadable> {
    walk.clone().conform(PAGE_HEADER)?;
    let mut head = Head::default();
    let mut bodies = Vec::new();
    walk.fields(|walk, number, _| {
        match number {
            1 => head.page = walk.integer()?,
            2 => head.unpacked = walk.integer()?,
            3 => head.packed = walk.integer()?,
            5 | 7 => {
                bodies.push(number);
                head.values_and_encoding(walk, 2)?;
            }
            8 => {
                bodies.push(number);
                head.values_and_encoding(walk, 4)?;
            }
            _ => return Ok::<bool, Unreadable>(false),
        }
        Ok(true)
    })?;
    let body = match head.page {
        number::DATA_PAGE => &[5][..],
        number::DICTIONARY_PAGE => &[7],
        number::DATA_PAGE_V2 => &[8],
        _ => &[],
    };
    // The reader reads every such body, whatever kind the page is.
    if bodies == body { Ok(head) } else { Err(Unreadable) }
}

impl Head {
    /// Whether the reader allocates the lengths of all values at once.
    fn is_delta(&self) -> bool {
        [number::DELTA_BYTE_ARRAY, number::DELTA_LENGTH_BYTE_ARRAY].contains(&self.encoding)
    }

    /// Reads what a page declares about its values; `encoding` is the number of that field.
    fn values_and_encoding(
        &mut self,
        walk: &mut Walk<'_>,
        encoding: i16,
    ) -> std::result::Result<(), Unreadable> {
        walk.fields(|walk, number, kind| {
            match (number, kind) {
                (1, _) => self.values = walk.integer()?,
                (number, _) if number == encoding => self.encoding = walk.integer()?,
                // Only in pages of version 2.
                (5 | 6, Kind::Integer) => {
                    self.levels = self.levels.checked_add(walk.integer()?).ok_or(Unreadable)?;
                }
                (7, Kind::Bool(is_packed)) => self.is_not_packed = !is_packed,
                _ => return Ok::<bool, Unreadable>(false),
            }
            Ok(true)
        })
    }
}

fn unreadable(context: &ObjectContext) -> Error {
    context.malformed("a page of the object cannot be read")
}
