//! Table snapshot and net changes in, commit outcome and counts out.
