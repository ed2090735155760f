//! The one integration binary; modules by behaviour. See `tests/README.md`.

mod support;
