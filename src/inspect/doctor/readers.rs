//! Which readers know what a table's protocol asks of them.
//!
//! What each reader knows is taken from its maker's documents, and from what `tests/interop` and
//! the guide's page `readers` saw. Where sources disagree, or tell nothing, that is said: it is
//! never taken for a yes.

use std::collections::BTreeMap;

use clap::ValueEnum;

use crate::config::TableSpec;
use crate::inspect::doctor::{Check, Finding, Severity};
use crate::inspect::status::ProtocolStatus;
use crate::storage::StoreKind;

/// Programs that read Delta tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Reader {
    /// Amazon Athena, engine version 3.
    Athena,
    /// Apache Spark 4.0 with Delta 4.0.
    Spark,
    /// Trino 476.
    Trino,
    /// Amazon Redshift Spectrum, which reads manifests.
    Redshift,
    /// Snowflake, by tables over Delta files.
    Snowflake,
    /// DuckDB 1.5 with its `delta` extension.
    #[value(name = "duckdb")]
    DuckDb,
}

/// Whether a reader reads a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Reads,
    /// It refuses the table, or returns other rows.
    Refuses,
    /// Its documents disagree or are silent, and nobody here has run it.
    Untold,
}

const ON_A_DISK: &str = "the lake is on a disk";

impl Reader {
    const ALL: [Self; 6] =
        [Self::Athena, Self::Spark, Self::Trino, Self::Redshift, Self::Snowflake, Self::DuckDb];

    fn name(self) -> &'static str {
        match self {
            Self::Athena => "Athena",
            Self::Spark => "Spark (Delta 4.0)",
            Self::Trino => "Trino (476)",
            Self::Redshift => "Redshift",
            Self::Snowflake => "Snowflake",
            Self::DuckDb => "DuckDB (1.5)",
        }
    }

    /// Whether it reads from buckets only.
    fn is_of_the_cloud(self) -> bool {
        matches!(self, Self::Athena | Self::Redshift | Self::Snowflake)
    }

    /// The features of readers that it is known to know. Of others its documents are silent, or
    /// disagree.
    fn knows(self) -> &'static [&'static str] {
        match self {
            // Delta's documents, "How does Delta Lake manage feature compatibility?".
            Self::Spark => &[
                "columnMapping",
                "deletionVectors",
                "timestampNtz",
                "typeWidening",
                "v2Checkpoint",
                "vacuumProtocolCheck",
                "variantType",
            ],
            // Trino's documents of the connector, "Table features".
            Self::Trino => &[
                "columnMapping",
                "deletionVectors",
                "timestampNtz",
                "typeWidening",
                "v2Checkpoint",
                "vacuumProtocolCheck",
            ],
            // Vectors and times were run (tests/interop); the others are in the kernel's documents.
            Self::DuckDb => &[
                "columnMapping",
                "deletionVectors",
                "timestampNtz",
                "v2Checkpoint",
                "vacuumProtocolCheck",
            ],
            // Its release notes of 2026-03-02.
            Self::Snowflake => &["deletionVectors"],
            // One translated page of Athena names vectors, others do not. Redshift reads lists of
            // files and knows no log.
            Self::Athena | Self::Redshift => &[],
        }
    }

    /// What it makes of a feature of readers.
    fn of_feature(self, feature: &str) -> Verdict {
        match self {
            _ if self.knows().contains(&feature) => Verdict::Reads,
            // Masked rows would come back.
            Self::Redshift => Verdict::Refuses,
            _ => Verdict::Untold,
        }
    }

    /// What it makes of a table, and what of it decides that.
    fn verdict(
        self,
        table: &TableSpec,
        protocol: &ProtocolStatus,
        place: StoreKind,
    ) -> (Verdict, String) {
        if place == StoreKind::File && self.is_of_the_cloud() {
            return (Verdict::Refuses, ON_A_DISK.to_owned());
        }
        if self == Self::Redshift && !table.redshift_manifest {
            return (Verdict::Refuses, "it has no manifest".to_owned());
        }
        let asked = asked_of_readers(protocol);
        let of = |verdict| asked.iter().find(|name| self.of_feature(name) == verdict);
        for verdict in [Verdict::Refuses, Verdict::Untold] {
            if let Some(feature) = of(verdict) {
                return (verdict, (*feature).to_owned());
            }
        }
        (Verdict::Reads, String::new())
    }
}

