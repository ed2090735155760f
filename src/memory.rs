//! Memory: returning freed memory to the system, and measuring decoded rows and the process.

use arrow::array::Array;
use arrow::record_batch::RecordBatch;

use crate::error::{Error, ErrorKind, Result};

/// Configures the allocator to return large freed blocks to the system. By default, glibc keeps
/// them in eight arenas per core. A merge that streams a large file would then hold several times
/// the memory it uses, and a Lambda function would be killed for it. One arena per core is enough
/// for threads that rarely contend, and large blocks are mapped and unmapped individually. Mapping
/// new pages is slow, so blocks that are allocated and freed frequently should be smaller than a
/// megabyte.
///
/// Call this once when the process starts. Without glibc it does nothing.
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

/// Smaller blocks are allocated too often to be mapped individually.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const LARGE_BYTES: libc::c_int = 1 << 20;

/// Free bytes that an arena may keep at its end.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT_BYTES: libc::c_int = 4 << 20;

/// The bytes of a batch: values, offsets and null bits of exactly its rows.
///
/// A slice of a larger batch counts only its own rows, so the parts of a batch add up to the whole.
/// The rest of an allocation (other parts, spare capacity of a builder) is not counted. In
/// addition, the reduction to net changes uses 64 bytes per distinct numeric key, and more for text
/// keys, within the session's memory pool, unless keys are in ascending order.
#[must_use]
pub fn memory_size(batch: &RecordBatch) -> usize {
    let of_column = |column: &dyn Array| {
        // This fails only for types that no column of the lake has.
        column.to_data().get_slice_memory_size().unwrap_or_else(|_| column.get_array_memory_size())
    };
    batch.columns().iter().map(|column| of_column(column.as_ref())).sum()
}

/// The most memory that this process had at once since it began, in bytes; none if the system does
/// not tell.
#[must_use]
pub fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = peak.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}

/// Appends bytes to a buffer that will contain at most `most` bytes. Doubles the buffer as needed,
/// so that it seldom grows.
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

/// Reserves room for this many more bytes.
///
/// # Errors
/// As [`extend`].
pub(crate) fn reserve(bytes: &mut Vec<u8>, more: usize) -> Result<()> {
    bytes.try_reserve_exact(more).map_err(|source| {
        Error::new(
            ErrorKind::Deadline,
            "the process has too little memory left to continue reading",
        )
        .with("bytes needed", more)
        .with_remedy(
            "give the process more memory, or set memory_budget to an eighth of its memory",
        )
        .because(source)
    })
}
