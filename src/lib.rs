//! dmslake: changes that AWS DMS captured from MySQL become exact, transactional Delta tables.
//!
//! # From another program
//!
//! The names at the root are what a program needs that applies tables by itself. Here a folder
//! takes the place of two buckets:
//!
//! ```
//! use std::fs;
//! use std::sync::Arc;
//!
//! use dmslake::{Limits, Pipeline, Scope, Silent, Status, SystemClock, parse_settings};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let home = tempfile::tempdir()?;
//! let root = home.path().display();
//! // A full load as DMS writes it: one row a line, without `Op`.
//! fs::create_dir_all(home.path().join("staging/shop/orders"))?;
//! let load = home.path().join("staging/shop/orders/LOAD00000001.csv");
//! fs::write(load, "1,tea,3.50\n2,\"coffee, black\",4.00\n")?;
//!
//! let settings = parse_settings(&format!(
//!     r#"
//!     staging = "{root}/staging"
//!     lake = "{root}/lake"
//!
//!     [[table]]
//!     source = "shop.orders"
//!     keys = ["id"]
//!     columns = [
//!       {{ name = "id", type = "bigint unsigned", nullable = false }},
//!       {{ name = "item", type = "varchar(40)" }},
//!       {{ name = "price", type = "decimal(10,2)" }},
//!     ]
//!     "#
//! ))?;
//! let pipeline = Pipeline::open(settings, Arc::new(SystemClock)).await?;
//! for table in &pipeline.settings().tables {
//!     let (scope, limits) = (Scope::Everything, Limits::default());
//!     let report = pipeline.apply(table, &scope, &limits, &Silent).await;
//!     assert_eq!(report.status, Status::Ok);
//!     assert_eq!((report.objects, report.counts.rows, report.counts.inserted), (1, 2, 2));
//!     // Again: nothing is pending, so nothing is committed.
//!     let again = pipeline.apply(table, &scope, &limits, &Silent).await;
//!     assert_eq!((again.objects, again.version), (0, report.version));
//! }
//! # Ok(())
//! # }
//! ```
//!
//! **What may be relied on**: these names, and the modules [`clock`], [`config`],
//! [`disposition`], [`error`], [`pipeline`] and [`version`]. All others are internal: public for
//! the tests, benchmarks and binaries of this crate alone, they may change without notice.
//!
//! # The path of a batch
//!
//! A map of the crate in the order in which changes travel. To read it, begin with
//! [`pipeline`], then follow the map downwards.
//!
//! ```text
//! an event, a schedule, `dmslake apply`
//!   │   lambda, cli ......... the only callers of the pipeline
//!   ▼
//! event ..................... doorbells: which tables to look at, and nothing else
//!   ▼
//! pipeline .................. look, decide, read, change, merge, commit: names every stage
//!   │
//!   ├─ dms .................. object names, operations, MySQL's types: what DMS writes
//!   ├─ staging .............. what is there: lists, orders and identifies staged objects
//!   ├─ decode ............... what it says: staged objects become batches
//!   │    schema ............. what an object may change about the table's columns
//!   │    quarantine ......... where rows go that cannot be decoded
//!   ├─ change ............... batches become net changes: one last change per key
//!   ├─ merge ................ net changes meet the table: a plan, then one commit
//!   │    files .............. data files: written, read, rewritten, masked
//!   │    table .............. the Delta table: opened, made, changed; the one commit door
//!   └─ progress ............. what that commit says about itself: objects, books, ledger;
//!                             the next application begins by reading it
//!
//! tombstones ................ beside it: what a guarded table remembers of deleted rows
//! readers ................... after it: manifests and entries for readers that need more than the log
//! maintenance ............... beside the path: compaction, purge, checkpoint, vacuum
//! inspect ................... instead of it: how tables stand, what happened to them, and why
//! forget .................... rows of keys go from every version that is kept
//! metrics ................... after a run: what it measured, for CloudWatch, OpenTelemetry, Prometheus
//! ```
//!
//! | stage | from | to | where |
//! |---|---|---|---|
//! | event | JSON of any shape | tables, and objects that were named | [`event::parse`], [`event::route()`] |
//! | object names | keys below a table's folder | full load, change object, foreign, …, in order | [`dms::classify`], [`staging::list_everything`] |
//! | look | log, listing and ledger | caught up, objects to apply, or a hold | [`Pipeline::look`], [`progress::pending()`] |
//! | batch | an object's bytes | typed rows with operation and row number | [`decode::open()`] |
//! | net changes | the rows of a slice | at most one upsert or delete per key | [`change::net_changes`] |
//! | merge | net changes and a snapshot | the fate of each: inserted, updated, deleted, ignored | [`merge::plan`] |
//! | commit | a plan and a record | one Delta commit with rows, `txn` and ledger | [`merge::commit`], [`table::Transaction`] |
//!
//! A *slice* is what one commit takes in: whole objects, or a range of rows of one that is too
//! large, within the memory budget. Beside the path are [`config`] (what a user writes),
//! [`storage`] (S3 or a disk), [`clock`] (the only door to time, randomness and ids), [`price`]
//! (what requests and time cost), and [`error`] with [`disposition`] (what can go wrong, and the one
//! table of what follows).
//!
//! # Guarantees
//!
//! - **Each staged object is applied once.** Its rows and the note that it was applied are in
//!   one Delta commit; the `txn` of every commit makes any two of ours on one version conflict.
//! - **In order.** Full load before changes, change objects by the stamps in their names, rows
//!   by their position; never by the commit timestamp.
//! - **Events may come twice, late, out of order or never.** What is applied follows from
//!   staging and from the ledger alone; a sweep finds what no event named.
//! - **A crash or a lost answer at any write** leaves the table as it was or as it should be,
//!   and the next application goes on from there.
//! - **Nothing is guessed.** A late object, a reload, a refused schema or a bad row holds its
//!   table at the last good commit and names the remedy; the other tables go on. Each
//!   run derives the hold again. What was seen and not applied is remembered, so that nothing can
//!   vanish unnoticed.
//! - **`ok` means complete.** No table is begun from part of it, by wrong keys, or gone on with
//!   where another writer has put its rows back: [`table::TableState`] remembers what goes away
//!   with a table's folder or with what is staged.
//! - **The books balance.** `rows = inserted + updated + deleted + superseded + ignored +
//!   quarantined` is checked before a commit; that the table grew by `inserted - deleted`, after
//!   it, against the record counts of the log.
//!
//! `README.md` names the test of each; [`guide`] is for those who run it, and has the
//! [limits](guide::limits).

// The interface of this crate.
pub mod clock;
pub mod config;
pub mod disposition;
pub mod error;
pub mod guide;
pub mod pipeline;
pub mod version;

// Internal: public for the tests, benchmarks and binaries of this crate alone, and may change
// without notice.
pub mod change;
#[cfg(feature = "cli")]
pub mod cli;
pub mod decode;
pub mod dms;
pub mod event;
pub mod files;
#[cfg(feature = "cli")]
pub mod forget;
pub mod glue;
pub mod inspect;
pub mod lambda;
pub mod maintenance;
pub mod memory;
pub mod merge;
pub mod metrics;
#[cfg(feature = "cli")]
pub(crate) mod mysql;
pub mod panics;
pub mod price;
pub mod progress;
pub mod quarantine;
pub mod readers;
pub mod schema;
pub mod staging;
pub mod storage;
pub mod table;
pub mod tombstones;

mod limits;
mod log_filter;
mod nearest;
mod packed;
mod session;

pub use clock::SystemClock;
pub use config::Settings;
pub use config::load::parse as parse_settings;
pub use error::{Error, ErrorKind};
pub use pipeline::{Limits, Pipeline, Scope, Silent, Status, TableReport};
