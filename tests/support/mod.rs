//! Shared test code: the model, the DMS writer, faults, stand-ins for services.
//!
//! The model and the writer do not use the library's decoding, ordering or merging, because they
//! are the reference for them.

pub(crate) mod audit;
pub(crate) mod clock;
pub(crate) mod collector;
pub(crate) mod column;
pub(crate) mod deletion_vectors;
pub(crate) mod dms_writer;
pub(crate) mod events;
pub(crate) mod folder;
pub(crate) mod glue;
pub(crate) mod glue_server;
pub(crate) mod history;
pub(crate) mod hooked_store;
pub(crate) mod http_server;
pub(crate) mod judge;
pub(crate) mod lake;
pub(crate) mod manifest;
pub(crate) mod mariadb;
pub(crate) mod marks;
pub(crate) mod merge_builder;
pub(crate) mod model;
pub(crate) mod moto;
pub(crate) mod other_writer;
pub(crate) mod parquet_file;
pub(crate) mod property;
pub(crate) mod runtime_api;
pub(crate) mod script;
pub(crate) mod spread;
pub(crate) mod staged;
pub(crate) mod statistics;
pub(crate) mod stopper;
pub(crate) mod table;
pub(crate) mod world;
