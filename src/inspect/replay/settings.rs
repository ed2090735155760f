//! The settings by which a table is applied again.

use crate::config::{
    CatalogSettings, HandOverSettings, MaxBadRows, MaxChangeFraction, OnForeignCommit,
    OnObjectsVanished, OnReload, Settings, TableSpec,
};
use crate::progress::Ledger;

/// The settings of a replay of one table: rows come about as configured, but nothing is told to
/// readers or left to jobs, and no limit holds the table. An operator has let pass what exceeded
/// one, or it was set later.
pub(in crate::inspect) fn settings_of_replay(
    settings: &Settings,
    spec: &TableSpec,
    ledger: Option<&Ledger>,
) -> Settings {
    // Where changes were applied to no load, that was accepted.
    let is_without_load = ledger.is_some_and(|it| it.load.count == 0 && it.cdc.watermark.is_some());
    let spec = TableSpec {
        max_bad_rows: MaxBadRows { count: u64::MAX, share: 1.0 },
        max_change_fraction: MaxChangeFraction::default(),
        on_foreign_commit: OnForeignCommit::Report,
        on_reload: OnReload::Hold,
        on_objects_vanished: OnObjectsVanished::Ignore,
        redshift_manifest: false,
        cdc_only: spec.cdc_only || is_without_load,
        ..spec.clone()
    };
    Settings {
        tables: vec![spec],
        patterns: Vec::new(),
        hand_over: HandOverSettings::default(),
        catalog: CatalogSettings::default(),
        ..settings.clone()
    }
}
