//! Folders of the source import downwards only: no folder imports one that imports it, directly
//! or through others. Links in comments and what stands in unit tests do not count.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::support::folder::files_below;

/// By module below `src`, the modules that it imports.
type Imports = BTreeMap<String, BTreeSet<String>>;

/// The code of a file without comments and unit tests.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The first name behind each `crate::`, of which one may stand before a group.
fn imported(code: &str) -> BTreeSet<String> {
    let name = |text: &str| -> String {
        text.chars().take_while(|sign| sign.is_alphanumeric() || *sign == '_').collect()
    };
    let mut found = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            None => {
                found.insert(name(rest));
            }
            Some(group) => {
                let group = group.split("};").next().unwrap();
                found.extend(group.split(',').map(|item| name(item.trim())));
            }
        }
    }
    found
}

fn imports() -> Imports {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut imports = Imports::new();
    for path in files_below(&root, "rs") {
        let below = path.strip_prefix(&root).unwrap();
        let module = below.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs");
        if ["lib", "bin", "build"].contains(&module) {
            continue;
        }
        imports.entry(module.to_owned()).or_default().extend(imported(&code(&path)));
    }
    let modules: BTreeSet<String> = imports.keys().cloned().collect();
    for (module, imported) in &mut imports {
        imported.retain(|name| modules.contains(name) && name != module);
    }
    imports
}

/// The modules that are imported in a circle: what is left once those that import nothing more
/// are taken away, again and again.
fn circles(mut imports: Imports) -> Imports {
    loop {
        let done: Vec<String> = imports
            .iter()
            .filter(|(_, imported)| imported.is_empty())
            .map(|(module, _)| module.clone())
            .collect();
        if done.is_empty() {
            return imports;
        }
        for module in &done {
            imports.remove(module);
            for imported in imports.values_mut() {
                imported.remove(module);
            }
        }
    }
}

#[test]
fn no_folder_imports_one_that_imports_it() {
    let imports = imports();
    assert!(imports.len() > 25, "{:?}", imports.keys());
    assert!(imports["pipeline"].contains("merge") && imports["merge"].contains("files"));
    assert_eq!(circles(imports), Imports::new());
}

#[test]
fn a_circle_is_found() {
    let of = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let imports = Imports::from([
        ("a".to_owned(), of(&["b", "d"])),
        ("b".to_owned(), of(&["c"])),
        ("c".to_owned(), of(&["a"])),
        ("d".to_owned(), of(&[])),
    ]);
    assert_eq!(circles(imports).into_keys().collect::<Vec<_>>(), ["a", "b", "c"]);
    let code = "use crate::merge::{self, x};\nuse crate::{error::Error, files};\ncrate::table::y()";
    assert_eq!(imported(code), of(&["merge", "error", "files", "table"]));
}
