//! Object names: classified consistently, and totally ordered.

use std::cmp::Ordering;

use dmslake::dms::{Classified, Format, ObjectName, classify};

/// Lines are keys below a table's folder.
pub(crate) fn names(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let found: Vec<(&str, Classified)> =
        text.lines().take(8).map(|key| (key, classify(key))).collect();
    for (key, classified) in &found {
        assert_eq!(*classified, classify(key), "{key:?}");
        if let Classified::Changes(name) = classified {
            let plain = key.strip_suffix(".gz").unwrap_or(key);
            let format = if plain.ends_with(".parquet") { Format::Parquet } else { Format::Csv };
            assert_eq!(name.format, format, "{key:?}");
        }
    }
    let names: Vec<&ObjectName> = found
        .iter()
        .filter_map(|(_, classified)| match classified {
            Classified::Changes(name) => Some(name),
            _ => None,
        })
        .collect();
    for one in &names {
        for other in &names {
            let order = one.phase.cmp(&other.phase);
            assert_eq!(order.reverse(), other.phase.cmp(&one.phase), "{one:?} {other:?}");
            for third in &names {
                let onward = other.phase.cmp(&third.phase);
                if order == onward || onward == Ordering::Equal {
                    assert_eq!(one.phase.cmp(&third.phase), order, "{one:?} {other:?} {third:?}");
                }
            }
        }
    }
}
