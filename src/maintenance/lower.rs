//! Giving up the protocol that deletion vectors need, once nothing is masked any more.
//!
//! Old versions keep their own protocol and their vectors until vacuum, so time travel to them
//! still takes a reader that knows deletion vectors.

use std::collections::HashMap;

use deltalake::TableProperty;
use deltalake::kernel::{Action, Protocol};
use serde_json::{Value, json};

use crate::config::MergeMode;
use crate::error::{Error, ErrorKind, Result};
use crate::maintenance::alteration::Alteration;
use crate::maintenance::live_file::LiveFile;
use crate::table::LakeTable;

const VECTORS: &str = "deletionVectors";
/// Features that every writer of protocol writer 2 knows.
const OF_WRITER_2: [&str; 2] = ["appendOnly", "invariants"];

/// What would lower the table's protocol; none if it has no vectors to give up, or uses them.
///
/// # Errors
/// `TableCorrupt` if the protocol in the log is none.
pub(super) fn choose(
    table: &LakeTable,
    files: &[LiveFile],
    mode: MergeMode,
) -> Result<Option<Alteration>> {
    let snapshot = table.delta().snapshot()?;
    let protocol = serde_json::to_value(snapshot.protocol()).map_err(unreadable)?;
    let has_vectors = features(&protocol, "writerFeatures").iter().any(|name| name == VECTORS);
    if mode != MergeMode::CopyOnWrite
        || !has_vectors
        || files.iter().any(|file| file.add.deletion_vector.is_some())
    {
        return Ok(None);
    }
    let (lowered, reason) = lowered(&protocol);
    let lowered: Protocol = serde_json::from_value(lowered).map_err(unreadable)?;
    let property = TableProperty::EnableDeletionVectors.as_ref().to_owned();
    let properties = HashMap::from([(property, "false".to_owned())]);
    let mut due = Alteration::of_properties(snapshot.metadata(), properties, reason)?;
    due.actions.push(Action::Protocol(lowered));
    Ok(Some(due))
}

/// The protocol without deletion vectors, and why it is no lower.
fn lowered(protocol: &Value) -> (Value, String) {
    let rest = |list| {
        let mut features = features(protocol, list);
        features.retain(|name| name != VECTORS);
        features
    };
    // What readers must know is in both lists.
    let (readers, writers) = (rest("readerFeatures"), rest("writerFeatures"));
    let others: Vec<&str> =
        writers.iter().map(String::as_str).filter(|name| !OF_WRITER_2.contains(name)).collect();
    let lowered = match (others.is_empty(), readers.is_empty()) {
        (true, _) => json!({ "minReaderVersion": 1, "minWriterVersion": 2 }),
        (false, true) => {
            json!({ "minReaderVersion": 1, "minWriterVersion": 7, "writerFeatures": writers })
        }
        (false, false) => json!({
            "minReaderVersion": 3,
            "minWriterVersion": 7,
            "readerFeatures": readers,
            "writerFeatures": writers,
        }),
    };
    let (reader, writer) = (&lowered["minReaderVersion"], &lowered["minWriterVersion"]);
    let need = if others.is_empty() {
        String::new()
    } else {
        format!(", which {} need", others.join(", "))
    };
    let reason = format!(
        "no row is masked and the table is merged by copy-on-write: reader {reader} / writer \
         {writer} will do{need}"
    );
    (lowered, reason)
}

fn features(protocol: &Value, list: &str) -> Vec<String> {
    let names = protocol.get(list).and_then(Value::as_array).into_iter().flatten();
    names.filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

fn unreadable(error: serde_json::Error) -> Error {
    Error::new(ErrorKind::TableCorrupt, "the table's protocol is none").because(error)
}
