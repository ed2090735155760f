//! Checks over a whole configuration: every violation is reported, not the first.
