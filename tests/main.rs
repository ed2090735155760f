//! The one integration binary; modules by behaviour. See `tests/README.md`.

mod configuration;
mod net_changes;
mod object_names;
mod support;
