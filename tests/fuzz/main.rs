//! Coverage-guided fuzzing of everything that reads what others wrote: one program, whose target
//! `DMSLAKE_FUZZ` names. `tests/fuzz/run` builds and runs it; see `tests/README.md`.

#![no_main]
#![allow(clippy::unwrap_used, reason = "a target ends at the first surprise")]

#[allow(dead_code, unused_imports, reason = "only its chunks are used here")]
#[path = "../support/hooked_store/mod.rs"]
mod hooked_store;
mod memory;
mod names;
mod objects;
mod texts;

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;

type Target = fn(&[u8]);

const TARGETS: [(&str, Target); 6] = [
    ("names", names::names),
    ("csv", objects::csv),
    ("parquet", objects::parquet),
    ("events", texts::events),
    ("configuration", texts::configuration),
    ("records", texts::records),
];

static TARGET: OnceLock<Target> = OnceLock::new();

fn choose() {
    let asked = std::env::var("DMSLAKE_FUZZ").unwrap_or_default();
    let target = TARGETS.iter().find(|(name, _)| *name == asked);
    let (_, target) = target.unwrap_or_else(|| panic!("DMSLAKE_FUZZ={asked} names no target"));
    TARGET.set(*target).expect("chosen once");
    // Panics of Parquet's reader are caught by the product; one that is not still ends the run.
    std::panic::set_hook(Box::new(|panic| {
        if std::env::var_os("DMSLAKE_FUZZ_PANICS").is_some() {
            eprintln!("{panic}");
        }
    }));
}

fuzz_target!(init: choose(), |bytes: &[u8]| {
    TARGET.get().expect("chosen at first")(bytes);
});
