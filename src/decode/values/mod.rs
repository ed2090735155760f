//! Reads single values from text (`text`, `appender`) or from Parquet's types (`cast`) into the
//! column's type (`reading`): exactly, or as a fault.

pub(super) mod appender;
pub(super) mod cast;
pub(super) mod cast_decimal;
pub(super) mod cast_time;
pub(super) mod faults;
pub(super) mod reading;
pub(super) mod text;
mod time;
