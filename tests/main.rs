//! The one integration binary; modules by behaviour. See `tests/README.md`.

mod configuration;
mod object_names;
mod support;
