//! Rows as RFC 4180 text without header.

use std::fmt::Write;

use chrono::DateTime;

use crate::rows::Row;

pub(super) fn bytes(rows: &[Row]) -> Vec<u8> {
    let mut text = String::new();
    for row in rows {
        if let Some(op) = row.op {
            write!(text, "{op},").expect("a string takes everything");
        }
        let ordered_at = DateTime::from_timestamp_micros(row.ordered_at).expect("in range");
        let note = match &row.note {
            None => "NULL".to_owned(),
            Some(note) if note.contains(',') => format!("\"{note}\""),
            Some(note) => note.clone(),
        };
        writeln!(
            text,
            "{},{},{},{}.{:02},{},{},{note}",
            row.id,
            row.customer,
            row.state,
            row.amount / 100,
            row.amount % 100,
            row.quantity,
            ordered_at.format("%Y-%m-%d %H:%M:%S%.6f"),
        )
        .expect("a string takes everything");
    }
    text.into_bytes()
}
