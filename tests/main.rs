//! The one integration binary; modules by behaviour. See `tests/README.md`.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod acknowledgement;
mod applying;
mod bloom_filters;
mod bombs;
mod catalog;
mod cli;
mod configuration;
mod convergence;
mod crash_points;
mod damage;
mod data_files;
mod decoded_histories;
mod decoding;
mod decoding_parquet;
mod dialects;
mod differential;
mod documents;
mod events;
mod features;
mod folding;
mod glue_entries;
mod interop;
mod judge;
mod lambda;
mod ledger;
mod maintenance;
mod merging;
mod mistakes;
mod net_changes;
mod no_values;
mod object_names;
mod places;
mod quarantine;
mod races;
mod read_ahead;
mod refused_stores;
mod reloads;
mod remedies;
mod round_trips;
mod s3;
mod support;
mod two_workers;
mod types;
mod writer;
