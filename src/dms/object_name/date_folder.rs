//! The date folders into which DMS writes CDC objects if `DatePartitionEnabled` is set.

/// The parts of a date in the five sequences of `DatePartitionSequence`.
const SEQUENCES: [&[Part]; 5] = [
    &[Part::Year, Part::Month, Part::Day],
    &[Part::Year, Part::Month, Part::Day, Part::Hour],
    &[Part::Year, Part::Month],
    &[Part::Month, Part::Year, Part::Day],
    &[Part::Day, Part::Month, Part::Year],
];

#[derive(Clone, Copy)]
enum Part {
    Year,
    Month,
    Day,
    Hour,
}

impl Part {
    /// The text after this part, if it begins with it.
    fn strip(self, text: &str) -> Option<&str> {
        let (digits, values) = match self {
            Self::Year => (4, 0..=9999),
            Self::Month => (2, 1..=12),
            Self::Day => (2, 1..=31),
            Self::Hour => (2, 0..=23),
        };
        let part = text.get(..digits).filter(|part| part.bytes().all(|b| b.is_ascii_digit()))?;
        let value: u16 = part.parse().ok()?;
        values.contains(&value).then(|| &text[digits..])
    }
}

/// Whether a path of folders is a date, in any sequence and with any delimiter.
pub(super) fn is_date(folders: &str) -> bool {
    ["/", "-", "_", ""]
        .iter()
        .any(|delimiter| SEQUENCES.iter().any(|sequence| is_sequence(sequence, delimiter, folders)))
}

fn is_sequence(sequence: &[Part], delimiter: &str, folders: &str) -> bool {
    let mut rest = folders;
    for (position, part) in sequence.iter().enumerate() {
        let expected = if position == 0 { "" } else { delimiter };
        let Some(after) = rest.strip_prefix(expected).and_then(|text| part.strip(text)) else {
            return false;
        };
        rest = after;
    }
    rest.is_empty()
}
