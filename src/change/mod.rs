//! From decoded changes to net changes: one last change per key of a slice.
