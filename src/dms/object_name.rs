//! Names of staged objects, parsed once into a type that cannot be wrong.
//!
//! The grammar is that of the DMS user guide's S3 target chapter as seen in real buckets.
//! Below a table's folder stand
//!
//! - full load: `LOAD` and a hexadecimal counter of five digits or more, with the segment
//!   before (`SEGMENT1_LOAD00000001`) or after it (`LOAD_1_00000001`) where DMS loads in
//!   parallel, in the table's folder or one folder below it, named after a partition (`_p0` too);
//! - ongoing replication: eight digits, a dash, nine digits or more, in the table's folder or
//!   in folders of a date, in any sequence and with any delimiter;
//!
//! each with the suffix `.csv` or `.parquet`, which `.gz` may follow.
//!
//! What holds of every [`ObjectName`]:
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

mod date_folder;

/// File format by name suffix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// `.csv`, `.csv.gz`
    Csv,
    /// `.parquet`, `.parquet.gz`
    Parquet,
}

/// Compression of the whole object as its first bytes say (names do not tell).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Bytes as they are.
    None,
    /// Gzip magic found.
    Gzip,
}

/// The DMS phase that wrote an object, with what orders it inside that phase.
///
/// The derived order is the order of application: every full load object before every CDC
/// object; loads by series (folder, then segment), then counter; CDC by stamp as text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Full load: `LOAD00000001`, `SEGMENT1_LOAD00000001`, `LOAD_1_00000001`, partition folders.
    FullLoad {
        /// Folder below the table's, with a slash, and segment name: each series counts from
        /// 1. Empty for a load that is not parallel.
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
    /// Reads a name without suffixes, below its table's folder, such as `LOAD00000001` or
    /// `20221024-175902985`; none if it is not of full load or ongoing replication.
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
    /// Who wrote it, and its order there.
    pub phase: Phase,
    /// Its format.
    pub format: Format,
}

/// What a name below a table's folder stands for.
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
        // A name of DMS's is never passed over in silence, wherever it stands.
        _ if Phase::parse(base).is_some() => Classified::Foreign,
        _ => unknown,
    }
}

/// Whether programs that list folders pass over an object or a folder of that name. No object of
/// DMS has such a name; a schema, a table or a partition of MySQL may.
#[must_use]
pub fn is_hidden(name: &str) -> bool {
    name.starts_with(['.', '_'])
}

/// Whether DMS writes a table, a folder or an object of that name for itself: its control tables,
/// and what its validation found.
#[must_use]
pub fn is_kept_by_dms(name: &str) -> bool {
    let begins = |prefix: &str| {
        name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    begins("awsdms_") || begins("s3_validation_failures")
}

/// Takes `.csv` or `.parquet` off, and the `.gz` behind it.
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
        // Both places at once: the segment is all that precedes the counter.
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
    // More than sixteen digits that count are no counter of DMS.
    u64::from_str_radix(hexadecimal, 16).ok().map(|counter| (segment, counter))
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|digit| digit.is_ascii_digit())
}
