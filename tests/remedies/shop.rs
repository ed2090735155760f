//! A folder with staging, lake and a table whose load is staged byte by byte.

use std::sync::Arc;

use dmslake::clock::SystemClock;
use dmslake::config::load;
use dmslake::pipeline::{Limits, Pipeline, Scope, Silent, TableReport};
use tempfile::TempDir;

/// `shop.items (id bigint, note longtext)`, with additional configuration.
pub(super) struct Shop {
    folder: TempDir,
    settings: String,
    defaults: String,
}

impl Shop {
    /// Adds one line of configuration: to the defaults of tables, or a memory setting at the top.
    pub(super) fn with(line: &str) -> Self {
        let (settings, defaults) =
            if line.starts_with("memory_budget") { (line, "") } else { ("", line) };
        Self {
            folder: TempDir::new().unwrap(),
            settings: settings.to_owned(),
            defaults: defaults.to_owned(),
        }
    }

    pub(super) fn stage(&self, name: &str, bytes: &[u8]) {
        let folder = self.folder.path().join("staging/shop/items");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(name), bytes).unwrap();
    }

    pub(super) async fn apply(&self) -> TableReport {
        let root = self.folder.path().display();
        let Self { settings, defaults, .. } = self;
        let budget = if settings.is_empty() { "memory_budget = 1000000" } else { settings };
        let settings = load::parse(&format!(
            "staging = \"{root}/staging\"\nlake = \"{root}/lake\"\n{budget}\n[defaults]\n{defaults}\n\
             [[table]]\nsource = \"shop.items\"\nkeys = [\"id\"]\ncolumns = [\n\
             {{ name = \"id\", type = \"bigint\" }},\n{{ name = \"note\", type = \"longtext\" }},\n]\n"
        ))
        .unwrap();
        let pipeline = Pipeline::open(settings, Arc::new(SystemClock)).await.unwrap();
        let table = pipeline.settings().tables[0].clone();
        pipeline.apply(&table, &Scope::Everything, &Limits::default(), &Silent).await
    }
}
