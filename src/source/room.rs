//! Room for bytes, asked for before they are taken in.

use crate::error::{Error, ErrorKind, Result};

/// Adds bytes to others, of which there will be `most` at most. Makes room for as many as are
/// there already, so that it is seldom asked for.
///
/// # Errors
/// `Deadline` if the process has no memory left.
pub(super) fn extend(bytes: &mut Vec<u8>, more: &[u8], most: usize) -> Result<()> {
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
pub(super) fn reserve(bytes: &mut Vec<u8>, more: usize) -> Result<()> {
    bytes.try_reserve_exact(more).map_err(|source| {
        Error::new(ErrorKind::Deadline, "the process has too little memory left to read on")
            .with("bytes asked for", more)
            .with_remedy(
                "give the process more memory, or set memory_budget to an eighth of what it has",
            )
            .because(source)
    })
}
