//! Each message says what to do, and what it says is carried out here, and works.

mod configuration;
mod decoding;
mod listed;
mod objects;
mod shop;
mod stores;
