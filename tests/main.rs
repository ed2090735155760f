//! The one integration binary; modules by behaviour. See `tests/README.md`.

mod applying;
mod configuration;
mod merging;
mod net_changes;
mod object_names;
mod support;

mod acknowledgement;
mod events;
mod lambda;
