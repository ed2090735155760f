//! Single values: spelled as text (`text`, `appender`) or typed by Parquet (`cast`), each exact or a
//! fault, as the column is to be read (`reading`).

pub(super) mod appender;
pub(super) mod cast;
pub(super) mod cast_decimal;
pub(super) mod cast_time;
pub(super) mod faults;
pub(super) mod reading;
pub(super) mod text;
