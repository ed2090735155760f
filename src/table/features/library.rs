//! Protocols as the library is shown them, and with one feature more.

use deltalake::DeltaResult;
use deltalake::kernel::Protocol;
use serde_json::{Value, json};

/// Features that the library itself acts upon.
const OF_LIBRARY: [&str; 2] = ["appendOnly", "deletionVectors"];

/// What a writer version implies, by the version that brought it.
const IMPLIED: [(i32, &str); 7] = [
    (2, "appendOnly"),
    (2, "invariants"),
    (3, "checkConstraints"),
    (4, "changeDataFeed"),
    (4, "generatedColumns"),
    (5, "columnMapping"),
    (6, "identityColumns"),
];

/// The protocol without what has been judged here already. The library refuses a commit for
/// features that it cannot keep, used or not, and which those are depends on how it was built.
pub(crate) fn without_judged(protocol: &Protocol) -> DeltaResult<Protocol> {
    let (reader, writer) = (protocol.min_reader_version(), protocol.min_writer_version());
    if writer < 7 {
        return Ok(serde_json::from_value(json!({
            "minReaderVersion": 1,
            "minWriterVersion": writer.min(2),
        }))?);
    }
    let mut shown = serde_json::to_value(protocol)?;
    for list in ["readerFeatures", "writerFeatures"] {
        if let Some(features) = shown.get_mut(list).and_then(Value::as_array_mut) {
            features.retain(|name| OF_LIBRARY.iter().any(|known| name == known));
        }
    }
    if reader == 2 {
        shown["minReaderVersion"] = json!(1);
    }
    Ok(serde_json::from_value(shown)?)
}

/// The protocol with a feature that readers must know; all that it has or implies stays.
pub(crate) fn with_feature(protocol: &Protocol, feature: &str) -> DeltaResult<Protocol> {
    let names = |features: Option<&[_]>| -> Vec<String> {
        features.into_iter().flatten().map(ToString::to_string).collect()
    };
    let writer = protocol.min_writer_version();
    let mut writers = match writer {
        7.. => names(protocol.writer_features()),
        _ => implied(|version| version <= writer),
    };
    let mut readers = match protocol.min_reader_version() {
        3.. => names(protocol.reader_features()),
        2 => vec!["columnMapping".to_owned()],
        _ => Vec::new(),
    };
    for list in [&mut readers, &mut writers] {
        if !list.iter().any(|name| name == feature) {
            list.push(feature.to_owned());
        }
    }
    Ok(serde_json::from_value(json!({
        "minReaderVersion": 3,
        "minWriterVersion": 7,
        "readerFeatures": readers,
        "writerFeatures": writers,
    }))?)
}

fn implied(is_implied: impl Fn(i32) -> bool) -> Vec<String> {
    let names = IMPLIED.iter().filter(|(version, _)| is_implied(*version));
    names.map(|(_, name)| (*name).to_owned()).collect()
}
