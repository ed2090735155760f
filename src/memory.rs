//! How a process of ours takes memory and gives it back.

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