/// The features that the protocol asks readers to know.
fn asked_of_readers(protocol: &ProtocolStatus) -> Vec<&str> {
    const OF_READERS: [&str; 13] = [
        "catalogManaged",
        "catalogOwned-preview",
        "columnMapping",
        "deletionVectors",
        "timestampNtz",
        "typeWidening",
        "typeWidening-preview",
        "v2Checkpoint",
        "vacuumProtocolCheck",
        "variantShredding",
        "variantShredding-preview",
        "variantType",
        "variantType-preview",
    ];
    match protocol.reader {
        ..=1 => Vec::new(),
        2 => vec!["columnMapping"],
        _ => {
            let listed = protocol.features.iter().map(String::as_str);
            listed.filter(|name| OF_READERS.contains(name)).collect()
        }
    }
}

/// Compares a table's protocol with readers; `needed` are those that must be able to read it.
pub(super) fn compare(
    spec: &TableSpec,
    protocol: &ProtocolStatus,
    place: StoreKind,
    needed: &[Reader],
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut told: BTreeMap<(Severity, String), Vec<&str>> = BTreeMap::new();
    for reader in Reader::ALL {
        let is_needed = needed.contains(&reader);
        // Who is to read it otherwise is a matter of the configuration, and of where the lake is.
        let is_out_of_reach = place == StoreKind::File && reader.is_of_the_cloud();
        let lacks_manifest = reader == Reader::Redshift && !spec.redshift_manifest;
        if !is_needed && (is_out_of_reach || lacks_manifest) {
            continue;
        }
        let (verdict, because) = reader.verdict(spec, protocol, place);
        let severity = match (verdict, is_needed) {
            (Verdict::Reads, _) => continue,
            (Verdict::Refuses, true) => Severity::Problem,
            (Verdict::Untold, true) => Severity::Unknown,
            (_, false) => Severity::Note,
        };
        let what = match verdict {
            Verdict::Untold => {
                format!("it is not known whether they read it, because of {because}: ")
            }
            _ => format!("they do not read it, because of {because}: "),
        };
        told.entry((severity, what)).or_default().push(reader.name());
    }
    for ((severity, what), readers) in told {
        let what = format!("{what}{}", readers.join(", "));
        let finding = Finding::new(severity, Check::Readers, what).of(&spec.source);
        findings.push(advised(finding, spec, protocol));
    }
    if findings.is_empty() {
        let readers = Reader::ALL.into_iter();
        let reads = |reader: &Reader| reader.verdict(spec, protocol, place).0 == Verdict::Reads;
        let names: Vec<&str> = readers.filter(reads).map(Reader::name).collect();
        let ProtocolStatus { reader, writer, .. } = protocol;
        let what = format!("reader {reader}, writer {writer}: {}", names.join(", "));
        findings.push(Finding::new(Severity::Ok, Check::Readers, what).of(&spec.source));
    }
    findings
}

