//! How a process of ours takes memory and gives it back, and how much decoded rows take.

use arrow::array::Array;
use arrow::record_batch::RecordBatch;

use crate::error::{Error, ErrorKind, Result};

/// Has freed memory returned to the system where it is much. glibc would keep it for later, in
/// eight pools for each core: a merge that streams a large file through row groups then holds
/// several times what it uses, and a function is ended for that. One pool for each core is enough
/// for threads that rarely wait for each other, and large blocks are mapped and unmapped one by
/// one. What stands between that and speed is the price of a new page, so whatever is taken and
/// freed all the time should be smaller than a megabyte.
///
/// To be called once, when a process begins. Elsewhere than on glibc it does nothing.
pub fn return_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let settings = [
            (libc::M_ARENA_MAX, cores.try_into().unwrap_or(libc::c_int::MAX)),
            (libc::M_MMAP_THRESHOLD, LARGE_BYTES),
            (libc::M_TRIM_THRESHOLD, KEPT_BYTES),
        ];
        for (parameter, value) in settings {
            // SAFETY: sets a number of the allocator; any value of it is sound, at any time.
            if unsafe { libc::mallopt(parameter, value) } == 0 {
                tracing::warn!(parameter, "freed memory may stay with this process");
            }
        }
    }
}

/// Smaller blocks are asked for too often to be mapped one by one.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const LARGE_BYTES: libc::c_int = 1 << 20;

/// What a pool may keep at its end.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT_BYTES: libc::c_int = 4 << 20;

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

/// Adds bytes to others, of which there will be `most` at most. Makes room for as many as are
/// there already, so that it is seldom asked for.
///
/// # Errors
/// `Deadline` if the process has no memory left.
pub(crate) fn extend(bytes: &mut Vec<u8>, more: &[u8], most: usize) -> Result<()> {
    if more.len() > bytes.capacity() - bytes.len() {
        let wanted = (2 * bytes.len()).min(most).max(bytes.len() + more.len());
        reserve(bytes, wanted - bytes.len())?;
    }
    bytes.extend_from_slice(more);
    Ok(())
}

/// Makes room for so many bytes more.
///
/// # Errors
/// As [`extend`].
pub(crate) fn reserve(bytes: &mut Vec<u8>, more: usize) -> Result<()> {
    bytes.try_reserve_exact(more).map_err(|source| {
        Error::new(ErrorKind::Deadline, "the process has too little memory left to read on")
            .with("bytes asked for", more)
            .with_remedy(
                "give the process more memory, or set memory_budget to an eighth of what it has",
            )
            .because(source)
    })
}
