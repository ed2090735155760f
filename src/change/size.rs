//! How much memory decoded rows take.

use arrow::array::Array;
use arrow::record_batch::RecordBatch;

/// Bytes that the rows of a batch occupy: values, offsets and null bits of exactly these rows.
///
/// A batch that is a slice of a larger one counts its own rows alone, so that the parts of a
/// batch add up to the whole; what an allocation holds beyond them (the other parts, spare
/// capacity of a builder) is not counted. Besides, the reduction holds 64 bytes a distinct
/// number key and more for text while it runs, within the session's memory pool, unless keys
/// rise throughout.
#[must_use]
pub fn memory_size(batch: &RecordBatch) -> usize {
    let of_column = |column: &dyn Array| {
        // Only types that no column of the lake has cannot tell.
        column.to_data().get_slice_memory_size().unwrap_or_else(|_| column.get_array_memory_size())
    };
    batch.columns().iter().map(|column| of_column(column.as_ref())).sum()
}