fn advised(finding: Finding, spec: &TableSpec, protocol: &ProtocolStatus) -> Finding {
    if finding.what.contains(ON_A_DISK) {
        return finding
            .with_advice("they read from buckets: put the lake on S3")
            .then("dmslake help readers");
    }
    if asked_of_readers(protocol).contains(&"deletionVectors") {
        let maintain = format!("dmslake maintain --table {}", spec.source);
        return finding
            .with_advice(
                "for readers without deletion vectors set merge = \"copy-on-write\"; the next \
                 maintenance then writes masked files anew and lowers the protocol",
            )
            .then(maintain);
    }
    if !spec.redshift_manifest && asked_of_readers(protocol).is_empty() {
        return finding
            .with_advice("set redshift_manifest = true in its [[table]], and apply")
            .then(format!("dmslake apply --table {}", spec.source));
    }
    finding
        .with_advice("another writer has added that: see what it is good for")
        .then(format!("dmslake history {}", spec.source))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load::parse;

    fn table(more: &str) -> TableSpec {
        let text = format!(
            "staging = \"s3://b/s\"\nlake = \"s3://b/l\"\n[[table]]\nsource = \"shop.t\"\nkeys = [\"id\"]\n{more}"
        );
        parse(&text).expect("a configuration").tables.remove(0)
    }

    fn protocol(reader: i32, features: &[&str]) -> ProtocolStatus {
        let features = features.iter().map(ToString::to_string).collect();
        ProtocolStatus { reader, writer: if reader == 3 { 7 } else { 2 }, features }
    }

    fn compared(spec: &TableSpec, protocol: &ProtocolStatus, needed: &[Reader]) -> Vec<Finding> {
        compare(spec, protocol, StoreKind::S3, needed)
    }

    fn told(
        spec: &TableSpec,
        protocol: &ProtocolStatus,
        needed: &[Reader],
    ) -> Vec<(Severity, String)> {
        compared(spec, protocol, needed).into_iter().map(|it| (it.severity, it.what)).collect()
    }

    #[test]
    fn what_every_reader_reads_is_fine() {
        let found = compared(&table(""), &protocol(1, &[]), &[Reader::Athena, Reader::Trino]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].severity, Severity::Ok);
        assert!(found[0].what.contains("Athena") && !found[0].what.contains("Redshift"));
        // Features of writers ask nothing of readers.
        let found = compared(&table(""), &protocol(3, &["appendOnly", "invariants"]), &[]);
        assert_eq!(found[0].severity, Severity::Ok);
    }

    #[test]
    fn a_reader_that_is_needed_is_a_problem_where_it_refuses_and_unknown_where_none_tells() {
        let vectors = protocol(3, &["deletionVectors"]);
        let spec = table("merge = \"deletion-vectors\"");
        let found = told(&spec, &vectors, &[]);
        let [(Severity::Note, what)] = &found[..] else { panic!("{found:?}") };
        assert!(what.ends_with("because of deletionVectors: Athena"), "{what}");
        let found = told(&spec, &vectors, &[Reader::Athena, Reader::Redshift]);
        let [(Severity::Problem, redshift), (Severity::Unknown, athena)] = &found[..] else {
            panic!("{found:?}")
        };
        assert!(redshift.ends_with("Redshift") && athena.ends_with("Athena"), "{found:?}");
        let found = told(&spec, &vectors, &[Reader::Spark, Reader::DuckDb, Reader::Snowflake]);
        assert_eq!(found.len(), 1, "only the note about Athena: {found:?}");
    }

    #[test]
    fn redshift_needs_a_manifest() {
        let plain = protocol(1, &[]);
        let found = compared(&table(""), &plain, &[Reader::Redshift]);
        assert_eq!(found[0].severity, Severity::Problem);
        assert!(found[0].remedy.as_ref().is_some_and(|it| it.contains("redshift_manifest = true")));
        let found = compared(&table("redshift_manifest = true"), &plain, &[Reader::Redshift]);
        assert_eq!(found[0].severity, Severity::Ok, "{found:?}");
    }

    #[test]
    fn who_reads_buckets_reads_no_disk() {
        let of =
            |needed: &[Reader]| compare(&table(""), &protocol(1, &[]), StoreKind::File, needed);
        let fine = of(&[Reader::Spark]);
        assert_eq!((fine.len(), fine[0].severity), (1, Severity::Ok));
        assert_eq!(
            fine[0].what,
            "reader 1, writer 2: Spark (Delta 4.0), Trino (476), DuckDB (1.5)"
        );
        let refused = of(&[Reader::Athena, Reader::Snowflake]);
        assert_eq!((refused.len(), refused[0].severity), (1, Severity::Problem));
        assert!(refused[0].what.ends_with("on a disk: Athena, Snowflake"), "{refused:?}");
    }
}
