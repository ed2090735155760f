//! Doorbells: the events that tell which tables to look at.
