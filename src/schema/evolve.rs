//! What an object may change about a table's columns.
