//! Checks of what tables offer to readers beside their log.

use crate::config::catalog_names::refused_names;
use crate::config::fields::{Place, Violations};
use crate::config::{CatalogSettings, MergeMode, TableSpec};
use crate::storage::is_on_s3;

/// Checks the names of tables in a catalogue that dmslake writes to.
pub(super) fn names_in_catalogs(
    tables: &[(Place, TableSpec)],
    catalog: &CatalogSettings,
    violations: &Violations,
) {
    if !catalog.glue {
        return;
    }
    let specs: Vec<&TableSpec> = tables.iter().map(|(_, spec)| spec).collect();
    for refused in refused_names(&specs, catalog) {
        let (place, spec) = &tables[refused.position];
        let key = if spec.name.is_some() { "name" } else { "source" };
        violations.add(place.field(key), refused.sentence);
    }
}

/// Checks that manifests are kept only where they can be right: masked rows would reappear in them,
/// and Redshift reads objects on S3 only.
pub(super) fn manifests(tables: &[(Place, TableSpec)], lake: &str, violations: &Violations) {
    for (place, spec) in tables.iter().filter(|(_, spec)| spec.redshift_manifest) {
        let why = if spec.merge != MergeMode::CopyOnWrite {
            "true contradicts merge: a manifest names whole files, so rows masked by deletion \
             vectors would reappear; allowed: true only with merge = \"copy-on-write\""
        } else if !is_on_s3(lake) {
            "true is not allowed; allowed: true only for a lake on S3, from which Redshift reads"
        } else {
            continue;
        };
        violations.add(place.field("redshift_manifest"), why);
    }
}
