//! The documents say what is so: their configurations, commands, links, tables of errors and keys
//! are held against the program, and the README stays short.

mod markdown;

use std::path::{Component, Path, PathBuf};

use dmslake::config::load::{has_patterns, parse, parse_expanded};
use dmslake::config::{Expansion, Lock, TableName};
use dmslake::disposition::{Action, disposition};
use dmslake::error::ErrorKind;
use dmslake::maintenance::MaintenanceReport;
use dmslake::pipeline::TableReport;
use dmslake::progress::CommitRecord;
use dmslake::table::TableState;
use serde_json::Value as Json;
use toml::{Table, Value};

use markdown::{Document, commands, root};

/// Where documents are.
const FOLDERS: [&str; 9] = [
    "",
    ".github",
    "infra",
    "src/guide",
    "tests",
    "tests/bench",
    "tests/e2e",
    "tests/e2e/dms",
    "tests/interop",
];
/// How a TOML block begins that shows some keys only; what a whole file needs is added to it.
const PART: &str = "# part of dmslake.toml";
const LONGEST_LINE: usize = 400;

fn guide() -> Vec<Document> {
    let pages = Document::all_in(&["src/guide"]);
    assert_eq!(pages.len(), 9, "as src/guide/mod.rs and `dmslake help` have it");
    pages
}

fn readme_and_guide() -> Vec<Document> {
    let mut documents = guide();
    documents.push(Document::open("README.md"));
    documents
}

#[test]
fn the_readme_is_short_and_no_line_is_long() {
    let readme = Document::open("README.md");
    assert!(readme.text.lines().count() <= 200, "{} lines", readme.text.lines().count());
    assert!(readme.text.len() <= 12 << 10, "{} bytes", readme.text.len());
    for document in readme_and_guide() {
        for (number, line) in (1..).zip(document.text.lines()) {
            let length = line.chars().count();
            assert!(length <= LONGEST_LINE, "{}:{number}: {length} characters", document.name());
        }
    }
}

#[test]
fn every_configuration_is_one() {
    let mut found = 0;
    for document in Document::all_in(&FOLDERS) {
        let blocks = document.blocks().into_iter();
        for block in blocks.filter(|block| block.language == "toml") {
            let text =
                if block.text.starts_with(PART) { whole(&block.text) } else { block.text.clone() };
            // The tables of a pattern are in no document.
            let read = if has_patterns(&text) {
                parse_expanded(&text, Expansion::Nothing)
            } else {
                parse(&text)
            };
            assert!(read.is_ok(), "{}: {}\n{read:?}", document.name(), block.text);
            found += 1;
        }
    }
    assert!(found >= 8, "{found} configurations");
}

/// A part with what every file must have.
fn whole(part: &str) -> String {
    let mut file: Table = part.parse().unwrap_or_else(|error| panic!("{error}\n{part}"));
    let table: Table = "source = \"shop.orders\"\nkeys = [\"id\"]".parse().expect("a table");
    file.entry("staging").or_insert_with(|| "staging".into());
    file.entry("lake").or_insert_with(|| "lake".into());
    file.entry("table").or_insert_with(|| Value::Array(vec![Value::Table(table)]));
    file.to_string()
}

