//! CSV as DMS writes it.

use std::io::Write;

use bytes::Bytes;
use chrono::DateTime;
use flate2::write::GzEncoder;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::log::{LoggedRow, Spoilt};
use super::{Field, Form};
use crate::support::column::Kind;
use crate::support::model::{Op, Value, hex};

/// Unspecified details, which differ from object to object.
struct Spelling {
    truth: (&'static str, &'static str),
    upper_hex: bool,
    hex_prefix: &'static str,
    short_fractions: bool,
    empty_before: bool,
}

impl Spelling {
    fn random(rng: &mut StdRng) -> Self {
        let truths = [("1", "0"), ("t", "f"), ("true", "false"), ("TRUE", "FALSE")];
        Self {
            truth: *truths.choose(rng).expect("a choice"),
            upper_hex: rng.random(),
            hex_prefix: if rng.random_bool(0.3) { "0x" } else { "" },
            short_fractions: rng.random_bool(0.2),
            empty_before: rng.random(),
        }
    }
}

/// One object.
pub(super) fn encode(rng: &mut StdRng, form: &Form<'_>, rows: &[LoggedRow]) -> Bytes {
    let spelling = Spelling::random(rng);
    let fields = form.fields();
    let mut lines = Vec::new();
    if form.endpoint.header {
        let names = fields.iter().map(|&field| quoted(form, form.name(field)));
        lines.push(names.collect::<Vec<_>>());
    }
    for row in rows {
        lines.push(fields.iter().map(|&field| text(form, &spelling, row, field)).collect());
    }
    let endpoint = form.endpoint;
    let lines: Vec<String> = lines.iter().map(|fields| fields.join(&endpoint.delimiter)).collect();
    let mut content = lines.join(&endpoint.row_delimiter);
    // The last delimiter may be missing, unless nothing else shows that there is a row.
    if !content.is_empty() && rng.random_bool(0.9) || lines.last().is_some_and(String::is_empty) {
        content.push_str(&endpoint.row_delimiter);
    }
    if !endpoint.gzip {
        return Bytes::from(content);
    }
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content.as_bytes()).expect("memory takes everything");
    Bytes::from(encoder.finish().expect("memory takes everything"))
}

fn text(form: &Form<'_>, spelling: &Spelling, logged: &LoggedRow, field: Field) -> String {
    let null = || form.endpoint.null.clone();
    let row = &logged.row;
    match field {
        Field::Op => match row.op {
            Op::Insert => "I".into(),
            Op::Update => "U".into(),
            Op::Delete => "D".into(),
        },
        Field::Timestamp => instant(logged.timestamp),
        Field::Sequence => logged.row.sequence.clone().unwrap_or_default(),
        Field::Before(position) => match row.before.as_ref().map(|row| &row[position]) {
            None | Some(Value::Null) if spelling.empty_before => String::new(),
            None => null(),
            Some(value) => spell(form, spelling, position, value),
        },
        Field::Source(position) => {
            let key = form.history.keys.contains(&position);
            let left_out = row.op == Op::Delete && form.endpoint.key_only_deletes && !key;
            match logged.spoilt {
                Some(Spoilt::NullKey) if form.history.keys[0] == position => return null(),
                Some(Spoilt::Letters(spoilt)) if spoilt == position => return "wrong".into(),
                _ if left_out => return null(),
                _ => {}
            }
            if row.unset[position] {
                return form.endpoint.no_sup.clone().expect("there is a marker");
            }
            spell(form, spelling, position, &row.image[position])
        }
    }
}

fn spell(form: &Form<'_>, spelling: &Spelling, position: usize, value: &Value) -> String {
    match value {
        Value::Null => form.endpoint.null.clone(),
        Value::ZeroDate if form.history.columns[position].kind == Kind::Date => "0000-00-00".into(),
        Value::ZeroDate if spelling.short_fractions => "0000-00-00 00:00:00".into(),
        Value::ZeroDate => "0000-00-00 00:00:00.000000".into(),
        Value::Bool(true) => spelling.truth.0.into(),
        Value::Bool(false) => spelling.truth.1.into(),
        Value::Int(value) => value.to_string(),
        Value::Decimal { unscaled, scale } => decimal(*unscaled, *scale),
        Value::Double(bits) => format!("{:?}", f64::from_bits(*bits)),
        Value::Text(text) => quoted(form, text.clone()),
        Value::Bytes(bytes) => {
            let digits = hex(bytes);
            let digits = if spelling.upper_hex { digits } else { digits.to_lowercase() };
            if digits.is_empty() { digits } else { format!("{}{digits}", spelling.hex_prefix) }
        }
        Value::Day(days) => {
            let micros = i64::from(*days) * 86_400_000_000;
            instant(micros)[..10].to_owned()
        }
        Value::Instant(micros) => {
            let text = instant(*micros);
            if !spelling.short_fractions {
                return text;
            }
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
    }
}

/// Quotes as in RFC 4180, only where needed.
fn quoted(form: &Form<'_>, text: String) -> String {
    let endpoint = form.endpoint;
    let needs = text.contains(['"', '\n', '\r'])
        || text.contains(&endpoint.delimiter)
        || text.contains(&endpoint.row_delimiter);
    // A multi-byte delimiter must also not arise where a value touches it.
    let touches = |byte| text.starts_with(byte) || text.ends_with(byte);
    let needs =
        needs || endpoint.delimiter.chars().chain(endpoint.row_delimiter.chars()).any(touches);
    if endpoint.rfc_4180 && needs { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

/// `2024-03-05 01:02:03.000004`
pub(super) fn instant(micros: i64) -> String {
    let time = DateTime::from_timestamp_micros(micros).expect("four-digit years fit");
    time.format("%Y-%m-%d %H:%M:%S%.6f").to_string()
}

/// Plain digits with exactly `scale` of them after the point.
pub(super) fn decimal(unscaled: i128, scale: u8) -> String {
    let sign = if unscaled < 0 { "-" } else { "" };
    let scale = usize::from(scale);
    let digits = format!("{:0width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}
