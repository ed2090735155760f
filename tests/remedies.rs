//! Each message says what to do. These tests do it, and it works.

mod configuration;
mod decoding;
mod listed;
mod objects;
mod shop;
mod stores;
