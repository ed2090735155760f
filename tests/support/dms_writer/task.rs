//! Random settings of an endpoint and of a table's mapping rules.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use crate::support::column::{Kind, Taste};
use crate::support::history::{Shape, TableHistory};

/// The settings of a DMS task and its endpoint, shared by all tables.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches")]
pub(crate) struct Endpoint {
    pub(crate) delimiter: String,
    pub(crate) row_delimiter: String,
    pub(crate) null: String,
    /// The marker of a value that the log did not supply.
    pub(crate) no_sup: Option<String>,
    pub(crate) rfc_4180: bool,
    pub(crate) header: bool,
    pub(crate) gzip: bool,
    pub(crate) op_in_load: bool,
    pub(crate) op_in_cdc: bool,
    pub(crate) timestamp: Option<String>,
    pub(crate) sequence: Option<String>,
    pub(crate) before_prefix: Option<String>,
    /// Sequence and delimiter of date folders.
    pub(crate) date_folders: Option<(&'static str, &'static str)>,
    /// A D row has only its key; the rest is NULL.
    pub(crate) key_only_deletes: bool,
}

/// How many columns the configuration describes if the data contains names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Described {
    All,
    Some,
    None,
}

/// The values of `merge` in the configuration.
pub(crate) const MERGE_MODES: [&str; 3] = ["copy-on-write", "deletion-vectors", "auto"];

/// The settings that differ between the tables of a task.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches")]
pub(crate) struct TableTask {
    pub(crate) csv: bool,
    pub(crate) loaded: bool,
    pub(crate) described: Described,
    /// Positions of the columns that the configuration describes.
    pub(crate) configured: Vec<bool>,
    /// Before images of all columns, not only of the key.
    pub(crate) before_all: bool,
    /// The change sequence precedes the before images.
    pub(crate) sequence_first: bool,
    /// Binary columns in Parquet are hexadecimal text.
    pub(crate) hex: bool,
    /// Updates leave unchanged columns out.
    pub(crate) partial: bool,
    /// `merge`, as the configuration spells it.
    pub(crate) merge: &'static str,
    /// `redshift_manifest`; not in every merge mode, and not on a disk.
    pub(crate) manifest: bool,
    /// `on_bad_row = "quarantine"`, and there are bad rows.
    pub(crate) bad_rows: bool,
    pub(crate) stored_timestamp: bool,
    /// DMS resumes sometimes and writes changes again.
    pub(crate) resumes: bool,
    /// Changes written again keep their change sequence.
    pub(crate) resume_keeps_sequence: bool,
    /// Older images never replace newer ones.
    pub(crate) guarded: bool,
    /// Parquet settings change from object to object.
    pub(crate) unsteady: bool,
}

impl Endpoint {
    /// DMS's defaults, with before images.
    pub(crate) fn plain() -> Self {
        Self {
            delimiter: ",".into(),
            row_delimiter: "\n".into(),
            null: "NULL".into(),
            no_sup: None,
            rfc_4180: true,
            header: false,
            gzip: false,
            op_in_load: false,
            op_in_cdc: true,
            timestamp: None,
            sequence: None,
            before_prefix: Some("BI_".into()),
            date_folders: None,
            key_only_deletes: false,
        }
    }

    pub(crate) fn random(rng: &mut StdRng) -> Self {
        let rfc_4180 = rng.random_bool(0.8);
        let op_in_cdc = rng.random_bool(0.95);
        let delimiters = if rfc_4180 {
            &[",", ",", ";", "|", "\t", "\u{1}", "||"][..]
        } else {
            &[",", ";", "|", "\u{1}", "||"]
        };
        let pick =
            |rng: &mut StdRng, from: &[&str]| (*from.choose(rng).expect("a choice")).to_owned();
        Self {
            delimiter: pick(rng, delimiters),
            row_delimiter: pick(rng, &["\n", "\n", "\n", "\r\n", "#\n", "\u{2}"]),
            null: pick(rng, &["NULL", "NULL", "NULL", "", "\\N", " "]),
            no_sup: rng.random_bool(0.3).then(|| "(unchanged)".to_owned()),
            rfc_4180,
            header: rng.random_bool(0.4),
            gzip: rng.random_bool(0.3),
            op_in_load: rng.random_bool(0.5),
            op_in_cdc,
            timestamp: rng.random_bool(0.6).then(|| "dms ts".to_owned()),
            sequence: rng.random_bool(0.5).then(|| "cdc_seq".to_owned()),
            before_prefix: rng.random_bool(0.6).then(|| pick(rng, &["BI_", "BI_", "before-"])),
            date_folders: rng.random_bool(0.4).then(|| {
                let sequences = ["YYYYMMDD", "YYYYMMDDHH", "YYYYMM", "MMYYYYDD", "DDMMYYYY"];
                let delimiters = ["SLASH", "DASH", "UNDERSCORE", "NONE"];
                (
                    *sequences.choose(rng).expect("a choice"),
                    *delimiters.choose(rng).expect("a choice"),
                )
            }),
            key_only_deletes: rng.random_bool(0.3),
        }
    }