#[test]
fn every_key_of_the_configuration_is_in_the_guide() {
    let page = Document::open("src/guide/configuration.md");
    let misspelled = "
        zzz = 0
        staging = \"staging\"
        lake = \"lake\"
        dms = { zzz = 0 }
        look_back = { zzz = 0 }
        maintain = { zzz = 0 }
        hand_over = { zzz = 0 }
        metrics = { zzz = 0 }
        catalog = { zzz = 0 }
        [defaults]
        zzz = 0
        max_bad_rows = { zzz = 0 }
        [[table]]
        zzz = 0
        source = \"shop.orders\"
        keys = [\"id\"]
        columns = [{ name = \"id\", type = \"int\", zzz = 0 }]
        [[table.layout]]
        zzz = 0
        from = \"LOAD00000001\"
        keys = [\"id\"]";
    let refused = parse(misspelled).expect_err("keys that there are not");
    let places: Vec<&str> = refused.message().lines().collect();
    assert_eq!(places.len(), 12, "{places:#?}");
    for place in places {
        let (_, keys) = place.split_once("allowed: ").expect("the keys that there are");
        for key in keys.split(", ") {
            let forms = [format!("`{key}`"), format!("[{key}]"), format!("`{{ {key} ")];
            let is_there = forms.iter().any(|form| page.text.contains(form));
            assert!(is_there || page.text.contains(&format!(", {key} = ")), "{key} of {place}");
        }
    }
}

#[test]
fn every_command_is_understood() {
    let mut found = 0;
    for document in Document::all_in(&FOLDERS) {
        let blocks = document.blocks().into_iter();
        for block in blocks.filter(|block| ["sh", "console"].contains(&block.language.as_str())) {
            for words in commands(&block) {
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                let (["dmslake", arguments @ ..] | ["cargo", "run", "--", arguments @ ..]) =
                    words.as_slice()
                else {
                    continue;
                };
                let all = std::iter::once("dmslake").chain(arguments.iter().copied());
                let read = dmslake::cli::command().try_get_matches_from(all);
                let error = read.err().map(|error| error.to_string());
                assert_eq!(error, None, "{}: {words:?}", document.name());
                found += 1;
            }
        }
        for code in document.code() {
            let mut words = code.split_whitespace();
            if let (Some("dmslake"), Some(name)) = (words.next(), words.next()) {
                let is_known = ["-V", "--version", "-h", "--help"].contains(&name)
                    || dmslake::cli::command().find_subcommand(name).is_some();
                assert!(is_known, "{}: `{code}`", document.name());
            }
        }
    }
    assert!(found >= 8, "{found} commands");
    let readme = Document::open("README.md").text;
    for command in dmslake::cli::command().get_subcommands() {
        let name = command.get_name();
        assert!(readme.contains(&format!("`dmslake {name}")), "README.md does not have {name}");
    }
}

#[test]
fn every_link_leads_somewhere() {
    for document in Document::all_in(&FOLDERS) {
        for link in document.links() {
            let broken = || panic!("{}: [{}]({})", document.name(), link.text, link.target);
            if link.target.starts_with("https://") {
                continue;
            }
            let (path, anchor) = link.target.split_once('#').unwrap_or((&link.target, ""));
            let folder = document.path.parent().expect("a file");
            let file =
                plain(&if path.is_empty() { document.path.clone() } else { folder.join(path) });
            // Where the sources are without hidden folders, nothing is to be said of those.
            if file.starts_with(".github") && !root().join(".github").exists() {
                continue;
            }
            if link.target.is_empty() || !root().join(&file).exists() {
                broken();
            }
            if !anchor.is_empty() && !Document::open(&file).anchors().iter().any(|a| a == anchor) {
                broken();
            }
            // `module::name` is a test of the file.
            let test = link.text.trim_matches('`').rsplit_once("::").map(|(_, name)| name);
            if let (Some(name), true) = (test, file.extension() == Some("rs".as_ref())) {
                let source = std::fs::read_to_string(root().join(&file)).expect("readable");
                if !source.contains(&format!("fn {name}(")) {
                    broken();
                }
            }
        }
    }
    for page in guide() {
        for other in guide() {
            let name = other.path.file_stem().expect("a file").to_string_lossy().into_owned();
            let is_used = page.prose().iter().any(|line| line.contains(&format!("[{name}]")));
            let definition = format!("[{name}]: {name}.md");
            let is_defined = page.text.lines().any(|line| line == definition);
            assert_eq!(is_used, is_defined, "{}: [{name}]", page.name());
        }
    }
}

/// The path without `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        if part == Component::ParentDir {
            plain.pop();
        } else {
            plain.push(part);
        }
    }
    plain
}

#[test]
fn every_guarantee_of_the_readme_has_a_test() {
    let mut readme = Document::open("README.md");
    let section = readme.text.split("\n## ").find(|text| text.starts_with("How is exactness kept"));
    readme.text = section.expect("the section").to_owned();
    let rows =
        readme.text.lines().filter(|line| line.starts_with("| ") && line.ends_with(".rs) |"));
    assert_eq!(rows.count(), 6, "{}", readme.text);
    // That the tests are there is checked with the links.
    for link in readme.links().iter().filter(|link| link.text.starts_with('`')) {
        assert!(link.text.contains("::"), "{link:?} names no test");
    }
}

/// The kind that follows in the list of all. Whoever adds one is asked here to put it into the guide.
fn next(kind: ErrorKind) -> Option<ErrorKind> {
    use ErrorKind as Kind;
    match kind {
        Kind::Unavailable => Some(Kind::Conflict),
        Kind::Conflict => Some(Kind::Deadline),
        Kind::Deadline => Some(Kind::MalformedObject),
        Kind::MalformedObject => Some(Kind::SchemaRefused),
        Kind::SchemaRefused => Some(Kind::LateObject),
        Kind::LateObject => Some(Kind::Reload),
        Kind::Reload => Some(Kind::Reloading),
        Kind::Reloading => Some(Kind::VanishedObject),
        Kind::VanishedObject => Some(Kind::Paused),
        Kind::Paused => Some(Kind::HandedOver),
        Kind::HandedOver => Some(Kind::JobFailed),
        Kind::JobFailed => Some(Kind::TableCorrupt),
        Kind::TableCorrupt => Some(Kind::TableRefused),
        Kind::TableRefused => Some(Kind::StoreRefused),
        Kind::StoreRefused => Some(Kind::Config),
        Kind::Config => Some(Kind::Internal),
        Kind::Internal => None,
    }
}

/// `DMSLAKE_UPDATE_DOCUMENTS=1` writes the table as it is to be.
#[test]
fn the_error_table_is_that_of_the_dispositions() {
    let mut page = Document::open("src/guide/operations.md");
    for kind in std::iter::successors(Some(ErrorKind::Unavailable), |kind| next(*kind)) {
        let begin = format!("| `{kind}` |");
        let row = page.text.lines().find(|line| line.starts_with(&begin));
        let row = row.unwrap_or_else(|| panic!("{kind} is missing")).to_owned();
        let what = row.split(" | ").nth(1).expect("what happened");
        let follows = disposition(kind);
        let (action, status) = match follows.action {
            Action::Retry => ("retry", "failed"),
            Action::GiveBack => ("give back", "failed"),
            Action::Quarantine => ("quarantine", "held"),
            Action::Hold => ("hold", "held"),
            Action::Wait => ("wait", "held"),
            Action::Fail => ("fail", "failed"),
        };
        let exit = if kind == ErrorKind::Config { 2 } else { 1 };
        let expected =
            format!("{begin} {what} | {action} | {status} | {exit} | {} |", follows.operator);
        if std::env::var_os("DMSLAKE_UPDATE_DOCUMENTS").is_some() {
            page.text = page.text.replace(&row, &expected);
        } else {
            assert_eq!(row, expected, "src/guide/operations.md");
        }
    }
    if std::env::var_os("DMSLAKE_UPDATE_DOCUMENTS").is_some() {
        std::fs::write(root().join(&page.path), &page.text).expect("writable");
    }
}

#[test]
fn every_key_that_is_written_is_in_the_guide() {
    let page = Document::open("src/guide/formats.md");
    let state = TableState::new(
        &TableName { schema: "shop".into(), table: "orders".into() },
        vec!["id".into()],
    );
    let state = serde_json::to_value(state).expect("JSON");
    for written in [
        serde_json::to_value(TableReport::default()).expect("JSON"),
        serde_json::to_value(MaintenanceReport::default()).expect("JSON"),
        state.clone(),
    ] {
        let Json::Object(members) = written else { panic!("an object") };
        for key in members.keys() {
            assert!(page.text.contains(&format!("`{key}`")), "{key} is missing");
        }
    }
    let formats = [
        ("commit record", Json::from(CommitRecord::FORMAT)),
        ("state object", state["format"].clone()),
        ("lock file", Json::from(Lock::FORMAT)),
    ];
    for (what, format) in formats {
        let row = page.text.lines().find(|line| line.starts_with(&format!("| {what} |")));
        let row = row.unwrap_or_else(|| panic!("{what} is missing"));
        assert!(row.ends_with(&format!("| {format} |")), "{row}: is {format}");
    }
}

#[test]
fn every_test_module_is_listed() {
    let list = Document::open("tests/README.md").text;
    let main = std::fs::read_to_string(root().join("tests/main.rs")).expect("readable");
    let modules = main.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'));
    for module in modules.filter(|module| *module != "support") {
        assert!(
            list.contains(&format!("| `{module}` |")),
            "tests/README.md does not have {module}"
        );
    }
}
