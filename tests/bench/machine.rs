//! What the machine is and how busy.

use std::fs;

/// Cores, processor and memory.
pub(crate) fn described() -> String {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let processor = line_of("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".into());
    let memory = kilobytes("/proc/meminfo", "MemTotal").unwrap_or_default();
    format!("{cores} cores ({processor}), {} GB", memory / 1_000_000)
}

/// The average of processes that ran or wanted to, over the last minute.
pub(crate) fn load() -> String {
    let averages = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    averages.split(' ').next().unwrap_or_default().to_owned()
}

/// The most memory that this process ever had, in KiB.
pub(crate) fn peak_memory() -> u64 {
    kilobytes("/proc/self/status", "VmHWM").expect("Linux tells the peak")
}

fn kilobytes(file: &str, name: &str) -> Option<u64> {
    line_of(file, name)?.split_whitespace().next()?.parse().ok()
}

fn line_of(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let (_, value) = text
        .lines()
        .find_map(|line| line.split_once(':').filter(|(found, _)| found.trim() == name))?;
    Some(value.trim().to_owned())
}
