//! How far a table is applied: the ledger that every commit carries.
