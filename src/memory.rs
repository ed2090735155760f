//! How a process of ours gives memory back.

/// Has large blocks returned to the system when they are freed. glibc would keep them for later
/// once it has seen some go, on each thread for itself: a merge that streams a large file through
/// row groups then holds several times what it uses, and a function is ended for that.
///
/// To be called once, when a process begins. Elsewhere than on glibc it does nothing.
pub fn return_large_blocks() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        /// Smaller blocks are asked for too often to be mapped one by one.
        const LARGE_BYTES: libc::c_int = 256 << 10;
        // SAFETY: sets a number of the allocator; any value of it is sound, at any time.
        let is_set = unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE_BYTES) };
        if is_set == 0 {
            tracing::warn!("freed memory may stay with this process");
        }
    }
}
