//! Names of staged objects, parsed once into a type that is always valid.
//!
//! The grammar is that of the DMS user guide's chapter on S3 targets, as seen in real buckets.
//! Below a table's folder there are
//!
//! - full load: `LOAD` and a hexadecimal counter of five digits or more, with the segment
//!   before (`SEGMENT1_LOAD00000001`) or after it (`LOAD_1_00000001`) if DMS loads in parallel, in
//!   the table's folder or in a folder below it that is named after a partition (`_p0` too);
//! - ongoing replication: eight digits, a dash, nine digits or more, in the table's folder or
//!   in folders of a date, in any sequence and with any delimiter;
//!
//! each with the suffix `.csv` or `.parquet`, optionally followed by `.gz`.
//!
//! Properties of every [`ObjectName`]:
//!
//! ```
//! use dmslake::dms::{Classified, ObjectName, classify};
//!
//! fn name(path: &str) -> ObjectName {
//!     match classify(path) {
//!         Classified::Changes(name) => name,
//!         other => panic!("{path} is {other:?}"),
//!     }
//! }
//!
//! // Counters are hexadecimal, whatever their width and letter case.
//! assert!(name("LOAD00000009.csv") < name("LOAD0000000a.csv"));
//! assert!(name("LOAD0000000F.csv") < name("LOAD00010.csv"));
//! // Each series of a parallel load counts by itself.
//! assert_ne!(name("p0/LOAD00000001.csv").phase, name("p1/LOAD00000001.csv").phase);
//! // Full load comes before ongoing replication, though digits sort before letters.
//! assert!(name("p9/LOAD00000001.csv") < name("20221024-175902985.csv"));
//! // Stamps compare as text: a tenth digit refines the ninth.
//! assert!(name("20221024-175902985.csv") < name("20221024-1759029851.csv"));
//! assert!(name("20221024-1759029851.csv") < name("20221024-175902986.csv"));
//! // Date folders, suffix and compression say nothing about order.
//! assert_eq!(
//!     name("24102022/20221024-175902985.csv.gz").phase,
//!     name("2022/10/24/20221024-175902985.parquet").phase,
//! );
//! ```

use serde::{Deserialize, Serialize};

mod date_folder;

/// File format by name suffix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// `.csv`, `.csv.gz`
    Csv,
    /// `.parquet`, `.parquet.gz`
    Parquet,
}

/// Compression of the whole object, as its first bytes show (its name does not).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not compressed.
    None,
    /// The object starts with gzip's magic number.
    Gzip,
}

/// The DMS phase that wrote an object, and the object's place in that phase.
///
/// The derived order is the order of application: full-load objects before CDC objects; full-load
/// objects by series (folder, then segment) and counter; CDC objects by stamp as text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Phase {
    /// Full load: `LOAD00000001`, `SEGMENT1_LOAD00000001`, `LOAD_1_00000001`, partition folders.
    FullLoad {
        /// Folder below the table's, with a slash, and segment name. Each series counts from 1.
        /// Empty for a load that is not parallel.
        series: String,
        /// The hexadecimal counter.
        counter: u64,
    },
    /// Ongoing replication: `20141029-1134010000`.
    Cdc {
        /// Base name without suffixes, e.g. `20221024-175902985`; compares as text.
        stamp: String,
    },
}

impl Phase {
    /// Whether it is the full load.
    #[must_use]
    pub fn is_full_load(&self) -> bool {
        matches!(self, Self::FullLoad { .. })
    }

    /// Reads a name without suffixes, below its table's folder, such as `LOAD00000001` or
    /// `20221024-175902985`; `None` if it belongs to neither phase.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let (folders, base) = name.rsplit_once('/').unwrap_or(("", name));
        if is_stamp(base) {
            let is_placed = folders.is_empty() || date_folder::is_date(folders);
            return is_placed.then(|| Self::Cdc { stamp: base.to_owned() });
        }
        if folders.contains('/') {
            return None;
        }
        let (segment, counter) = split_load(base)?;
        let slash = if folders.is_empty() { "" } else { "/" };
        Some(Self::FullLoad { series: format!("{folders}{slash}{segment}"), counter })
    }
}

/// A staged object's name below its table's folder; ordered as [`Phase`], ties by format.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectName {
    /// The phase that wrote it, and its place in that phase.
    pub phase: Phase,
    /// Its format.
    pub format: Format,
}

