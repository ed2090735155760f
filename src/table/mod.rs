//! The Delta table of a source table: opening, creating, evolving, its ledger.