    /// What the histories of this task may contain, given what its files can represent.
    pub(crate) fn shape(&self, rng: &mut StdRng, task: &TableTask) -> Shape {
        let harmless = task.csv && !self.rfc_4180;
        let markers = [Some(&self.null), self.no_sup.as_ref()];
        Shape {
            taste: Taste {
                harmless,
                never_empty: task.csv && self.null.is_empty(),
                never: markers.into_iter().flatten().cloned().collect(),
            },
            deletes: self.op_in_cdc,
            key_changes: self.op_in_cdc && self.before_prefix.is_some(),
            op_as_data: task.csv && !self.header,
            before_prefix: self.before_prefix.clone(),
            zero_dates_required: task.csv,
            stored_timestamp: self.timestamp.clone().filter(|_| task.stored_timestamp),
            changes: rng.random_range(5..90),
        }
    }
}

impl TableTask {
    /// A table in CSV, all of whose columns are described.
    pub(crate) fn plain(columns: usize) -> Self {
        Self {
            csv: true,
            loaded: true,
            described: Described::All,
            configured: vec![true; columns],
            before_all: false,
            sequence_first: false,
            hex: false,
            partial: false,
            merge: MERGE_MODES[0],
            manifest: false,
            bad_rows: false,
            stored_timestamp: false,
            resumes: false,
            resume_keeps_sequence: false,
            guarded: false,
            unsteady: false,
        }
    }

    pub(crate) fn random(rng: &mut StdRng, endpoint: &Endpoint) -> Self {
        let csv = rng.random_bool(0.5);
        let described = if csv {
            Described::All
        } else {
            *[Described::All, Described::Some, Described::None].choose(rng).expect("a choice")
        };
        let stored_timestamp = endpoint.timestamp.is_some() && rng.random_bool(0.3);
        Self {
            csv,
            loaded: rng.random_bool(0.85),
            described,
            configured: Vec::new(),
            before_all: rng.random_bool(0.4),
            sequence_first: rng.random(),
            hex: described == Described::All && rng.random_bool(0.3),
            partial: csv && endpoint.no_sup.is_some() && endpoint.op_in_cdc,
            merge: MERGE_MODES.choose(rng).expect("a choice"),
            manifest: false,
            bad_rows: rng.random_bool(0.25),
            stored_timestamp,
            resumes: rng.random_bool(0.25),
            resume_keeps_sequence: rng.random(),
            guarded: endpoint.sequence.is_some() && rng.random_bool(0.7),
            unsteady: rng.random_bool(0.4),
        }
    }

    /// Chooses which columns the configuration describes.
    pub(crate) fn describe(&mut self, rng: &mut StdRng, history: &TableHistory) {
        let configured = history.columns.iter().enumerate().map(|(position, _)| {
            history.is_source(position)
                && match self.described {
                    Described::All => true,
                    Described::Some => rng.random(),
                    Described::None => false,
                }
        });
        self.configured = configured.collect();
    }

    /// Whether a column's before image is written; LOBs have none.
    pub(crate) fn has_before(&self, history: &TableHistory, position: usize) -> bool {
        let lob = matches!(history.columns[position].kind, Kind::Text | Kind::Json);
        history.keys.contains(&position) || self.before_all && !lob
    }
}