/// What the name of an object below a table's folder means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Classified {
    /// Changes to apply.
    Changes(ObjectName),
    /// Hidden objects, control and validation objects, folder markers: skipped.
    Ignored,
    /// A transaction-ordered object (`CDC_TXN-…`): refused by name.
    TransactionOrdered,
    /// Fits no form of DMS: reported, never applied.
    Foreign,
}

/// Classifies the path of an object relative to its table's folder, such as
/// `2022/10/24/20221024-175902985.parquet`.
#[must_use]
pub fn classify(relative: &str) -> Classified {
    let base = relative.rsplit('/').next().unwrap_or_default();
    let is_marker = base.is_empty() || base.ends_with("_$folder$");
    if is_marker || is_hidden(base) || relative.split('/').any(is_kept_by_dms) {
        return Classified::Ignored;
    }
    let is_in_hidden_folder = relative.split('/').any(is_hidden);
    let unknown = if is_in_hidden_folder { Classified::Ignored } else { Classified::Foreign };
    let Some((name, format)) = split_suffixes(relative) else { return unknown };
    let base = name.rsplit('/').next().unwrap_or(name);
    if format == Format::Csv && is_transaction_ordered(base) {
        let is_refused = !is_in_hidden_folder;
        return if is_refused { Classified::TransactionOrdered } else { Classified::Foreign };
    }
    match Phase::parse(name) {
        // A partition may be called `_p0`; no table has one whose name begins with a dot.
        Some(phase) if !name.starts_with('.') => Classified::Changes(ObjectName { phase, format }),
        // A name that DMS writes is never ignored silently, wherever the object is.
        _ if Phase::parse(base).is_some() => Classified::Foreign,
        _ => unknown,
    }
}

/// Whether programs that list folders skip an object or a folder of this name. DMS gives no object
/// such a name, but a MySQL schema, table or partition may have one.
#[must_use]
pub fn is_hidden(name: &str) -> bool {
    name.starts_with(['.', '_'])
}

/// Whether DMS writes a table, a folder or an object of this name for itself: its control tables
/// and validation results.
#[must_use]
pub fn is_kept_by_dms(name: &str) -> bool {
    let begins = |prefix: &str| {
        name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    begins("awsdms_") || begins("s3_validation_failures")
}

/// Strips `.csv` or `.parquet`, and `.gz` after it.
fn split_suffixes(path: &str) -> Option<(&str, Format)> {
    let plain = path.strip_suffix(".gz").unwrap_or(path);
    let csv = plain.strip_suffix(".csv").map(|name| (name, Format::Csv));
    csv.or_else(|| plain.strip_suffix(".parquet").map(|name| (name, Format::Parquet)))
}

/// `20221024-175902985`
fn is_stamp(base: &str) -> bool {
    let Some((date, time)) = base.split_once('-') else { return false };
    date.len() == 8 && is_digits(date) && time.len() >= 9 && is_digits(time)
}

/// `CDC_TXN-20201117153046033`
fn is_transaction_ordered(base: &str) -> bool {
    let stamp = base.strip_prefix("CDC_TXN-").unwrap_or_default();
    stamp.len() >= 17 && is_digits(stamp)
}

/// Segment and counter of `LOAD00000001`, `SEGMENT1_LOAD00000001` or `LOAD_1_00000001`.
fn split_load(base: &str) -> Option<(&str, u64)> {
    let is_number = |digits: &str| !digits.is_empty() && is_digits(digits);
    let load = base.find("LOAD")?;
    let (leading, rest) = (base[..load].strip_suffix('_'), &base[load + "LOAD".len()..]);
    let leads = match leading {
        None => load == 0,
        Some(segment) => segment.strip_prefix("SEGMENT").is_some_and(is_number),
    };
    if !leads {
        return None;
    }
    let (segment, hexadecimal) = match rest.strip_prefix('_').and_then(|more| more.split_once('_'))
    {
        // Segments before and after `LOAD`: all that precedes the counter is the segment.
        Some((number, counter)) if is_number(number) => {
            (&base[..base.len() - counter.len()], counter)
        }
        Some(_) => return None,
        None => (leading.unwrap_or_default(), rest),
    };
    let is_counter =
        hexadecimal.len() >= 5 && hexadecimal.bytes().all(|digit| digit.is_ascii_hexdigit());
    if !is_counter {
        return None;
    }
    // DMS writes no counter with more than sixteen significant digits.
    u64::from_str_radix(hexadecimal, 16).ok().map(|counter| (segment, counter))
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|digit| digit.is_ascii_digit())
}
