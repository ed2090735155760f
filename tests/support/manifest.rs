//! Checks a symlink manifest against the Delta library's list of files and the store.

use std::collections::BTreeSet;

use dmslake::storage::Location;
use dmslake::table;
use object_store::ObjectStoreExt;
use object_store::path::Path;

/// The path of the manifest of the table at this location.
pub(crate) fn path(table: &Location) -> Path {
    table.prefix().clone().join("_symlink_format_manifest").join("manifest")
}

pub(crate) async fn text(table: &Location) -> String {
    let found = table.store().get(&path(table)).await.expect("there is a manifest");
    String::from_utf8(found.bytes().await.expect("it can be read").to_vec()).expect("text")
}

/// Panics unless it lists each live file of the newest version once, by a literal URI that leads to
/// it.
pub(crate) async fn check(location: &Location) {
    let table = table::load(location).await.expect("the log can be read").expect("a table");
    let log = table.snapshot().expect("a snapshot").log_data();
    let live: BTreeSet<String> = log.iter().map(|file| file.path().to_string()).collect();
    let text = text(location).await;
    let bucket = text.find(location.prefix().as_ref()).unwrap_or_default();
    let mut named = BTreeSet::new();
    for uri in text.lines() {
        let path = Path::parse(&uri[bucket..]).expect("a path as it is stored");
        location.store().head(&path).await.expect("it names what is there");
        let file = path.prefix_match(location.prefix()).expect("a file of the table");
        let file: Vec<String> = file.map(|part| part.as_ref().to_owned()).collect();
        assert!(named.insert(file.join("/")), "{uri} is named twice");
    }
    assert_eq!(named, live, "the manifest of version {:?}", table.version());
}
