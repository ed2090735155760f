//! Events, configurations and commit records.

use dmslake::config::{Expansion, Lock, LockedTable, TableName, load, refused_column_name};
use dmslake::error::ErrorKind;
use dmslake::event::{Invocation, parse};
use dmslake::progress::CommitRecord;
use serde_json::{Value, json};

/// An event means the same alone and inside a queue's message.
pub(crate) fn events(bytes: &[u8]) {
    let Ok(event) = serde_json::from_slice::<Value>(bytes) else { return };
    let Invocation::Direct(content) = parse(&event) else { return };
    let body = event.to_string();
    let record = json!({ "messageId": "a", "eventSource": "aws:sqs", "body": body });
    match parse(&json!({ "Records": [record] })) {
        Invocation::Queue(messages) => {
            assert_eq!(messages.len(), 1);
            assert_eq!(messages[0].id, "a");
            assert_eq!(messages[0].content.is_ok(), content.is_ok(), "{body}");
            if let (Ok(one), Ok(other)) = (&messages[0].content, &content) {
                assert_eq!(one, other, "{body}");
            }
        }
        Invocation::Direct(content) => panic!("a queue's batch is {content:?}: {body}"),
    }
}

/// A configuration is refused with a reason, or every table in it can be applied.
pub(crate) fn configuration(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    // Whatever patterns there are, some of these tables match.
    let locked = |keys: &[&str]| LockedTable {
        keys: Some(keys.iter().map(|&key| key.to_owned()).collect()),
        ..LockedTable::default()
    };
    let name = |table: &str| TableName { schema: "shop".into(), table: table.into() };
    let tables = [(name("orders"), locked(&["id"])), (name("log"), locked(&[]))];
    let lock = Lock { tables: tables.into() };
    expanded(text, Expansion::Refused);
    expanded(text, Expansion::ByLock(&lock));
}

fn expanded(text: &str, expansion: Expansion<'_>) {
    match load::parse_expanded(text, expansion) {
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Config, "{}", error.chain());
            assert!(!error.message().is_empty());
        }
        Ok(settings) => {
            assert!(!settings.staging.is_empty() && !settings.lake.is_empty());
            for (position, table) in settings.tables.iter().enumerate() {
                assert_eq!(table.keys.is_empty(), table.append_only, "{}", table.source);
                let others = &settings.tables[..position];
                assert!(others.iter().all(|other| other.source != table.source));
                for column in &table.columns {
                    let name = table.lake_name(&column.name);
                    assert_eq!(refused_column_name(name), None, "{}", table.source);
                }
            }
        }
    }
}

/// What can be read from a log is written as it was, and read back as the same.
pub(crate) fn records(bytes: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else { return };
    match CommitRecord::from_json(&value) {
        Err(error) => {
            let format = value.get("format").and_then(Value::as_u64);
            let is_newer = format.is_some_and(|format| format > u64::from(CommitRecord::FORMAT));
            let kind = if is_newer { ErrorKind::TableRefused } else { ErrorKind::TableCorrupt };
            assert_eq!(error.kind(), kind, "{}", error.chain());
        }
        Ok(record) => {
            let written = record.to_json().unwrap();
            let again = CommitRecord::from_json(&written).unwrap();
            assert_eq!(again, record);
            assert_eq!(again.to_json().unwrap(), written);
        }
    }
}
